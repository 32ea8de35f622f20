#include "admin/api/cursor.h"

#include <charconv>

#include <fmt/format.h>

namespace millrace {
namespace {

// Takes a hexadecimal number and the dot behind it from the front.
template <class Number>
bool take_number(std::string_view& text, Number& number) {
    const size_t dot = text.find('.');
    if (dot == text.npos || dot == 0) return false;
    const auto [rest, code] = std::from_chars(text.data(), text.data() + dot, number, 16);
    if (code != std::errc() || rest != text.data() + dot) return false;
    text.remove_prefix(dot + 1);
    return true;
}

}  // namespace

std::string to_text(const ApiCursor& cursor) {
    return fmt::format("{:x}.{:x}.{:x}.{}", cursor.shard, cursor.place, cursor.number,
                       cursor.after);
}

ApiResult<ApiCursor> read_cursor(const std::optional<std::string>& text, uint32_t shard_count) {
    if (!text) return ApiCursor{};
    ApiCursor cursor;
    std::string_view rest = *text;
    if (!take_number(rest, cursor.shard) || !take_number(rest, cursor.place) ||
        !take_number(rest, cursor.number) || cursor.shard >= shard_count) {
        return refuse(ApiFault::invalid_argument, "query cursor",
                      "not what \"next\" of a page before had; without it the list begins anew");
    }
    cursor.after = rest;
    return cursor;
}

}  // namespace millrace

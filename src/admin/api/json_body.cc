#include "admin/api/json_body.h"

#include <algorithm>

#include <fmt/format.h>
#include <simdjson.h>

#include "admin/api/words.h"

namespace millrace {
namespace {

constexpr size_t depth_max = 8;

tl::unexpected<ApiError> wrong(std::string_view member, std::string_view wanted) {
    return refuse(ApiFault::invalid_argument, fmt::format("body {}", member),
                  fmt::format("{} is wanted", wanted));
}

}  // namespace

struct JsonBody::Parsed {
    simdjson::padded_string text;
    simdjson::dom::parser parser;
    simdjson::dom::object object;   // within the parser

    std::optional<simdjson::dom::element> find(std::string_view member) const {
        simdjson::dom::element found;
        if (object.at_key(member).get(found) != simdjson::SUCCESS) return std::nullopt;
        return found;
    }
};

JsonBody::JsonBody(std::unique_ptr<Parsed> parsed) : parsed_(std::move(parsed)) {}
JsonBody::JsonBody(JsonBody&&) noexcept = default;
JsonBody& JsonBody::operator=(JsonBody&&) noexcept = default;
JsonBody::~JsonBody() = default;

ApiResult<JsonBody> JsonBody::parse(std::string_view text,
                                    std::span<const std::string_view> known_members) {
    auto parsed = std::make_unique<Parsed>();
    parsed->text = simdjson::padded_string(text);
    simdjson::dom::element root;
    auto code = parsed->parser.allocate(std::max<size_t>(text.size(), 64), depth_max);
    if (code == simdjson::SUCCESS) code = parsed->parser.parse(parsed->text).get(root);
    if (code != simdjson::SUCCESS) {
        return refuse(ApiFault::invalid_argument, "body",
                      fmt::format("not JSON: {}", simdjson::error_message(code)));
    }
    if (root.get(parsed->object) != simdjson::SUCCESS) {
        return refuse(ApiFault::invalid_argument, "body", "a JSON object is wanted");
    }
    std::vector<std::string_view> seen;
    for (const auto member : parsed->object) {
        const auto is_same = [&](std::string_view name) { return name == member.key; };
        if (std::none_of(known_members.begin(), known_members.end(), is_same)) {
            return refuse(ApiFault::invalid_argument, "body",
                          fmt::format("no member \"{}\" is known: there are {}",
                                      member.key.substr(0, 100), comma_list(known_members)));
        }
        if (std::any_of(seen.begin(), seen.end(), is_same)) {
            return refuse(ApiFault::invalid_argument, fmt::format("body {}", member.key),
                          "it's there twice");
        }
        seen.push_back(member.key);
    }
    return JsonBody(std::move(parsed));
}

ApiResult<std::optional<std::string>> JsonBody::text(std::string_view member) const {
    const auto found = parsed_->find(member);
    if (!found) return std::optional<std::string>();
    std::string_view text;
    if (found->get(text) != simdjson::SUCCESS) return wrong(member, "a text");
    return std::optional<std::string>(text);
}

ApiResult<std::string> JsonBody::wanted_text(std::string_view member) const {
    auto found = text(member);
    if (!found) return tl::unexpected<ApiError>(found.error());
    if (!*found) return wrong(member, "a text");
    return std::move(**found);
}

ApiResult<uint64_t> JsonBody::number(std::string_view member, uint64_t min, uint64_t max,
                                     uint64_t otherwise) const {
    const auto found = parsed_->find(member);
    if (!found) return otherwise;
    uint64_t number = 0;
    if (found->get(number) != simdjson::SUCCESS || number < min || number > max) {
        return wrong(member, fmt::format("a whole number from {} to {}", min, max));
    }
    return number;
}

ApiResult<bool> JsonBody::truth(std::string_view member, bool otherwise) const {
    const auto found = parsed_->find(member);
    if (!found) return otherwise;
    bool truth = false;
    if (found->get(truth) != simdjson::SUCCESS) return wrong(member, "true or false");
    return truth;
}

}  // namespace millrace

// A request's body: one JSON object (RFC 8259) of known members, over simdjson.
// Owned by: whoever answers the request, for as long.
// Holds:    there's no member that the route doesn't know, and none twice.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "admin/api/error.h"

namespace millrace {

class JsonBody {
public:
    static ApiResult<JsonBody> parse(std::string_view text,
                                     std::span<const std::string_view> known_members);
    JsonBody(JsonBody&&) noexcept;
    JsonBody& operator=(JsonBody&&) noexcept;
    ~JsonBody();

    // An error when it isn't a text; empty when it isn't there.
    ApiResult<std::optional<std::string>> text(std::string_view member) const;
    ApiResult<std::string> wanted_text(std::string_view member) const;
    ApiResult<uint64_t> number(std::string_view member, uint64_t min, uint64_t max,
                               uint64_t otherwise) const;
    ApiResult<bool> truth(std::string_view member, bool otherwise) const;

private:
    struct Parsed;
    explicit JsonBody(std::unique_ptr<Parsed> parsed);

    std::unique_ptr<Parsed> parsed_;
};

}  // namespace millrace

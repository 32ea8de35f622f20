// Why a request isn't answered as it was asked, for programs and for people.
// Owned by: values. Thread: any.
// Holds:    each code has one HTTP status (RFC 9110, 15.5 and 15.6).
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "base/assert.h"

namespace millrace {

enum class ApiFault : uint8_t {
    invalid_argument,
    unauthorized,
    forbidden,
    not_found,
    method_not_allowed,
    conflict,                // not now, or not any more
    too_large,
    unsupported_media_type,
    too_many,
    unavailable,             // a shard doesn't answer, or this server hasn't got it
};

constexpr unsigned status_of(ApiFault fault) {
    switch (fault) {
    case ApiFault::invalid_argument:       return 400;
    case ApiFault::unauthorized:           return 401;
    case ApiFault::forbidden:              return 403;
    case ApiFault::not_found:              return 404;
    case ApiFault::method_not_allowed:     return 405;
    case ApiFault::conflict:               return 409;
    case ApiFault::too_large:              return 413;
    case ApiFault::unsupported_media_type: return 415;
    case ApiFault::too_many:               return 429;
    case ApiFault::unavailable:            return 503;
    }
    MR_UNREACHABLE();
}

constexpr std::string_view name_of(ApiFault fault) {
    switch (fault) {
    case ApiFault::invalid_argument:       return "invalid_argument";
    case ApiFault::unauthorized:           return "unauthorized";
    case ApiFault::forbidden:              return "forbidden";
    case ApiFault::not_found:              return "not_found";
    case ApiFault::method_not_allowed:     return "method_not_allowed";
    case ApiFault::conflict:               return "conflict";
    case ApiFault::too_large:              return "too_large";
    case ApiFault::unsupported_media_type: return "unsupported_media_type";
    case ApiFault::too_many:               return "too_many";
    case ApiFault::unavailable:            return "unavailable";
    }
    MR_UNREACHABLE();
}

struct ApiError {
    ApiFault fault = ApiFault::invalid_argument;
    std::string where;     // "query limit", "body topic", "path client_id", "header Host"
    std::string message;   // what is wrong and how to mend it
    std::string allowed{}; // with method_not_allowed: the methods that are
};

template <class T>
using ApiResult = tl::expected<T, ApiError>;

inline tl::unexpected<ApiError> refuse(ApiFault fault, std::string where, std::string message) {
    return tl::unexpected<ApiError>(ApiError{fault, std::move(where), std::move(message), {}});
}

}  // namespace millrace

// Addresses of tests, from their text.
// Owned by: nobody; values. Thread: any.
#pragma once

#include <string_view>

#include "base/assert.h"
#include "wire/address.h"

namespace millrace {

inline IpAddress ip(std::string_view text) {
    const auto address = IpAddress::parse(text);
    MR_ASSERT(address.has_value());
    return *address;
}
inline MacAddress mac(std::string_view text) {
    const auto address = MacAddress::parse(text);
    MR_ASSERT(address.has_value());
    return *address;
}
inline IpPrefix prefix(std::string_view text) {
    const auto range = IpPrefix::parse(text);
    MR_ASSERT(range.has_value());
    return *range;
}

}  // namespace millrace

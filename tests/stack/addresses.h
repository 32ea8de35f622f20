// Addresses from their text, and the MAC addresses of numbered hosts.
// Owned by: nobody; values. Thread: any.
#pragma once

#include <cstdint>
#include <string_view>

#include <doctest/doctest.h>

#include "wire/address.h"

namespace millrace::test {

inline IpAddress ip(std::string_view text) {
    const auto address = IpAddress::parse(text);
    REQUIRE(address.has_value());
    return *address;
}
inline IpPrefix prefix(std::string_view text) {
    const auto parsed = IpPrefix::parse(text);
    REQUIRE(parsed.has_value());
    return *parsed;
}
inline MacAddress mac_of(uint8_t number) { return {{0x02, 0, 0, 0, 0, number}}; }

}  // namespace millrace::test

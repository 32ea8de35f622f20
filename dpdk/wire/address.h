// Addresses of hosts and of network cards.
// Owned by: values. Thread: any.
// Holds:    an IPv4 address stands as its IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2), so that
//           one type serves both families.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

struct MacAddress {
    std::array<uint8_t, 6> octets{};

    static constexpr MacAddress broadcast() { return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }
    constexpr bool is_multicast() const { return (octets[0] & 1) != 0; }  // broadcast included
    constexpr bool is_zero() const { return *this == MacAddress{}; }
    constexpr auto operator<=>(const MacAddress&) const = default;

    static std::optional<MacAddress> parse(std::string_view text);  // "02:00:00:00:00:01"
    std::string text() const;
};

struct IpAddress {
    std::array<uint8_t, 16> octets{};

    static constexpr IpAddress from_ipv4(uint32_t host_order) {
        const auto octet = [host_order](uint32_t shift) {
            return static_cast<uint8_t>(host_order >> shift);
        };
        return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, octet(24), octet(16), octet(8),
                 octet(0)}};
    }
    constexpr bool is_ipv4() const {
        constexpr uint32_t mark = std::bit_cast<uint32_t>(std::array<uint8_t, 4>{0, 0, 0xff, 0xff});
        const auto words = std::bit_cast<std::array<uint32_t, 4>>(octets);
        return (words[0] | words[1]) == 0 && words[2] == mark;
    }
    // Host order; only of an IPv4 address.
    constexpr uint32_t ipv4() const {
        return uint32_t{octets[12]} << 24 | uint32_t{octets[13]} << 16 | uint32_t{octets[14]} << 8 |
               octets[15];
    }
    constexpr bool is_unspecified() const {
        return *this == IpAddress{} || *this == from_ipv4(0);
    }
    bool is_multicast() const;        // 224.0.0.0/4, ff00::/8
    bool is_link_local() const;       // fe80::/10
    constexpr auto operator<=>(const IpAddress&) const = default;

    static std::optional<IpAddress> parse(std::string_view text);
    std::string text() const;  // IPv4 in dots
};

// A range of addresses that share their first bits.
struct IpPrefix {
    IpAddress address;         // bits behind the prefix may be set: an interface's own address
    uint8_t length_bits = 0;   // 0 to 32 for IPv4, 0 to 128 for IPv6

    bool contains(const IpAddress& other) const;  // false across families
    // Every address of `other`.
    bool contains(const IpPrefix& other) const {
        return contains(other.address) && length_bits <= other.length_bits;
    }
    // How many addresses there are, at most 2^63.
    uint64_t address_count() const;
    // The address `index` places after the first of the range.
    IpAddress at(uint64_t index) const;
    static std::optional<IpPrefix> parse(std::string_view text);  // "10.0.0.1/16"; or one address
    std::string text() const;
};

}  // namespace millrace

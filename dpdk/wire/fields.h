// Fields of headers in network order, read and written as whole words.
// Owned by: the caller; everything here borrows for the call. Thread: any.
// Holds:    no bounds are checked here: a parser checks a header's length once and then reads.
// Not here: what the fields mean; readers with an end of their own (base/bytes.h).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "wire/address.h"

namespace millrace::wire {

// In the machine's own byte order, from any alignment.
template <class T>
T load_native(const uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}

inline uint16_t swapped_to_network(uint16_t value) {
    return std::endian::native == std::endian::little ? __builtin_bswap16(value) : value;
}
inline uint32_t swapped_to_network(uint32_t value) {
    return std::endian::native == std::endian::little ? __builtin_bswap32(value) : value;
}
inline uint64_t swapped_to_network(uint64_t value) {
    return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
}

inline uint16_t load_u16(const uint8_t* at) {
    return swapped_to_network(load_native<uint16_t>(at));
}
inline uint32_t load_u32(const uint8_t* at) {
    return swapped_to_network(load_native<uint32_t>(at));
}
inline uint64_t load_u64(const uint8_t* at) {
    return swapped_to_network(load_native<uint64_t>(at));
}

inline void store_u16(uint8_t* at, uint16_t value) {
    const uint16_t network = swapped_to_network(value);
    std::memcpy(at, &network, sizeof(network));
}
inline void store_u32(uint8_t* at, uint32_t value) {
    const uint32_t network = swapped_to_network(value);
    std::memcpy(at, &network, sizeof(network));
}
inline void store_u64(uint8_t* at, uint64_t value) {
    const uint64_t network = swapped_to_network(value);
    std::memcpy(at, &network, sizeof(network));
}

inline MacAddress load_mac(const uint8_t* at) {
    MacAddress mac;
    std::memcpy(mac.octets.data(), at, mac.octets.size());
    return mac;
}
inline void store_mac(uint8_t* at, const MacAddress& mac) {
    std::memcpy(at, mac.octets.data(), mac.octets.size());
}

inline IpAddress load_ipv4(const uint8_t* at) { return IpAddress::from_ipv4(load_u32(at)); }
inline IpAddress load_ipv6(const uint8_t* at) {
    IpAddress address;
    std::memcpy(address.octets.data(), at, address.octets.size());
    return address;
}
inline void store_ipv4(uint8_t* at, const IpAddress& address) {
    std::memcpy(at, address.octets.data() + 12, 4);
}
inline void store_ipv6(uint8_t* at, const IpAddress& address) {
    std::memcpy(at, address.octets.data(), address.octets.size());
}

// Ones'-complement addition of 64-bit words: the carry comes back at the low end.
inline uint64_t ones_add(uint64_t a, uint64_t b) {
    const uint64_t sum = a + b;
    return sum + (sum < a ? 1 : 0);
}

// The same sum in 16 bits. It's 0 only when every word was 0.
inline uint16_t ones_fold(uint64_t sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(sum);
}

// Of an IPv4 header without options, in the machine's byte order: a sum of swapped words is the
// swapped sum (RFC 1071, 2 B). A good header gives 0xffff.
inline uint16_t ipv4_header_sum(const uint8_t* header) {
    return ones_fold(ones_add(ones_add(load_native<uint64_t>(header),
                                       load_native<uint64_t>(header + 8)),
                              load_native<uint32_t>(header + 16)));
}

}  // namespace millrace::wire

// The Toeplitz hash that network cards spread flows by (Microsoft RSS), with a symmetric key: both
// directions of a flow hash alike (Woo and Park, 2012).
// Owned by: values. Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "wire/address.h"

namespace millrace {

inline constexpr uint32_t rss_key_bytes = 52;  // the longest that cards take; most want 40

// 0x6d5a repeated.
std::span<const uint8_t, rss_key_bytes> symmetric_rss_key();
// Over source address, destination address, source port, destination port, in that order.
uint32_t toeplitz_hash(std::span<const uint8_t> key, const IpAddress& source,
                       const IpAddress& destination, uint16_t source_port,
                       uint16_t destination_port);
// With the symmetric key, by a table made once; the same result.
uint32_t symmetric_flow_hash(const IpAddress& source, const IpAddress& destination,
                             uint16_t source_port, uint16_t destination_port);

}  // namespace millrace

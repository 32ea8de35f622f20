// The Internet checksum (RFC 1071), as sums that can be added: what many receivers share is summed
// once (RFC 1624 for a field that changes).
// Owned by: values. Thread: any.
// Holds:    a PartialSum is the ones'-complement sum of bytes that begin at an even offset; a part
//           that begins at an odd one is swapped when it's added.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/address.h"

namespace millrace {

struct PartialSum {
    uint64_t value = 0;

    // The sum of these bytes followed by `next`; `bytes_before`: how many stand before `next`.
    PartialSum then(PartialSum next, uint64_t bytes_before) const;
    uint16_t folded() const;    // 16 bits, not complemented
    // What goes into the header (complemented).
    uint16_t checksum() const { return static_cast<uint16_t>(~folded()); }
};

// Host arithmetic over network-order bytes: the result is in host order.
PartialSum sum_of(Bytes bytes);
// The pseudo-header of TCP, UDP and ICMPv6 (RFC 9293 3.1, RFC 8200 8.1).
PartialSum pseudo_header_sum(const IpAddress& source, const IpAddress& destination,
                             uint8_t protocol, uint32_t transport_bytes);

}  // namespace millrace

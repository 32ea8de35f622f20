// Which local port a connect() tries next: by turns, from a start that a keyed hash of the two
// addresses and the remote port chooses, so that nobody else can tell it (RFC 6056 3.3.3, the
// simple hash-based algorithm).
// Owned by: a stack.
// Holds:    a destination's turn only counts up, so that millions of connects to one server find
//           their ports without searching from the start. Destinations that share a place by hash
//           share their turns, which costs nothing but a few ports passed over.
// Not here: whether a port is free, which shard it leads to.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "base/hash.h"
#include "wire/address.h"

namespace millrace {

class SourcePorts {
public:
    // All but the well-known ones (RFC 6056, 3.2).
    static constexpr uint16_t port_min = 1'024;
    static constexpr uint32_t port_count = 65'536 - port_min;

    explicit SourcePorts(HashKey secret) : secret_(secret) {}

    // The next turn for this destination; `source` when only that one may be used.
    uint64_t& turn(const IpAddress& remote, uint16_t remote_port, const IpAddress* source) {
        return turns_[hash(remote, remote_port, source == nullptr ? IpAddress{} : *source) %
                      turns_.size()];
    }
    uint16_t port_at(const IpAddress& local, const IpAddress& remote, uint16_t remote_port,
                     uint64_t turn) const {
        const uint64_t place = (hash(remote, remote_port, local) >> 16) + turn;
        return static_cast<uint16_t>(port_min + place % port_count);
    }

private:
    uint64_t hash(const IpAddress& remote, uint16_t remote_port, const IpAddress& local) const {
        std::array<uint8_t, 34> bytes;
        std::memcpy(bytes.data(), remote.octets.data(), 16);
        std::memcpy(bytes.data() + 16, local.octets.data(), 16);
        std::memcpy(bytes.data() + 32, &remote_port, 2);
        return XXH3_64bits_withSeed(bytes.data(), bytes.size(), secret_.value);
    }

    HashKey secret_;
    std::array<uint64_t, 256> turns_{};
};

}  // namespace millrace

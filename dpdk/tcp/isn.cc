#include "tcp/isn.h"

#include <type_traits>

namespace millrace {
namespace {

// One hash serves both numbers, each from a half of its own: neither tells about the other.
uint64_t flow_secret(const FlowKey& key, SipKey secret) {
    static_assert(std::has_unique_object_representations_v<FlowKey>);
    return siphash({reinterpret_cast<const uint8_t*>(&key), sizeof(key)}, secret);
}

}  // namespace

// RFC 6528, 3: ISN = M + F(4-tuple, secret), where M is a clock of 4 us (RFC 9293, 3.4.1).
SeqNumber IsnGenerator::next(const FlowKey& key, Instant now) const {
    const auto ticks = static_cast<uint32_t>(now.nanoseconds / 4'000);
    return {ticks + static_cast<uint32_t>(flow_secret(key, secret_))};
}

uint32_t IsnGenerator::timestamp_offset(const FlowKey& key) const {
    return static_cast<uint32_t>(flow_secret(key, secret_) >> 32);
}

}  // namespace millrace

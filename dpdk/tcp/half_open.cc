#include "tcp/half_open.h"

namespace millrace {

HalfOpenTable::HalfOpenTable(Arena& arena, LedgerLine& line, const HalfOpenLimits& limits,
                             HashKey secret)
    : limits_(limits),
      secret_(secret),
      half_opens_(arena, line),
      waiting_(std::make_unique<uint16_t[]>(source_places)) {}

// An IPv6 host chooses its addresses within its /64 as it likes (RFC 4291, 2.5.1), so the /64 is
// what counts as one source.
uint32_t HalfOpenTable::place_of(const IpAddress& source) const {
    const size_t prefix_bytes = source.is_ipv4() ? source.octets.size() : 8;
    const uint64_t hash =
        XXH3_64bits_withSeed(source.octets.data(), prefix_bytes, secret_.value);
    return static_cast<uint32_t>(hash % source_places);
}

HalfOpenTable::Admission HalfOpenTable::admit(const IpAddress& source) const {
    if (count_ >= limits_.cookies_from || count_ >= limits_.count_max) return Admission::cookie;
    return waiting_[place_of(source)] < limits_.per_source_max ? Admission::wait
                                                               : Admission::cookie;
}

HalfOpen* HalfOpenTable::try_add(const FlowKey& key) {
    uint16_t& waiting = waiting_[place_of(key.remote)];
    if (count_ >= limits_.count_max || waiting == UINT16_MAX) return nullptr;
    HalfOpen* half_open = half_opens_.try_make();
    if (half_open == nullptr) return nullptr;
    half_open->key = key;
    half_open->kind = FlowNode::Kind::half_open;
    ++waiting;
    ++count_;
    return half_open;
}

void HalfOpenTable::remove(HalfOpen& half_open) {
    uint16_t& waiting = waiting_[place_of(half_open.key.remote)];
    MR_ASSERT(waiting > 0);
    MR_ASSERT(!half_open.timer.started());
    --waiting;
    --count_;
    half_opens_.destroy(&half_open);
}

}  // namespace millrace

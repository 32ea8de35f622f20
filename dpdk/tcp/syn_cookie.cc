#include "tcp/syn_cookie.h"

#include <array>
#include <cstring>
#include <type_traits>

#include "tcp/clock.h"

namespace millrace {
namespace {

// The largest class that isn't above the peer's MSS stands for it. The smallest one is what every
// IPv4 host takes (RFC 9293, 3.7.1), so it also stands for less.
constexpr std::array<uint16_t, 8> mss_classes = {536, 1220, 1300, 1400, 1440, 1460, 4312, 8960};

constexpr uint32_t hash_bits = 24;
constexpr uint32_t class_mask = 7;
static_assert(mss_classes.size() == class_mask + 1);
constexpr uint32_t minute_shift = 27;
constexpr uint32_t minute_mask = 31;
constexpr uint32_t minute_age_max = 1;  // of this minute or the one before

constexpr uint32_t option_mask = 63;
constexpr uint32_t scale_mask = 15;
constexpr uint32_t scale_none = 15;
constexpr uint32_t scale_max = 14;      // RFC 7323, 2.3
constexpr uint32_t sack_bit = 16;
// The echo can't be older than the cookie, and some 64 ms.
constexpr uint32_t echo_age_ms_max = 2 * 60'000 + option_mask + 1;

uint32_t minute_at(Instant now) { return static_cast<uint32_t>(now.to_ms() / 60'000); }

uint32_t class_of(uint16_t mss) {
    uint32_t index = static_cast<uint32_t>(mss_classes.size()) - 1;
    while (index > 0 && mss_classes[index] > mss) --index;
    return index;
}

uint32_t option_bits(const TcpOptions& options) {
    const uint32_t scale = options.has_window_scale ? options.window_scale : scale_none;
    return (scale & scale_mask) | (options.sack_permitted ? sack_bit : 0);
}

// RFC 7323, 5.4: the clock of timestamps must not run backwards for the peer, so the low bits make
// the value earlier, never later.
uint32_t timestamp_with(uint32_t bits, uint32_t timestamp_now) {
    const uint32_t value = (timestamp_now & ~option_mask) | bits;
    return bits <= (timestamp_now & option_mask) ? value : value - (option_mask + 1);
}

void read_options(const TcpOptions& options, Handshake& handshake) {
    const uint32_t scale = options.timestamp_echo & scale_mask;
    handshake.has_window_scale = scale <= scale_max;
    handshake.send_scale = handshake.has_window_scale ? static_cast<uint8_t>(scale) : 0;
    handshake.has_sack = (options.timestamp_echo & sack_bit) != 0;
    handshake.has_timestamps = true;
    handshake.timestamp_recent = options.timestamp_value;
}

}  // namespace

SeqNumber SynCookies::number_of(const FlowKey& key, const Claim& claim) const {
    static_assert(std::has_unique_object_representations_v<FlowKey>);
    static_assert(std::has_unique_object_representations_v<Claim>);
    std::array<uint8_t, sizeof(FlowKey) + sizeof(Claim)> input;
    std::memcpy(input.data(), &key, sizeof(key));
    std::memcpy(input.data() + sizeof(key), &claim, sizeof(claim));
    const auto hash = static_cast<uint32_t>(siphash(input, secret_) >> (64 - hash_bits));
    return {(claim.minute & minute_mask) << minute_shift | claim.mss_class << hash_bits | hash};
}

SynCookies::Cookie SynCookies::make(const FlowKey& key, const Segment& syn, Instant now,
                                    uint32_t timestamp_now) const {
    const Claim claim{.irs = syn.seq,
                      .minute = minute_at(now),
                      .mss_class = class_of(syn.options.mss)};
    return {.iss = number_of(key, claim),
            .timestamp_value = timestamp_with(option_bits(syn.options), timestamp_now)};
}

std::optional<Handshake> SynCookies::check(const FlowKey& key, const Segment& ack, Instant now,
                                           uint32_t timestamp_offset) const {
    if (!ack.has(tcp_flag::ack) || ack.has(tcp_flag::syn) || ack.has(tcp_flag::rst)) return {};
    const SeqNumber iss = ack.ack - 1;
    const uint32_t age = (minute_at(now) - (iss.value >> minute_shift)) & minute_mask;
    if (age > minute_age_max) return {};
    const Claim claim{.irs = ack.seq - 1,
                      .minute = minute_at(now) - age,
                      .mss_class = iss.value >> hash_bits & class_mask};
    if (number_of(key, claim) != iss) return {};
    Handshake handshake{.iss = iss, .irs = claim.irs};
    handshake.peer_mss = mss_classes[claim.mss_class];
    handshake.timestamp_offset = timestamp_offset;
    if (ack.options.has_timestamps) {
        // An echo that we can't have sent tells nothing of what was agreed.
        const uint32_t timestamp_now = clock_ms(now) + timestamp_offset;
        if (timestamp_now - ack.options.timestamp_echo > echo_age_ms_max) return {};
        read_options(ack.options, handshake);
    }
    return handshake;
}

}  // namespace millrace

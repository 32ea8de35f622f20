// Values in are values out, for random legal packets of every type; then the same bytes damaged.
#include <doctest/doctest.h>

#include <cstdlib>

#include "base/prng.h"
#include "codec/packet_equal.h"
#include "codec/packet_io.h"
#include "codec/packet_maker.h"

using namespace millrace;
using namespace millrace::mqtt;

namespace {

constexpr uint32_t round_count = 40'000;

// MILLRACE_SEED repeats one round of a failure.
uint64_t first_seed(uint32_t& rounds) {
    const char* given = std::getenv("MILLRACE_SEED");
    if (given == nullptr) return 1;
    rounds = 1;
    return std::strtoull(given, nullptr, 0);
}

// Cuts and flips: whatever comes of it, the decoders answer and stay inside the bytes.
void damage(Kind kind, Bytes body, Prng& prng) {
    if (body.empty()) return;
    const uint32_t whole = static_cast<uint32_t>(body.size());
    const Bytes kept = body.first(prng.chance(0.5) ? 1 + prng.below(whole) : whole);
    std::vector<uint8_t> bytes(kept.begin(), kept.end());
    for (uint32_t flips = prng.below(4); flips > 0; --flips) {
        bytes[prng.below(static_cast<uint32_t>(bytes.size()))] ^=
            static_cast<uint8_t>(1u << prng.below(8));
    }
    static_cast<void>(verdict(kind, bytes));
}

template <class T>
bool survives(Kind kind, const T& packet, Prng& prng) {
    const std::vector<uint8_t> bytes = encode_packet(kind, packet);
    const Result<FixedHeader> header = read_fixed_header(bytes);
    if (!header || header->type != kind.type || header->packet_bytes() != bytes.size()) {
        return false;
    }
    kind.flags = header->flags;
    const Bytes body = Bytes(bytes).subspan(header->header_bytes);
    bool same = false;
    decode_packet(kind, body, [&](const auto& decoded) {
        if constexpr (requires { equal(*decoded, packet); }) {
            same = decoded.has_value() && equal(*decoded, packet);
        }
    });
    damage(kind, body, prng);
    return same;
}

bool survives(Kind kind, Prng& prng) {
    PacketMaker make([&prng](uint32_t bound) { return prng.below(bound); });
    const Version version = kind.version;
    switch (kind.type) {
    case PacketType::connect: return survives(kind, make.connect(version), prng);
    case PacketType::connack: return survives(kind, make.connack(version), prng);
    case PacketType::publish: return survives(kind, make.publish(version), prng);
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp: return survives(kind, make.ack(version, kind.type), prng);
    case PacketType::subscribe: return survives(kind, make.subscribe(version), prng);
    case PacketType::suback:
    case PacketType::unsuback: return survives(kind, make.subscribe_ack(version, kind.type), prng);
    case PacketType::unsubscribe: return survives(kind, make.unsubscribe(version), prng);
    case PacketType::disconnect: return survives(kind, make.disconnect(version), prng);
    case PacketType::auth: return version == Version::v3_1_1 || survives(kind, make.auth(), prng);
    case PacketType::pingreq:
    case PacketType::pingresp: return true;
    }
    return false;
}

}  // namespace

TEST_CASE("mqtt: random legal packets of every type and version decode to what was encoded") {
    uint32_t rounds = round_count;
    const uint64_t seed = first_seed(rounds);
    for (uint64_t round = seed; round < seed + rounds; ++round) {
        Prng prng(round);
        const Kind kind{prng.chance(0.7) ? Version::v5 : Version::v3_1_1,
                        static_cast<PacketType>(1 + prng.below(15))};
        if (survives(kind, prng)) continue;
        FAIL_CHECK("packet type " << static_cast<int>(kind.type) << ", version "
                                  << static_cast<int>(kind.version)
                                  << "; repeat with MILLRACE_SEED=" << round);
    }
}

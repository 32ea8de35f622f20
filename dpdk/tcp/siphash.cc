#include "tcp/siphash.h"

#include <bit>

namespace millrace {
namespace {

struct State {
    uint64_t v0, v1, v2, v3;

    void round() {
        v0 += v1;
        v2 += v3;
        v1 = std::rotl(v1, 13) ^ v0;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 = std::rotl(v0, 32);
        v2 += v1;
        v0 += v3;
        v1 = std::rotl(v1, 17) ^ v2;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 = std::rotl(v2, 32);
    }
    void absorb(uint64_t word) {
        v3 ^= word;
        round();
        round();
        v0 ^= word;
    }
};

uint64_t little_endian(Bytes bytes) {
    uint64_t word = 0;
    for (size_t index = 0; index < bytes.size(); ++index) {
        word |= uint64_t{bytes[index]} << (8 * index);
    }
    return word;
}

}  // namespace

uint64_t siphash(Bytes bytes, SipKey key) {
    State state{.v0 = key.low ^ 0x736f6d6570736575u,
                .v1 = key.high ^ 0x646f72616e646f6du,
                .v2 = key.low ^ 0x6c7967656e657261u,
                .v3 = key.high ^ 0x7465646279746573u};
    const uint64_t length = uint64_t{bytes.size()} << 56;
    while (bytes.size() >= 8) {
        state.absorb(little_endian(bytes.first(8)));
        bytes = bytes.subspan(8);
    }
    state.absorb(length | little_endian(bytes));
    state.v2 ^= 0xff;
    for (int count = 0; count < 4; ++count) state.round();
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace millrace

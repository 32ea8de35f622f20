// xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64: small, fast, repeatable.
// Owned by: values; no global state. Thread: one at a time.
// Not here: anything that must be hard to guess.
#pragma once

#include <cstdint>

namespace millrace {

class Prng {
public:
    explicit Prng(uint64_t seed) {
        for (uint64_t& word : state_) {
            seed += 0x9e3779b97f4a7c15u;
            uint64_t mixed = seed;
            mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
            mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
            word = mixed ^ (mixed >> 31);
        }
    }

    uint64_t next() {
        const uint64_t result = rotate(state_[1] * 5, 7) * 9;
        const uint64_t shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = rotate(state_[3], 45);
        return result;
    }
    // Uniform enough for tests and jitter (multiply-shift): 0 <= result < bound, bound > 0.
    uint32_t below(uint32_t bound) {
        return static_cast<uint32_t>(((next() >> 32) * bound) >> 32);
    }
    bool chance(double probability) {
        return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
    }

private:
    static uint64_t rotate(uint64_t value, int by) { return (value << by) | (value >> (64 - by)); }
    uint64_t state_[4];
};

}  // namespace millrace

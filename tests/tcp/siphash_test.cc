#include <array>
#include <vector>

#include <doctest/doctest.h>

#include "tcp/siphash.h"

using namespace millrace;

namespace {

// The paper's key: the bytes 00 01 ... 0f.
constexpr SipKey paper_key{.low = 0x0706050403020100u, .high = 0x0f0e0d0c0b0a0908u};

// The bytes 00 01 02 ...
std::vector<uint8_t> counted(size_t bytes) {
    std::vector<uint8_t> input(bytes);
    for (size_t index = 0; index < bytes; ++index) input[index] = static_cast<uint8_t>(index);
    return input;
}

}  // namespace

TEST_CASE("siphash: the example of the paper's appendix A") {
    CHECK(siphash(counted(15), paper_key) == 0xa129ca6149be45e5u);
}

TEST_CASE("siphash: the reference implementation's vectors for inputs of 0 to 16 bytes") {
    constexpr std::array<uint64_t, 17> expected = {
        0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au, 0x85676696d7fb7e2du,
        0xcf2794e0277187b7u, 0x18765564cd99a68du, 0xcbc9466e58fee3ceu, 0xab0200f58b01d137u,
        0x93f5f5799a932462u, 0x9e0082df0ba9e4b0u, 0x7a5dbbc594ddb9f3u, 0xf4b32f46226bada7u,
        0x751e8fbc860ee5fbu, 0x14ea5627c0843d90u, 0xf723ca908e7af2eeu, 0xa129ca6149be45e5u,
        0x3f2acc7f57c29bdbu};
    for (size_t bytes = 0; bytes < expected.size(); ++bytes) {
        CAPTURE(bytes);
        CHECK(siphash(counted(bytes), paper_key) == expected[bytes]);
    }
}

TEST_CASE("siphash: either half of the key changes the hash") {
    const std::vector<uint8_t> input = counted(36);
    const uint64_t hash = siphash(input, paper_key);
    CHECK(hash != siphash(input, {.low = paper_key.low ^ 1, .high = paper_key.high}));
    CHECK(hash != siphash(input, {.low = paper_key.low, .high = paper_key.high ^ 1}));
}

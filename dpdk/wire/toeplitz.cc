#include "wire/toeplitz.h"

#include "base/assert.h"
#include "wire/fields.h"

namespace millrace {

namespace {

constexpr std::array<uint8_t, rss_key_bytes> make_key() {
    std::array<uint8_t, rss_key_bytes> key{};
    for (uint32_t index = 0; index < rss_key_bytes; ++index) {
        key[index] = index % 2 == 0 ? 0x6d : 0x5a;
    }
    return key;
}
constexpr std::array<uint8_t, rss_key_bytes> symmetric_key = make_key();

// The key's 32 bits that begin at this bit.
constexpr uint32_t key_window(std::span<const uint8_t> key, uint32_t bit) {
    const uint32_t byte = bit / 8;
    uint64_t bits = 0;
    for (uint32_t index = 0; index < 5; ++index) {
        const uint32_t at = byte + index;
        bits = bits << 8 | (at < key.size() ? key[at] : 0u);
    }
    return static_cast<uint32_t>(bits >> (8 - bit % 8));
}

// What a byte at this place of the input adds to the hash.
constexpr uint32_t byte_hash(std::span<const uint8_t> key, uint32_t place, uint8_t byte) {
    uint32_t hash = 0;
    for (uint32_t bit = 0; bit < 8; ++bit) {
        if ((byte & (0x80u >> bit)) != 0) hash ^= key_window(key, place * 8 + bit);
    }
    return hash;
}

// The key repeats every two bytes, and so do the tables of a byte's place.
struct SymmetricTables {
    std::array<std::array<uint32_t, 256>, 2> of_place{};
};

constexpr SymmetricTables make_tables() {
    SymmetricTables tables;
    for (uint32_t place = 0; place < 2; ++place) {
        for (uint32_t byte = 0; byte < 256; ++byte) {
            tables.of_place[place][byte] =
                byte_hash(symmetric_key, place, static_cast<uint8_t>(byte));
        }
    }
    return tables;
}
constexpr SymmetricTables symmetric_tables = make_tables();

}  // namespace

std::span<const uint8_t, rss_key_bytes> symmetric_rss_key() { return symmetric_key; }

uint32_t toeplitz_hash(std::span<const uint8_t> key, const IpAddress& source,
                       const IpAddress& destination, uint16_t source_port,
                       uint16_t destination_port) {
    std::array<uint8_t, 36> input;
    const uint32_t skipped = source.is_ipv4() && destination.is_ipv4() ? 12 : 0;
    uint32_t count = 0;
    const auto append = [&input, &count](std::span<const uint8_t> octets) {
        std::memcpy(input.data() + count, octets.data(), octets.size());
        count += static_cast<uint32_t>(octets.size());
    };
    append(std::span(source.octets).subspan(skipped));
    append(std::span(destination.octets).subspan(skipped));
    wire::store_u16(input.data() + count, source_port);
    wire::store_u16(input.data() + count + 2, destination_port);
    count += 4;
    MR_ASSERT(key.size() >= count + 4);
    uint32_t hash = 0;
    for (uint32_t place = 0; place < count; ++place) hash ^= byte_hash(key, place, input[place]);
    return hash;
}

uint32_t symmetric_flow_hash(const IpAddress& source, const IpAddress& destination,
                             uint16_t source_port, uint16_t destination_port) {
    // All even places share one table and all odd ones the other, and the hash of an XOR is the
    // XOR of the hashes: so the input is folded to two bytes before the tables are asked. The
    // ::ffff before two IPv4 addresses, which isn't hashed, cancels itself out.
    const uint64_t wide = wire::load_native<uint64_t>(source.octets.data()) ^
                          wire::load_native<uint64_t>(source.octets.data() + 8) ^
                          wire::load_native<uint64_t>(destination.octets.data()) ^
                          wire::load_native<uint64_t>(destination.octets.data() + 8);
    const uint32_t half = static_cast<uint32_t>(wide) ^ static_cast<uint32_t>(wide >> 32);
    const uint16_t addresses =
        wire::swapped_to_network(static_cast<uint16_t>(half ^ half >> 16));
    const uint32_t folded = uint32_t{addresses} ^ source_port ^ destination_port;
    return symmetric_tables.of_place[0][folded >> 8] ^ symmetric_tables.of_place[1][folded & 0xff];
}

}  // namespace millrace

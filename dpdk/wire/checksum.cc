#include "wire/checksum.h"

#include <bit>

#include "wire/fields.h"

namespace millrace {

using wire::load_native;
using wire::ones_add;
using wire::ones_fold;

namespace {

// One of several sums that don't wait for each other. The carries are counted apart, which costs
// an add-with-carry for each word and no branch: that is what compilers make of
// __builtin_add_overflow.
struct Lane {
    uint64_t sum = 0;
    uint64_t carries = 0;

    void add(uint64_t word) {
        carries += __builtin_add_overflow(sum, word, &sum) ? 1 : 0;
    }
    uint64_t total() const { return ones_add(sum, carries); }
};

constexpr size_t block_bytes = 64;

// What is left after whole words: every piece begins at an even offset.
uint64_t tail_sum(const uint8_t* at, size_t left) {
    uint64_t sum = 0;
    if ((left & 4) != 0) {
        sum += load_native<uint32_t>(at);
        at += 4;
    }
    if ((left & 2) != 0) {
        sum += load_native<uint16_t>(at);
        at += 2;
    }
    if ((left & 1) != 0) {
        // A last odd byte is followed by a zero (RFC 1071, 1).
        sum += std::endian::native == std::endian::little ? uint64_t{*at} : uint64_t{*at} << 8;
    }
    return sum;
}

uint64_t native_sum(const uint8_t* at, size_t left) {
    Lane a, b, c, d;
    for (; left >= block_bytes; left -= block_bytes, at += block_bytes) {
        a.add(load_native<uint64_t>(at));
        b.add(load_native<uint64_t>(at + 8));
        c.add(load_native<uint64_t>(at + 16));
        d.add(load_native<uint64_t>(at + 24));
        a.add(load_native<uint64_t>(at + 32));
        b.add(load_native<uint64_t>(at + 40));
        c.add(load_native<uint64_t>(at + 48));
        d.add(load_native<uint64_t>(at + 56));
    }
    for (; left >= 8; left -= 8, at += 8) a.add(load_native<uint64_t>(at));
    const uint64_t sum = ones_add(ones_add(a.total(), b.total()), ones_add(c.total(), d.total()));
    return ones_add(sum, tail_sum(at, left));
}

// A sum of words in the machine's order, as one of words in host arithmetic (RFC 1071, 2 B).
uint64_t to_host(uint64_t native) { return wire::swapped_to_network(ones_fold(native)); }

uint64_t address_sum(const IpAddress& address) {
    return ones_add(load_native<uint64_t>(address.octets.data()),
                    load_native<uint64_t>(address.octets.data() + 8));
}

}  // namespace

PartialSum PartialSum::then(PartialSum next, uint64_t bytes_before) const {
    // Bytes behind an odd offset stand in the other half of their word (RFC 1071, 2 B).
    const uint64_t added =
        (bytes_before & 1) != 0 ? __builtin_bswap16(ones_fold(next.value)) : next.value;
    return {ones_add(value, added)};
}

uint16_t PartialSum::folded() const { return ones_fold(value); }

PartialSum sum_of(Bytes bytes) { return {to_host(native_sum(bytes.data(), bytes.size()))}; }

PartialSum pseudo_header_sum(const IpAddress& source, const IpAddress& destination,
                             uint8_t protocol, uint32_t transport_bytes) {
    // An IPv4 address stands behind ::ffff, which adds 0xffff: zero in ones' complement. So the
    // pseudo-headers of both families have the same sum, and neither is told apart here.
    const uint64_t addresses = to_host(ones_add(address_sum(source), address_sum(destination)));
    return {addresses + protocol + transport_bytes};
}

}  // namespace millrace

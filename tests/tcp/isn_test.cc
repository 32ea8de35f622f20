#include <set>

#include <doctest/doctest.h>

#include "tcp/isn.h"

using namespace millrace;

namespace {

constexpr SipKey secret{.low = 0x1122334455667788u, .high = 0x99aabbccddeeff00u};
constexpr Instant start = Instant::at_ms(1'000'000);

FlowKey flow(uint16_t remote_port) {
    return {.local = IpAddress::from_ipv4(0x0a000001),
            .remote = IpAddress::from_ipv4(0x0a000002),
            .local_port = 1883,
            .remote_port = remote_port};
}

}  // namespace

TEST_CASE("isn: a 4-tuple's numbers go up by one every 4 us") {
    const IsnGenerator generator(secret);
    const SeqNumber first = generator.next(flow(40'000), start);
    CHECK(generator.next(flow(40'000), start + Duration::ns(3'999)) == first);
    CHECK(generator.next(flow(40'000), start + Duration::us(4)) == first + 1);
    CHECK(generator.next(flow(40'000), start + Duration::s(1)) == first + 250'000);
}

TEST_CASE("isn: the clock wraps with the sequence space") {
    const IsnGenerator generator(secret);
    const SeqNumber first = generator.next(flow(40'000), start);
    const Duration turn = Duration::us(4) * (int64_t{1} << 32);
    CHECK(generator.next(flow(40'000), start + turn + Duration::us(8)) == first + 2);
}

TEST_CASE("isn: neighboring 4-tuples have unrelated numbers and timestamp offsets") {
    const IsnGenerator generator(secret);
    std::set<uint32_t> numbers;
    std::set<uint32_t> offsets;
    std::set<uint32_t> steps;
    for (uint16_t port = 1; port <= 1'000; ++port) {
        const SeqNumber number = generator.next(flow(port), start);
        numbers.insert(number.value);
        steps.insert(generator.next(flow(static_cast<uint16_t>(port + 1)), start) - number);
        offsets.insert(generator.timestamp_offset(flow(port)));
    }
    CHECK(numbers.size() == 1'000);
    CHECK(steps.size() == 1'000);
    CHECK(offsets.size() == 1'000);
}

TEST_CASE("isn: another secret gives other numbers") {
    const IsnGenerator one(secret);
    const IsnGenerator other({.low = secret.low, .high = secret.high ^ 1});
    CHECK(one.next(flow(40'000), start) != other.next(flow(40'000), start));
    CHECK(one.timestamp_offset(flow(40'000)) != other.timestamp_offset(flow(40'000)));
}

TEST_CASE("isn: every part of the 4-tuple counts") {
    const IsnGenerator generator(secret);
    const FlowKey key = flow(40'000);
    FlowKey local = key;
    local.local = IpAddress::from_ipv4(0x0a000003);
    FlowKey remote = key;
    remote.remote = IpAddress::from_ipv4(0x0a000003);
    FlowKey local_port = key;
    local_port.local_port = 1884;
    const SeqNumber number = generator.next(key, start);
    CHECK(generator.next(local, start) != number);
    CHECK(generator.next(remote, start) != number);
    CHECK(generator.next(local_port, start) != number);
}

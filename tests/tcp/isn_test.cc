#include <set>

#include <doctest/doctest.h>

#include "flow_keys.h"
#include "tcp/isn.h"

using namespace millrace;
using millrace::test::flow_from_port;

namespace {

constexpr SipKey isn_secret{.low = 0x1122334455667788u, .high = 0x99aabbccddeeff00u};
constexpr Instant boot = Instant::at_ms(1'000'000);

}  // namespace

TEST_CASE("isn: a 4-tuple's numbers go up by one every 4 us") {
    const IsnGenerator generator(isn_secret);
    const SeqNumber first = generator.next(flow_from_port(40'000), boot);
    CHECK(generator.next(flow_from_port(40'000), boot + Duration::ns(3'999)) == first);
    CHECK(generator.next(flow_from_port(40'000), boot + Duration::us(4)) == first + 1);
    CHECK(generator.next(flow_from_port(40'000), boot + Duration::s(1)) == first + 250'000);
}

TEST_CASE("isn: the clock wraps with the sequence space") {
    const IsnGenerator generator(isn_secret);
    const SeqNumber first = generator.next(flow_from_port(40'000), boot);
    const Duration turn = Duration::us(4) * (int64_t{1} << 32);
    CHECK(generator.next(flow_from_port(40'000), boot + turn + Duration::us(8)) == first + 2);
}

TEST_CASE("isn: neighboring 4-tuples have unrelated numbers and timestamp offsets") {
    const IsnGenerator generator(isn_secret);
    std::set<uint32_t> numbers;
    std::set<uint32_t> offsets;
    std::set<uint32_t> steps;
    for (uint16_t port = 1; port <= 1'000; ++port) {
        const SeqNumber number = generator.next(flow_from_port(port), boot);
        numbers.insert(number.value);
        const uint16_t next_port = static_cast<uint16_t>(port + 1);
        steps.insert(generator.next(flow_from_port(next_port), boot) - number);
        offsets.insert(generator.timestamp_offset(flow_from_port(port)));
    }
    CHECK(numbers.size() == 1'000);
    CHECK(steps.size() == 1'000);
    CHECK(offsets.size() == 1'000);
}

TEST_CASE("isn: another secret gives other numbers") {
    const IsnGenerator one(isn_secret);
    const IsnGenerator other({.low = isn_secret.low, .high = isn_secret.high ^ 1});
    const FlowKey key = flow_from_port(40'000);
    CHECK(one.next(key, boot) != other.next(key, boot));
    CHECK(one.timestamp_offset(key) != other.timestamp_offset(key));
}

TEST_CASE("isn: every part of the 4-tuple counts") {
    const IsnGenerator generator(isn_secret);
    const FlowKey key = flow_from_port(40'000);
    FlowKey local = key;
    local.local = IpAddress::from_ipv4(0x0a000003);
    FlowKey remote = key;
    remote.remote = IpAddress::from_ipv4(0x0a000003);
    FlowKey local_port = key;
    local_port.local_port = 1884;
    const SeqNumber number = generator.next(key, boot);
    CHECK(generator.next(local, boot) != number);
    CHECK(generator.next(remote, boot) != number);
    CHECK(generator.next(local_port, boot) != number);
}

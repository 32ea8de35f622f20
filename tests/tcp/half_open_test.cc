#include <vector>

#include <doctest/doctest.h>

#include "flow_keys.h"
#include "runtime/shard_memory.h"
#include "tcp/half_open.h"

using namespace millrace;
using millrace::test::flow_from;
using millrace::test::ShardMemory;
using Admission = HalfOpenTable::Admission;

namespace {

constexpr HashKey half_open_secret{0x5eed};

IpAddress ipv6(uint8_t network, uint8_t host) {
    IpAddress address;
    address.octets[0] = 0x20;
    address.octets[1] = 0x01;
    address.octets[7] = network;
    address.octets[15] = host;
    return address;
}

struct HalfOpenFixture {
    explicit HalfOpenFixture(const HalfOpenLimits& limits, uint64_t bytes_max = 1 << 20)
        : memory(bytes_max),
          line(memory.ledger.line("half open")),
          table(*memory.arena, line, limits, half_open_secret) {}

    HalfOpen* add(const IpAddress& source) { return table.try_add(flow_from(source, ++port)); }

    ShardMemory memory;
    LedgerLine& line;
    HalfOpenTable table;
    uint16_t port = 0;
};

}  // namespace

TEST_CASE("half open: a new one has its key and stands for a handshake") {
    HalfOpenFixture fixture({});
    const FlowKey key = flow_from(ipv6(1, 1), 7);
    HalfOpen* half_open = fixture.table.try_add(key);
    REQUIRE(half_open != nullptr);
    CHECK(half_open->key == key);
    CHECK(half_open->kind == FlowNode::Kind::half_open);
    CHECK(fixture.table.count() == 1);
    CHECK(fixture.line.objects.read() == 1);
    fixture.table.remove(*half_open);
    CHECK(fixture.table.count() == 0);
    CHECK(fixture.line.objects.read() == 0);
}

TEST_CASE("half open: from cookies_from on a SYN of any source gets a cookie") {
    HalfOpenFixture fixture({.count_max = 8, .cookies_from = 4, .per_source_max = 256});
    std::vector<HalfOpen*> added;
    for (uint32_t index = 0; index < 4; ++index) {
        const IpAddress source = IpAddress::from_ipv4(index);
        CHECK(fixture.table.admit(source) == Admission::wait);
        added.push_back(fixture.add(source));
    }
    CHECK(fixture.table.admit(IpAddress::from_ipv4(99)) == Admission::cookie);
    fixture.table.remove(*added[2]);
    CHECK(fixture.table.admit(IpAddress::from_ipv4(99)) == Admission::wait);
}

TEST_CASE("half open: no more than count_max exist") {
    HalfOpenFixture fixture({.count_max = 3, .cookies_from = 10, .per_source_max = 256});
    for (uint32_t index = 0; index < 3; ++index) {
        CHECK(fixture.add(IpAddress::from_ipv4(index)) != nullptr);
    }
    CHECK(fixture.add(IpAddress::from_ipv4(9)) == nullptr);
    CHECK(fixture.table.admit(IpAddress::from_ipv4(9)) == Admission::cookie);
}

TEST_CASE("half open: an IPv4 address at its limit gets cookies, another one doesn't") {
    HalfOpenFixture fixture({.count_max = 100, .cookies_from = 100, .per_source_max = 3});
    const IpAddress greedy = IpAddress::from_ipv4(0xc0000201);
    const IpAddress other = IpAddress::from_ipv4(0xc0000202);
    HalfOpen* last = nullptr;
    for (int count = 0; count < 3; ++count) last = fixture.add(greedy);
    CHECK(fixture.table.admit(greedy) == Admission::cookie);
    CHECK(fixture.table.admit(other) == Admission::wait);
    fixture.table.remove(*last);
    CHECK(fixture.table.admit(greedy) == Admission::wait);
}

TEST_CASE("half open: the addresses of an IPv6 /64 share its limit") {
    HalfOpenFixture fixture({.count_max = 100, .cookies_from = 100, .per_source_max = 3});
    for (uint8_t host = 1; host <= 3; ++host) fixture.add(ipv6(1, host));
    CHECK(fixture.table.admit(ipv6(1, 77)) == Admission::cookie);
    CHECK(fixture.table.admit(ipv6(2, 77)) == Admission::wait);
}

TEST_CASE("half open: without memory there's none, and a removed one makes room") {
    HalfOpenFixture fixture(
        {.count_max = 100'000, .cookies_from = 100'000, .per_source_max = 65'535},
        Arena::chunk_bytes);
    HalfOpen* newest = nullptr;
    uint32_t added = 0;
    while (HalfOpen* half_open = fixture.add(IpAddress::from_ipv4(added))) {
        newest = half_open;
        ++added;
    }
    CHECK(added == Arena::chunk_bytes / sizeof(HalfOpen));
    CHECK(fixture.table.count() == added);
    fixture.table.remove(*newest);
    CHECK(fixture.add(IpAddress::from_ipv4(1)) != nullptr);
}

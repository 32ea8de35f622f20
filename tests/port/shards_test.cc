// Several shards at one device that spreads nothing itself. All on one thread, in turns.
#include "port/port_harness.h"

#include <algorithm>
#include <set>

using namespace millrace;
using namespace millrace::test;

namespace {

struct Shards {
    explicit Shards(uint32_t shard_count, uint32_t queue_count) : memories(shard_count) {
        PortOptions options = small_port("net_ring0", shard_count);
        options.queue_count = queue_count;
        port = open_port(options);
        if (port == nullptr) return;
        for (uint32_t shard = 0; shard < shard_count; ++shard) {
            links.push_back(make_link(*port, shard, memories[shard]));
        }
    }
    ~Shards() {
        links.clear();
        port.reset();
    }

    // What each shard has received once nothing is on its way any more.
    std::vector<std::vector<Received>> receive() {
        std::vector<std::vector<Received>> all(links.size());
        for (int turn = 0; turn < 3; ++turn) {
            for (size_t shard = 0; shard < links.size(); ++shard) {
                for (Received& frame : receive_all(*links[shard])) {
                    all[shard].push_back(std::move(frame));
                }
            }
        }
        return all;
    }

    std::vector<PortMemory> memories;
    std::unique_ptr<Port> port;
    std::vector<std::unique_ptr<Link>> links;
};

uint32_t shard_of(const Shards& shards, const Flow& flow) {
    return shards.links[0]->shard_of(*IpAddress::parse(flow.destination), flow.destination_port,
                                     *IpAddress::parse(flow.source), flow.source_port);
}

void check_flows_arrive_at_their_shard(Shards& shards) {
    std::set<uint32_t> used;
    for (uint16_t number = 1; number <= 64; ++number) {
        for (const auto& link : shards.links) {
            const Flow flow{.source_port = number};
            OutFrame frame = tcp_frame(flow);
            REQUIRE(link->transmit({&frame, 1}) == 1);
            const uint32_t expected = shard_of(shards, flow);
            used.insert(expected);
            const auto received = shards.receive();
            for (uint32_t shard = 0; shard < received.size(); ++shard) {
                CAPTURE(shard);
                REQUIRE(received[shard].size() == (shard == expected ? 1 : 0));
            }
            CHECK(received[expected][0].bytes == bytes_of(frame));
            CHECK_FALSE(received[expected][0].is_copy);
        }
    }
    CHECK(used.size() == shards.links.size());
}

}  // namespace

TEST_CASE("shards: with a queue each, a flow arrives at the shard that shard_of names") {
    Shards shards(3, 3);
    if (shards.port == nullptr) return;
    check_flows_arrive_at_their_shard(shards);
}

TEST_CASE("shards: with one queue for all, a flow arrives at the shard that shard_of names") {
    Shards shards(3, 1);
    if (shards.port == nullptr) return;
    check_flows_arrive_at_their_shard(shards);
}

TEST_CASE("shards: all agree on the shard of a flow, whichever end is named local") {
    Shards shards(3, 2);
    if (shards.port == nullptr) return;
    const IpAddress one = *IpAddress::parse("10.0.0.1");
    const IpAddress other = *IpAddress::parse("10.0.0.2");
    for (uint16_t port = 1; port < 100; ++port) {
        const uint32_t expected = shards.links[0]->shard_of(one, port, other, 1'883);
        for (const auto& link : shards.links) {
            CHECK(link->shard_of(one, port, other, 1'883) == expected);
            CHECK(link->shard_of(other, 1'883, one, port) == expected);
        }
    }
}

TEST_CASE("shards: ARP comes to every shard, as a copy to all but the first") {
    for (const uint32_t queue_count : {3u, 1u}) {
        Shards shards(3, queue_count);
        if (shards.port == nullptr) return;
        for (const auto& sender : shards.links) {
            OutFrame frame = arp_frame();
            REQUIRE(sender->transmit({&frame, 1}) == 1);
            const auto received = shards.receive();
            for (uint32_t shard = 0; shard < 3; ++shard) {
                CAPTURE(shard);
                REQUIRE(received[shard].size() == 1);
                CHECK(received[shard][0].bytes == bytes_of(frame));
                CHECK(received[shard][0].is_copy == (shard != 0));
            }
        }
    }
}

TEST_CASE("shards: one without a queue copies its payload, and its block is its own again") {
    Shards shards(2, 1);
    if (shards.port == nullptr) return;
    PortMemory& memory = shards.memories[1];
    const Slice slice = memory.slice(std::string(1'000, 'p'));
    memory.blocks->hold(*slice.block);
    OutFrame frame = tcp_frame({}, 1'000);
    add_payload(frame, slice);
    const std::string sent = bytes_of(frame);
    CHECK(shards.links[1]->transmit({&frame, 1}) == 1);
    CHECK(slice.block->reference_count == 1);
    CHECK(shards.links[1]->counters().payload_bytes_copied.read() == 1'000);
    memory.blocks->release(*slice.block);
    std::vector<Received> all;
    for (auto& some : shards.receive()) std::move(some.begin(), some.end(), std::back_inserter(all));
    REQUIRE(all.size() == 1);
    CHECK(all[0].bytes == sent);
}

TEST_CASE("shards: frames for a shard that doesn't look are dropped and counted, not kept for ever") {
    Shards shards(2, 1);
    if (shards.port == nullptr) return;
    Flow flow;
    while (shard_of(shards, flow) != 1) ++flow.source_port;
    for (int count = 0; count < 2'000; ++count) {
        OutFrame frame = tcp_frame(flow);
        REQUIRE(shards.links[0]->transmit({&frame, 1}) == 1);
        CHECK(receive_all(*shards.links[0]).empty());
    }
    const LinkCounters& counters = shards.links[0]->counters();
    CHECK(counters.handed_over.read() == 1'023);
    CHECK(counters.handover_dropped.read() == 2'000 - 1'023);
    CHECK(receive_all(*shards.links[1]).size() == 1'023);
}

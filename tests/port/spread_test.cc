#include "port/spread.h"

#include <doctest/doctest.h>

#include <deque>

#include "port/port_harness.h"
#include "wire/toeplitz.h"

using namespace millrace;
using namespace millrace::test;

namespace {

std::vector<uint8_t> frame_bytes(const OutFrame& frame) {
    return {frame.header.begin(), frame.header.begin() + frame.header_bytes};
}

SpreadVerdict verdict_of(const std::vector<uint8_t>& frame) { return spread_verdict(frame, true); }

// Stands for a frame: the rings carry addresses, and never look behind them.
struct alignas(64) Token {
    uint64_t filler[16] = {};
};
rte_mbuf* as_frame(Token& token) { return reinterpret_cast<rte_mbuf*>(&token); }

std::unique_ptr<SpreadMesh> make_mesh(uint32_t shard_count, uint32_t queue_count) {
    auto mesh = SpreadMesh::create(shard_count, queue_count);
    REQUIRE(mesh.has_value());
    return std::move(*mesh);
}

}  // namespace

TEST_CASE("spread: both directions of a flow have one hash, the one of the wire layer") {
    const SpreadVerdict there = verdict_of(frame_bytes(tcp_frame({})));
    const SpreadVerdict back = verdict_of(frame_bytes(tcp_frame({.source = "10.0.0.2",
                                                                 .destination = "10.0.0.1",
                                                                 .source_port = 1'883,
                                                                 .destination_port = 1'000})));
    REQUIRE(there.to == SpreadTo::flow);
    CHECK(there.flow_hash == back.flow_hash);
    CHECK(there.flow_hash == symmetric_flow_hash(*IpAddress::parse("10.0.0.1"),
                                                 *IpAddress::parse("10.0.0.2"), 1'000, 1'883));
}

TEST_CASE("spread: an IPv6 flow is hashed over its whole addresses") {
    const SpreadVerdict one =
        verdict_of(frame_bytes(tcp_frame({.source = "fd00::1", .destination = "fd00::2"})));
    REQUIRE(one.to == SpreadTo::flow);
    CHECK(one.flow_hash == symmetric_flow_hash(*IpAddress::parse("fd00::1"),
                                               *IpAddress::parse("fd00::2"), 1'000, 1'883));
}

TEST_CASE("spread: a tagged frame goes where the same one without a tag goes") {
    std::vector<uint8_t> frame = frame_bytes(tcp_frame({}));
    const uint32_t untagged = verdict_of(frame).flow_hash;
    const uint8_t tag[] = {0x81, 0x00, 0x00, 0x07};
    frame.insert(frame.begin() + 12, std::begin(tag), std::end(tag));
    CHECK(verdict_of(frame).to == SpreadTo::flow);
    CHECK(verdict_of(frame).flow_hash == untagged);
}

TEST_CASE("spread: ARP, ICMP and ICMPv6 are for everyone") {
    CHECK(verdict_of(frame_bytes(arp_frame())).to == SpreadTo::everyone);
    std::vector<uint8_t> icmp = frame_bytes(tcp_frame({}));
    icmp[14 + 9] = 1;
    CHECK(verdict_of(icmp).to == SpreadTo::everyone);
    std::vector<uint8_t> icmpv6 =
        frame_bytes(tcp_frame({.source = "fd00::1", .destination = "fd00::2"}));
    icmpv6[14 + 6] = 58;
    CHECK(verdict_of(icmpv6).to == SpreadTo::everyone);
}

TEST_CASE("spread: fragments, UDP and unknown protocols go nowhere else") {
    std::vector<uint8_t> fragment = frame_bytes(tcp_frame({}));
    fragment[14 + 7] = 1;  // an offset of 8 bytes
    CHECK(verdict_of(fragment).to == SpreadTo::nowhere);
    std::vector<uint8_t> udp = frame_bytes(tcp_frame({}));
    udp[14 + 9] = 17;
    CHECK(verdict_of(udp).to == SpreadTo::nowhere);
    std::vector<uint8_t> unknown = frame_bytes(tcp_frame({}));
    unknown[12] = 0x88;
    CHECK(verdict_of(unknown).to == SpreadTo::nowhere);
}

TEST_CASE("spread: a frame cut anywhere before its ports has no flow") {
    for (const OutFrame& whole :
         {tcp_frame({}), tcp_frame({.source = "fd00::1", .destination = "fd00::2"})}) {
        const std::vector<uint8_t> bytes = frame_bytes(whole);
        for (size_t length = 0; length < whole.transport_at + 4u; ++length) {
            CAPTURE(length);
            const std::vector<uint8_t> cut(bytes.begin(),
                                           bytes.begin() + static_cast<ptrdiff_t>(length));
            CHECK(verdict_of(cut).to == SpreadTo::nowhere);
        }
    }
}

TEST_CASE("spread: an IPv4 header that claims to be longer than the frame has no flow") {
    std::vector<uint8_t> frame = frame_bytes(tcp_frame({}));
    frame.resize(14 + 20 + 4);
    frame[14] = 0x4f;
    CHECK(verdict_of(frame).to == SpreadTo::nowhere);
    frame[14] = 0x44;  // shorter than a header can be
    CHECK(verdict_of(frame).to == SpreadTo::nowhere);
}

TEST_CASE("spread: frames arrive at the shard they were handed to, in order, marked as copies") {
    const auto mesh = make_mesh(3, 3);
    std::deque<Token> tokens(3);
    CHECK(mesh->try_hand_over(0, 2, as_frame(tokens[0]), false));
    CHECK(mesh->try_hand_over(0, 2, as_frame(tokens[1]), true));
    CHECK(mesh->try_hand_over(1, 2, as_frame(tokens[2]), false));
    std::array<SpreadMesh::Handed, 8> handed{};
    CHECK(mesh->take_handed(1, handed) == 0);
    REQUIRE(mesh->take_handed(2, handed) == 3);
    CHECK(handed[0].frame == as_frame(tokens[0]));
    CHECK_FALSE(handed[0].is_copy);
    CHECK(handed[1].frame == as_frame(tokens[1]));
    CHECK(handed[1].is_copy);
    CHECK(handed[2].frame == as_frame(tokens[2]));
}

TEST_CASE("spread: a full ring takes no frame, and takes one again after one left") {
    const auto mesh = make_mesh(2, 2);
    std::deque<Token> tokens(1);
    uint32_t taken = 0;
    while (taken < 100'000 && mesh->try_hand_over(0, 1, as_frame(tokens[0]), false)) ++taken;
    CHECK(taken == 1'023);
    std::array<SpreadMesh::Handed, 1> one{};
    CHECK(mesh->take_handed(1, one) == 1);
    CHECK(mesh->try_hand_over(0, 1, as_frame(tokens[0]), false));
    while (mesh->take_handed(1, one) != 0) {
    }
}

TEST_CASE("spread: a busy shard doesn't keep the others' frames from being taken") {
    const auto mesh = make_mesh(3, 3);
    std::deque<Token> tokens(2);
    for (int count = 0; count < 100; ++count) {
        CHECK(mesh->try_hand_over(1, 0, as_frame(tokens[0]), false));
    }
    CHECK(mesh->try_hand_over(2, 0, as_frame(tokens[1]), false));
    std::array<SpreadMesh::Handed, 10> some{};
    bool seen = false;
    for (int turn = 0; turn < 3 && !seen; ++turn) {
        const uint32_t count = mesh->take_handed(0, some);
        for (uint32_t index = 0; index < count; ++index) {
            seen = seen || some[index].frame == as_frame(tokens[1]);
        }
    }
    CHECK(seen);
    while (mesh->take_handed(0, some) != 0) {
    }
}

TEST_CASE("spread: shards without a queue send through those that have one, in turn") {
    const auto mesh = make_mesh(5, 2);
    CHECK_FALSE(mesh->sends_through(1));
    CHECK(mesh->sends_through(2));
    CHECK(mesh->queue_owner(2) == 0);
    CHECK(mesh->queue_owner(3) == 1);
    CHECK(mesh->queue_owner(4) == 0);
    std::deque<Token> tokens(2);
    rte_mbuf* frames[] = {as_frame(tokens[0]), as_frame(tokens[1])};
    CHECK(mesh->try_send_through(3, frames) == 2);
    std::array<rte_mbuf*, 4> taken{};
    REQUIRE(mesh->take_to_send(3, taken) == 2);
    CHECK(taken[0] == frames[0]);
    CHECK(taken[1] == frames[1]);
}

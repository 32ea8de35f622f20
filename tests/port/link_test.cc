// Links over a device that returns what is sent (net_ring).
#include "port/port_harness.h"

#include <algorithm>

using namespace millrace;
using namespace millrace::test;

TEST_CASE("link: what is sent through a device comes back whole") {
    PortMemory memory;
    const auto port = open_port(small_port("net_ring0"));
    if (port == nullptr) return;
    const auto link = make_link(*port, 0, memory);
    OutFrame frame = tcp_frame({}, 1'008);
    const Slice first = memory.slice(std::string(1'000, 'a'));
    const Slice second = memory.slice("the rest");
    add_payload(frame, first);
    add_payload(frame, second);
    const std::string sent = bytes_of(frame);
    CHECK(link->transmit({&frame, 1}) == 1);
    const std::vector<Received> received = receive_all(*link);
    REQUIRE(received.size() == 1);
    CHECK(received[0].bytes == sent);
    CHECK_FALSE(received[0].is_copy);
    CHECK(link->counters().frames_in.read() == 1);
    CHECK(link->counters().frames_out.read() == 1);
    CHECK(link->counters().bytes_out.read() == sent.size());
}

TEST_CASE("link: a copied payload gives its block back at once, and is counted") {
    PortMemory memory;
    const auto port = open_port(small_port("net_ring0"));
    if (port == nullptr) return;
    const auto link = make_link(*port, 0, memory);
    OutFrame frame = tcp_frame({}, 500);
    const Slice slice = memory.slice(std::string(500, 'x'));
    memory.blocks->hold(*slice.block);
    add_payload(frame, slice);
    CHECK(link->transmit({&frame, 1}) == 1);
    CHECK(slice.block->reference_count == 1);
    CHECK(link->counters().payload_bytes_copied.read() == 500);
    memory.blocks->release(*slice.block);
    receive_all(*link);
}

TEST_CASE("link: what a full device doesn't take stays with the caller, and all comes in order") {
    PortMemory memory;
    const auto port = open_port(small_port("net_ring0"));
    if (port == nullptr) return;
    const auto link = make_link(*port, 0, memory);
    const Slice slice = memory.slice("payload");
    constexpr uint16_t frame_count = 5'000;
    std::vector<OutFrame> frames;
    std::vector<std::string> sent;
    for (uint16_t number = 0; number < frame_count; ++number) {
        OutFrame& frame = frames.emplace_back(tcp_frame({.source_port = number}, 7));
        memory.blocks->hold(*slice.block);
        add_payload(frame, slice);
        sent.push_back(bytes_of(frame));
    }
    std::span<const OutFrame> left(frames);
    std::vector<Received> received;
    bool was_full = false;
    for (int round = 0; round < 1'000 && received.size() < frame_count; ++round) {
        const uint32_t taken = link->transmit(left);
        was_full = was_full || taken < left.size();
        left = left.subspan(taken);
        CHECK(slice.block->reference_count == left.size() + 1);
        for (Received& frame : receive_all(*link)) received.push_back(std::move(frame));
    }
    CHECK(was_full);
    CHECK(link->counters().transmit_full.read() > 0);
    REQUIRE(received.size() == frame_count);
    for (uint16_t number = 0; number < frame_count; ++number) {
        if (received[number].bytes != sent[number]) FAIL("frame ", number, " differs");
    }
    memory.blocks->release(*slice.block);
}

TEST_CASE("link: frames that wait for the device's room go out when receiving makes some") {
    PortMemory memory;
    const auto port = open_port(small_port("net_ring0"));
    if (port == nullptr) return;
    const auto link = make_link(*port, 0, memory);
    std::vector<OutFrame> frames(3'000, tcp_frame({}));
    const uint32_t taken = link->transmit(frames);
    REQUIRE(taken < frames.size());
    CHECK(receive_all(*link).size() == taken);
}

TEST_CASE("link: several bursts may be held before they are released") {
    PortMemory memory;
    const auto port = open_port(small_port("net_ring0"));
    if (port == nullptr) return;
    const auto link = make_link(*port, 0, memory);
    std::vector<OutFrame> frames;
    for (uint16_t number = 0; number < 200; ++number) {
        frames.push_back(tcp_frame({.source_port = number}));
    }
    CHECK(link->transmit(frames) == 200);
    std::vector<std::span<const InFrame>> bursts;
    size_t count = 0;
    while (count < 200 && bursts.size() < 10) {
        bursts.push_back(link->receive());
        count += bursts.back().size();
        CHECK(bursts.back().size() <= 64);
    }
    REQUIRE(count == 200);
    uint32_t number = 0;
    for (const auto burst : bursts) {
        for (const InFrame& frame : burst) {
            const std::string bytes(frame.bytes.begin(), frame.bytes.end());
            if (bytes != bytes_of(frames[number])) FAIL("frame ", number, " differs");
            ++number;
        }
    }
    link->release_received();
}

TEST_CASE("link: a jumbo frame comes in one piece") {
    PortMemory memory;
    PortOptions options = small_port("net_ring0");
    options.mtu = 9'000;
    const auto port = open_port(options);
    if (port == nullptr) return;
    const auto link = make_link(*port, 0, memory);
    CHECK(link->facts().mtu == 9'000);
    OutFrame frame = tcp_frame({}, 8'960);
    add_payload(frame, memory.slice(std::string(8'960, 'j')));
    const std::string sent = bytes_of(frame);
    CHECK(link->transmit({&frame, 1}) == 1);
    const std::vector<Received> received = receive_all(*link);
    REQUIRE(received.size() == 1);
    CHECK(received[0].bytes == sent);
}

// Two ports joined by shared memory (net_memif), as between two processes: the device that sends
// payloads from where they lie.
#include "port/port_harness.h"

#include <chrono>
#include <thread>

#include <unistd.h>

using namespace millrace;
using namespace millrace::test;

namespace {

struct MemifPair {
    explicit MemifPair(uint32_t mtu = 1'500, uint32_t copy_bytes_max = 128)
        : path("/tmp/millrace-memif-" + std::to_string(::getpid()) + ".sock") {
        const std::string common = ",id=0,socket-abstract=no,socket=" + path;
        server_port = open(0, "server" + common, mtu, copy_bytes_max);
        if (server_port == nullptr) return;
        client_port = open(1, "client" + common, mtu, copy_bytes_max);
        server = make_link(*server_port, 0, server_memory);
        client = make_link(*client_port, 0, client_memory);
        wait_until_connected();
    }
    ~MemifPair() {
        client.reset();
        server.reset();
        client_port.reset();
        server_port.reset();
        ::unlink(path.c_str());
    }

    static std::unique_ptr<Port> open(int number, const std::string& role, uint32_t mtu,
                                      uint32_t copy_bytes_max) {
        PortOptions options =
            small_port("net_memif" + std::to_string(number) + ",role=" + role);
        options.mtu = mtu;
        options.copy_bytes_max = copy_bytes_max;
        return open_port(options);
    }

    // The two find each other on a thread of DPDK's. A frame that gets through shows it.
    void wait_until_connected() {
        const OutFrame probe = tcp_frame({.source_port = 9});
        REQUIRE(client->transmit({&probe, 1}) == 1);
        for (int attempt = 0; attempt < 1'000; ++attempt) {
            client->receive();  // which sends what waits
            client->release_received();
            if (!receive_all(*server).empty()) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        FAIL("the two ends of a memif device don't connect");
    }

    std::string path;
    PortMemory server_memory;
    PortMemory client_memory;
    std::unique_ptr<Port> server_port;
    std::unique_ptr<Port> client_port;
    std::unique_ptr<Link> server;
    std::unique_ptr<Link> client;
};

}  // namespace

TEST_CASE("memif: slices behind a header arrive as one frame, in order and byte for byte") {
    MemifPair pair;
    if (pair.server_port == nullptr) return;
    OutFrame frame = tcp_frame({}, 1'300);
    add_payload(frame, pair.client_memory.slice(std::string(50, 'a')));
    add_payload(frame, pair.client_memory.slice(std::string(700, 'b')));
    add_payload(frame, pair.client_memory.slice(std::string(50, 'c')));
    add_payload(frame, pair.client_memory.slice(std::string(500, 'd')));
    const std::string sent = bytes_of(frame);
    CHECK(pair.client->transmit({&frame, 1}) == 1);
    const std::vector<Received> received = receive_all(*pair.server);
    REQUIRE(received.size() == 1);
    CHECK(received[0].bytes == sent);
    CHECK(pair.client->counters().payload_bytes_copied.read() == 50);
}

TEST_CASE("memif: a payload by reference gives its block back when it's sent") {
    MemifPair pair;
    if (pair.server_port == nullptr) return;
    PortMemory& memory = pair.client_memory;
    const Slice slice = memory.slice(std::string(1'400, 'x'));
    size_t received = 0;
    for (int count = 0; count < 3'000; ++count) {
        OutFrame frame = tcp_frame({}, 1'400);
        memory.blocks->hold(*slice.block);
        add_payload(frame, slice);
        REQUIRE(pair.client->transmit({&frame, 1}) == 1);
        received += receive_all(*pair.server).size();
    }
    CHECK(received == 3'000);
    CHECK(slice.block->reference_count == 1);
    CHECK(pair.client->counters().payload_bytes_copied.read() == 0);
    memory.blocks->release(*slice.block);
}

TEST_CASE("memif: frames that wait keep their blocks, and give them back when the link goes") {
    PortMemory memory;
    const Slice slice = memory.slice(std::string(1'400, 'x'));
    {
        // Nobody is at the other end, so nothing is ever sent.
        const auto port = MemifPair::open(
            2, "server,id=7,socket-abstract=no,socket=/tmp/millrace-memif-nobody.sock", 1'500, 128);
        if (port == nullptr) return;
        const auto link = make_link(*port, 0, memory);
        std::vector<OutFrame> frames(100, tcp_frame({}, 1'400));
        for (OutFrame& frame : frames) {
            memory.blocks->hold(*slice.block);
            add_payload(frame, slice);
        }
        const uint32_t taken = link->transmit(frames);
        CHECK(taken == 64);
        CHECK(slice.block->reference_count == 1 + 100);
        CHECK(link->transmit(std::span(frames).subspan(taken)) == 0);
        for (uint32_t index = taken; index < frames.size(); ++index) {
            memory.blocks->release(*slice.block);
        }
    }
    CHECK(slice.block->reference_count == 1);
    memory.blocks->release(*slice.block);
}

TEST_CASE("memif: a short payload is copied even where references are possible") {
    MemifPair pair(1'500, 100);
    if (pair.server_port == nullptr) return;
    for (const uint32_t bytes : {100u, 101u}) {
        OutFrame frame = tcp_frame({}, bytes);
        add_payload(frame, pair.client_memory.slice(std::string(bytes, 'x')));
        CHECK(pair.client->transmit({&frame, 1}) == 1);
    }
    CHECK(pair.client->counters().payload_bytes_copied.read() == 100);
    CHECK(receive_all(*pair.server).size() == 2);
}

TEST_CASE("memif: a jumbo frame that spans the device's buffers comes in one piece") {
    MemifPair pair(9'000);
    if (pair.server_port == nullptr) return;
    OutFrame frame = tcp_frame({}, 8'900);
    add_payload(frame, pair.client_memory.slice(std::string(4'000, 'a')));
    add_payload(frame, pair.client_memory.slice(std::string(4'900, 'b')));
    const std::string sent = bytes_of(frame);
    CHECK(pair.client->transmit({&frame, 1}) == 1);
    const std::vector<Received> received = receive_all(*pair.server);
    REQUIRE(received.size() == 1);
    CHECK(received[0].bytes == sent);
}

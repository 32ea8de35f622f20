// Ports over DPDK's virtual devices, in plain pages: no card, no huge pages, no other process.
// DPDK starts once a process, so all tests of the program share it.
#pragma once

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "port/port.h"
#include "runtime/arena.h"
#include "runtime/ledger.h"
#include "runtime/slab.h"
#include "wire/headers.h"

namespace millrace::test {

struct PortMemory {
    PortMemory() {
        auto made = Arena::create({.bytes_max = 64 << 20, .huge_pages = HugePages::off});
        REQUIRE(made.has_value());
        arena = std::move(*made);
        heap = std::make_unique<Heap>(*arena, ledger);
        blocks = std::make_unique<BlockPool>(*heap, ledger);
    }

    // A block that holds `text`, counted once for the caller.
    Slice slice(std::string_view text) {
        Block* block = blocks->try_take(static_cast<uint32_t>(text.size()));
        REQUIRE(block != nullptr);
        std::copy(text.begin(), text.end(), block->bytes());
        return {block, 0, static_cast<uint32_t>(text.size())};
    }

    Ledger ledger;
    std::unique_ptr<Arena> arena;
    std::unique_ptr<Heap> heap;
    std::unique_ptr<BlockPool> blocks;
};

inline PortOptions small_port(std::string device, uint32_t shard_count = 1) {
    PortOptions options;
    options.device = std::move(device);
    options.shard_count = shard_count;
    options.receive_descriptors = 512;
    options.transmit_descriptors = 512;
    options.memory_bytes = 512 << 20;  // DPDK's own heap: of the first port of the process
    options.huge_pages = false;
    return options;
}

// Null when DPDK doesn't start here: the test is skipped, with the reason.
inline std::unique_ptr<Port> open_port(const PortOptions& options) {
    auto port = Port::open(options);
    if (port) return std::move(*port);
    const std::string& why = port.error().message;
    if (why.starts_with("DPDK") && why.find("command line") == std::string::npos) {
        std::printf("skipped: %s\n", why.c_str());
        return nullptr;
    }
    FAIL(why);
    return nullptr;
}

inline std::unique_ptr<Link> make_link(Port& port, uint32_t shard, PortMemory& memory) {
    auto link = port.make_link(shard, *memory.blocks);
    REQUIRE(link.has_value());
    return std::move(*link);
}

struct Flow {
    std::string_view source = "10.0.0.1";
    std::string_view destination = "10.0.0.2";
    uint16_t source_port = 1'000;
    uint16_t destination_port = 1'883;
};

// Ethernet, IP and the ports of a TCP header; the checksums are nobody's concern here.
inline OutFrame tcp_frame(const Flow& flow, uint32_t payload_bytes = 0) {
    OutFrame frame;
    IpHeader ip;
    ip.source = *IpAddress::parse(flow.source);
    ip.destination = *IpAddress::parse(flow.destination);
    ip.payload_bytes = 20 + payload_bytes;
    const uint16_t type = ip.source.is_ipv4() ? ethertype_ipv4 : ethertype_ipv6;
    const std::span<uint8_t> room(frame.header);
    uint32_t bytes = write_ethernet(room, *MacAddress::parse("02:00:00:00:00:02"),
                                    *MacAddress::parse("02:00:00:00:00:01"), type, {});
    frame.network_at = static_cast<uint8_t>(bytes);
    bytes += write_ip(room.subspan(bytes), ip);
    frame.transport_at = static_cast<uint8_t>(bytes);
    const uint16_t ports[] = {flow.source_port, flow.destination_port};
    for (const uint16_t port : ports) {
        frame.header[bytes++] = static_cast<uint8_t>(port >> 8);
        frame.header[bytes++] = static_cast<uint8_t>(port);
    }
    bytes += 16;
    frame.header[frame.transport_at + 12] = 5 << 4;
    frame.header_bytes = static_cast<uint16_t>(bytes);
    return frame;
}

inline OutFrame arp_frame() {
    OutFrame frame;
    const std::span<uint8_t> room(frame.header);
    uint32_t bytes = write_ethernet(room, MacAddress::broadcast(),
                                    *MacAddress::parse("02:00:00:00:00:01"), ethertype_arp, {});
    bytes += write_arp(room.subspan(bytes), {});
    frame.header_bytes = static_cast<uint16_t>(bytes);
    return frame;
}

// Takes the reference over.
inline void add_payload(OutFrame& frame, const Slice& slice) {
    frame.slices[frame.slice_count++] = slice;
    frame.payload_bytes += slice.length;
}

inline std::string bytes_of(const OutFrame& frame) {
    std::string bytes(frame.header.begin(), frame.header.begin() + frame.header_bytes);
    for (uint32_t index = 0; index < frame.slice_count; ++index) {
        const Bytes part = frame.slices[index].bytes();
        bytes.append(part.begin(), part.end());
    }
    return bytes;
}

struct Received {
    std::string bytes;
    bool is_copy;
};

// Until nothing more comes.
inline std::vector<Received> receive_all(Link& link) {
    std::vector<Received> all;
    while (true) {
        const std::span<const InFrame> frames = link.receive();
        for (const InFrame& frame : frames) {
            all.push_back({std::string(frame.bytes.begin(), frame.bytes.end()), frame.is_copy});
        }
        link.release_received();
        if (frames.empty()) return all;
    }
}

}  // namespace millrace::test

// A wire in memory: links that hand each other's frames on, by MAC address, as a switch would.
// Owned by: one test. Everything on its thread.
// Holds:    every frame that a stack sends is parsed, and its checksums are verified, before it's
//           passed on: `bad_frames` counts those that a receiver would have to drop.
// Not here: time. The larger network, with faults drawn from a seed, stands in tests/sim.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/block.h"
#include "stack/link.h"
#include "wire/checksum.h"
#include "wire/frame.h"
#include "wire/headers.h"
#include "wire/tcp_header.h"
#include "wire/toeplitz.h"

namespace millrace::test {

using FrameBytes = std::vector<uint8_t>;

class FakeLink;

struct FakeWire {
    std::vector<FakeLink*> links;
    std::function<bool(const ParsedFrame&)> passes;  // false: lost
    std::vector<FrameBytes> sent;                    // with `keeps`
    bool keeps = false;
    uint64_t frame_count = 0;
    uint64_t bad_frames = 0;

    void carry(const FakeLink* from, const FrameBytes& frame);
};

inline uint16_t load16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }
inline void store16(uint8_t* at, uint32_t value) {
    at[0] = static_cast<uint8_t>(value >> 8);
    at[1] = static_cast<uint8_t>(value);
}

class FakeLink final : public Link {
public:
    FakeLink(FakeWire& wire, BlockPool& blocks, LinkFacts facts, uint32_t shard_count = 1)
        : wire_(wire), blocks_(blocks), facts_(std::move(facts)), shard_count_(shard_count) {
        wire_.links.push_back(this);
    }
    ~FakeLink() override { std::erase(wire_.links, this); }

    std::span<const InFrame> receive() override {
        const size_t begin = lent_.size();
        frames_.clear();
        while (!inbox_.empty() && frames_.size() < 64) {
            lent_.push_back(std::make_unique<FrameBytes>(std::move(inbox_.front())));
            inbox_.pop_front();
            InFrame& frame = frames_.emplace_back();
            frame.bytes = *lent_.back();
            frame.is_copy = gives_copies;
        }
        counters_.frames_in.add(lent_.size() - begin);
        return frames_;
    }
    void release_received() override {
        // What a stack still looks at afterwards is found out.
        for (auto& frame : lent_) std::fill(frame->begin(), frame->end(), uint8_t{0xdd});
        lent_.clear();
    }
    uint32_t transmit(std::span<const OutFrame> frames) override {
        const auto taken = std::min<uint32_t>(room, static_cast<uint32_t>(frames.size()));
        if (taken < frames.size()) counters_.transmit_full.add();
        if (room != UINT32_MAX) room -= taken;
        for (const OutFrame& frame : frames.first(taken)) send(frame);
        return taken;
    }
    const LinkFacts& facts() const override { return facts_; }
    const LinkCounters& counters() const override { return counters_; }
    uint32_t shard_of(const IpAddress& local, uint16_t local_port, const IpAddress& remote,
                      uint16_t remote_port) const override {
        return symmetric_flow_hash(local, remote, local_port, remote_port) % shard_count_;
    }

    void put(FrameBytes frame) { inbox_.push_back(std::move(frame)); }
    bool idle() const { return inbox_.empty(); }

    uint32_t room = UINT32_MAX;    // frames that it will still take
    bool gives_copies = false;     // what it receives is another shard's to answer
    uint32_t slices_seen_max = 0;
    uint32_t payload_seen_max = 0;

private:
    void send(const OutFrame& out) {
        FrameBytes frame(out.header.begin(), out.header.begin() + out.header_bytes);
        slices_seen_max = std::max<uint32_t>(slices_seen_max, out.slice_count);
        payload_seen_max = std::max(payload_seen_max, out.payload_bytes);
        for (uint32_t part = 0; part < out.slice_count; ++part) {
            const Bytes bytes = out.slices[part].bytes();
            frame.insert(frame.end(), bytes.begin(), bytes.end());
            blocks_.release(*out.slices[part].block);
        }
        MR_ASSERT(frame.size() == out.bytes());
        if (out.segment_bytes == 0) {
            finish(frame, out);
            wire_.carry(this, frame);
        } else {
            cut(frame, out);
        }
        counters_.frames_out.add();
    }

    // What a device does when it's asked to.
    static void finish(FrameBytes& frame, const OutFrame& out) {
        uint8_t* ip = frame.data() + out.network_at;
        uint8_t* tcp = frame.data() + out.transport_at;
        if (out.ipv4_checksum) {
            store16(ip + 10, 0);
            store16(ip + 10, sum_of({ip, 20}).checksum());
        }
        if (!out.tcp_checksum) return;
        // The field holds the pseudo-header's sum, so it counts itself in.
        const Bytes segment(tcp, frame.size() - out.transport_at);
        store16(tcp + tcp_checksum_at, sum_of(segment).checksum());
    }
    void cut(const FrameBytes& whole, const OutFrame& out) {
        const bool is_ipv4 = whole[out.network_at] >> 4 == 4;
        for (uint32_t done = 0; done < out.payload_bytes; done += out.segment_bytes) {
            const uint32_t bytes = std::min<uint32_t>(out.segment_bytes, out.payload_bytes - done);
            const bool is_last = done + bytes == out.payload_bytes;
            FrameBytes frame(whole.begin(), whole.begin() + out.header_bytes);
            const auto begin = whole.begin() + out.header_bytes + done;
            frame.insert(frame.end(), begin, begin + bytes);
            uint8_t* ip = frame.data() + out.network_at;
            uint8_t* tcp = frame.data() + out.transport_at;
            const auto length = static_cast<uint32_t>(frame.size());
            if (is_ipv4) store16(ip + 2, length - out.network_at);
            else store16(ip + 4, length - out.network_at - 40);
            const uint32_t seq = uint32_t{load16(tcp + 4)} << 16 | load16(tcp + 6);
            store16(tcp + 4, (seq + done) >> 16);
            store16(tcp + 6, (seq + done) & 0xffff);
            if (!is_last) tcp[13] &= 0xf6;  // FIN and PSH
            const uint32_t tcp_bytes = length - out.transport_at;
            // The stack left the length out of the sum.
            store16(tcp + tcp_checksum_at,
                    PartialSum{uint64_t{load16(tcp + tcp_checksum_at)} + tcp_bytes}.folded());
            finish(frame, out);
            wire_.carry(this, frame);
        }
    }

    FakeWire& wire_;
    BlockPool& blocks_;
    LinkFacts facts_;
    LinkCounters counters_;
    uint32_t shard_count_;
    std::deque<FrameBytes> inbox_;
    std::vector<std::unique_ptr<FrameBytes>> lent_;
    std::vector<InFrame> frames_;
};

inline void FakeWire::carry(const FakeLink* from, const FrameBytes& frame) {
    ++frame_count;
    if (keeps) sent.push_back(frame);
    const ParsedFrame parsed = parse_frame(frame, {{VlanSetting::Mode::pass_through, 0}, false});
    const bool is_good = parsed.kind != FrameKind::dropped &&
                         (parsed.kind != FrameKind::tcp ||
                          tcp_checksum_is_good(parsed.body, parsed.source, parsed.destination));
    if (!is_good) ++bad_frames;
    if (passes && !passes(parsed)) return;
    for (FakeLink* link : links) {
        if (link == from) continue;
        if (parsed.destination_mac.is_multicast() ||
            parsed.destination_mac == link->facts().mac) {
            link->put(frame);
        }
    }
}

}  // namespace millrace::test

// From segments and answers to frames: headers, checksums, and bursts to the link.
// Owned by: a stack, on its shard.
// Holds:    a staged frame holds one reference to the block of each of its slices, until the link
//           takes it over. What the link has no room for stays staged, in order, so nothing that
//           was staged is lost.
// Not here: what is said, to whom and when.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "net/send_ring.h"
#include "runtime/block.h"
#include "stack/interface.h"
#include "stack/link.h"
#include "stack/payload_sums.h"
#include "stack/stack_counters.h"
#include "tcp/flow_key.h"
#include "tcp/segment.h"

namespace millrace {

// A place in a send ring, so that the segments of one visit find their parts without walking the
// ring from its oldest slot each time. Valid while nothing leaves the ring.
struct RingPlace {
    uint32_t slot = 0;
    uint32_t bytes_before = 0;  // in the slots before
};

class FrameSender {
public:
    static constexpr uint32_t staged_max = 64;

    FrameSender(Link& link, const Interface& interface, BlockPool& blocks,
                StackCounters& counters);
    ~FrameSender();
    FrameSender(const FrameSender&) = delete;
    FrameSender& operator=(const FrameSender&) = delete;

    void begin_flush() {
        sums_.begin_flush();
        own_.rewind_if_unused();
    }
    // Whether another frame may be made; hands the staged ones to the link when there's no room.
    bool has_room() { return staged_count() < staged_max || make_room(); }
    void transmit();
    bool has_staged() const { return end_ > first_; }
    uint32_t staged_count() const { return end_ - first_; }

    // A connection's segment, with payload from its ring; has_room() was asked before. `mss` cuts
    // it where the device does the cutting.
    void stage(const FlowNode& flow, const OutSegment& segment, const SendRing& ring,
               RingPlace& place, uint16_t mss);
    // Without payload, and dropped (counted) when there's no room: the peer asks again.
    void answer(const FlowNode& flow, const OutSegment& segment);
    // Room for a frame of another kind: the caller writes headers into it. Null, and counted,
    // when there's none.
    OutFrame* try_answer();
    // Ethernet and IP headers of such a frame; `payload_bytes` follow the IP header.
    void write_ip_frame(OutFrame& frame, const MacAddress& to, const IpAddress& source,
                        const IpAddress& destination, uint8_t protocol, uint8_t hop_limit,
                        uint32_t payload_bytes);
    std::span<uint8_t> room_of(OutFrame& frame) const {
        return std::span<uint8_t>(frame.header).subspan(frame.header_bytes);
    }

    // How much payload one frame may carry beyond an MSS; 0: nothing is cut by the device.
    uint32_t burst_bytes() const { return burst_bytes_; }
    uint32_t slices_max() const { return slices_max_; }
    // Puts a copy of `bytes` behind the headers. False, and the frame (the newest) is dropped and
    // counted, without memory.
    bool add_copy(OutFrame& frame, Bytes bytes);
    // The caller has completed a frame of try_answer().
    void count(const OutFrame& frame);

private:
    bool make_room();
    OutFrame& next_frame();
    void write_headers(OutFrame& frame, const FlowNode& flow, const OutSegment& segment);
    void gather(OutFrame& frame, const SendRing& ring, uint32_t offset, RingPlace& place);
    void drop_newest();
    void finish_checksum(OutFrame& frame, const FlowNode& flow);

    Link& link_;
    const Interface& interface_;
    BlockPool& blocks_;
    StackCounters& counters_;
    PayloadSums sums_;
    BlockStream own_;      // payload that isn't anyone's: echoed data
    std::array<OutFrame, staged_max> staged_;
    uint32_t first_ = 0;   // staged_[first_, end_) wait for the link
    uint32_t end_ = 0;
    uint32_t burst_bytes_;
    uint32_t slices_max_;
    uint16_t identification_ = 0;
    bool ipv4_checksum_by_device_;
    bool tcp_checksum_by_device_;
};

}  // namespace millrace

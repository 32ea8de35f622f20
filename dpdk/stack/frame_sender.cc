#include "stack/frame_sender.h"

#include <algorithm>
#include <cstring>

#include "wire/headers.h"
#include "wire/tcp_header.h"

namespace millrace {

namespace {

// The length fields of IP have 16 bits; the largest headers come off.
constexpr uint32_t burst_bytes_max = 65'535 - 40 - tcp_header_bytes_max;

void put_checksum(OutFrame& frame, uint16_t value) {
    const uint32_t at = frame.transport_at + tcp_checksum_at;
    frame.header[at] = static_cast<uint8_t>(value >> 8);
    frame.header[at + 1] = static_cast<uint8_t>(value);
}

}  // namespace

FrameSender::FrameSender(Link& link, const Interface& interface, BlockPool& blocks,
                         StackCounters& counters)
    : link_(link), interface_(interface), blocks_(blocks), counters_(counters),
      sums_(counters.payload_sums_computed, counters.payload_sums_reused), own_(blocks),
      burst_bytes_(link.facts().tcp_segmentation ? burst_bytes_max : 0),
      slices_max_(std::clamp<uint32_t>(link.facts().slices_max, 1, OutFrame::slices_max)),
      ipv4_checksum_by_device_(link.facts().tx_ipv4_checksum),
      tcp_checksum_by_device_(link.facts().tx_tcp_checksum) {}

FrameSender::~FrameSender() {
    for (uint32_t index = first_; index < end_; ++index) {
        const OutFrame& frame = staged_[index];
        for (uint32_t part = 0; part < frame.slice_count; ++part) {
            blocks_.release(*frame.slices[part].block);
        }
    }
}

void FrameSender::transmit() {
    if (!has_staged()) return;
    first_ += link_.transmit(std::span<const OutFrame>(&staged_[first_], staged_count()));
    MR_ASSERT(first_ <= end_);
    if (first_ == end_) first_ = end_ = 0;
}

bool FrameSender::make_room() {
    transmit();
    if (staged_count() == staged_max) return false;
    // What the link left moves to the front; it's rare, and a few frames.
    std::copy(staged_.begin() + first_, staged_.begin() + end_, staged_.begin());
    end_ -= first_;
    first_ = 0;
    return true;
}

OutFrame& FrameSender::next_frame() {
    if (end_ == staged_max) {
        std::copy(staged_.begin() + first_, staged_.begin() + end_, staged_.begin());
        end_ -= first_;
        first_ = 0;
    }
    MR_ASSERT(end_ < staged_max);
    OutFrame& frame = staged_[end_++];
    frame.header_bytes = 0;
    frame.ipv4_checksum = false;
    frame.tcp_checksum = false;
    frame.slice_count = 0;
    frame.segment_bytes = 0;
    frame.payload_bytes = 0;
    return frame;
}

void FrameSender::count(const OutFrame& frame) {
    counters_.frames_out.add();
    counters_.payload_bytes_out.add(frame.payload_bytes);
}

void FrameSender::drop_newest() {
    const OutFrame& frame = staged_[--end_];
    for (uint32_t part = 0; part < frame.slice_count; ++part) {
        blocks_.release(*frame.slices[part].block);
    }
    counters_.frames_no_memory.add();
}

void FrameSender::stage(const FlowNode& flow, const OutSegment& segment, const SendRing& ring,
                        RingPlace& place, uint16_t mss) {
    OutFrame& frame = next_frame();
    frame.payload_bytes = segment.payload_bytes;
    write_headers(frame, flow, segment);
    if (segment.payload_bytes > 0) {
        gather(frame, ring, segment.ring_offset, place);
        if (segment.payload_bytes > mss) frame.segment_bytes = mss;
    }
    finish_checksum(frame, flow);
    count(frame);
}

void FrameSender::answer(const FlowNode& flow, const OutSegment& segment) {
    if (!has_room()) {
        counters_.answers_dropped.add();
        return;
    }
    OutFrame& frame = next_frame();
    write_headers(frame, flow, segment);
    finish_checksum(frame, flow);
    count(frame);
}

OutFrame* FrameSender::try_answer() {
    if (has_room()) return &next_frame();
    counters_.answers_dropped.add();
    return nullptr;
}

void FrameSender::write_ip_frame(OutFrame& frame, const MacAddress& to, const IpAddress& source,
                                 const IpAddress& destination, uint8_t protocol,
                                 uint8_t hop_limit, uint32_t payload_bytes) {
    const bool is_ipv4 = destination.is_ipv4();
    const uint32_t ethernet_bytes =
        write_ethernet(frame.header, to, interface_.mac,
                       is_ipv4 ? ethertype_ipv4 : ethertype_ipv6, interface_.vlan);
    frame.network_at = static_cast<uint8_t>(ethernet_bytes);
    IpHeader header;
    header.source = source;
    header.destination = destination;
    header.protocol = protocol;
    header.hop_limit = hop_limit;
    header.payload_bytes = payload_bytes;
    header.identification = is_ipv4 ? ++identification_ : uint16_t{0};
    header.leave_checksum = is_ipv4 && ipv4_checksum_by_device_;
    frame.ipv4_checksum = header.leave_checksum;
    const uint32_t ip_bytes =
        write_ip(std::span<uint8_t>(frame.header).subspan(ethernet_bytes), header);
    frame.transport_at = static_cast<uint8_t>(ethernet_bytes + ip_bytes);
    frame.header_bytes = frame.transport_at;
}

// `payload_bytes` of the frame is set.
void FrameSender::write_headers(OutFrame& frame, const FlowNode& flow, const OutSegment& segment) {
    const FlowKey& key = flow.key;
    write_ip_frame(frame, flow.mac, key.local, key.remote, protocol_tcp, interface_.hop_limit,
                   tcp_header_bytes(segment) + frame.payload_bytes);
    const uint32_t tcp_bytes =
        write_tcp(room_of(frame), {key.local_port, key.remote_port}, segment);
    frame.header_bytes = static_cast<uint16_t>(frame.transport_at + tcp_bytes);
}

// The frame's payload as slices of the ring from `offset` on, each with a reference: no more of
// them than Tcp::depart() was allowed.
void FrameSender::gather(OutFrame& frame, const SendRing& ring, uint32_t offset,
                         RingPlace& place) {
    if (offset < place.bytes_before) place = {};
    while (offset >= place.bytes_before + ring.at(place.slot).length) {
        place.bytes_before += ring.at(place.slot).length;
        ++place.slot;
    }
    uint32_t skip = offset - place.bytes_before;
    uint32_t bytes = frame.payload_bytes;
    for (uint32_t slot = place.slot; bytes > 0; ++slot) {
        MR_ASSERT(frame.slice_count < slices_max_);
        MR_ASSERT(slot < ring.slot_count());
        Slice slice = ring.at(slot).from(skip);
        slice.length = std::min(slice.length, bytes);
        bytes -= slice.length;
        skip = 0;
        blocks_.hold(*slice.block);
        frame.slices[frame.slice_count++] = slice;
    }
}

bool FrameSender::add_copy(OutFrame& frame, Bytes bytes) {
    MR_ASSERT(&frame == &staged_[end_ - 1]);
    if (bytes.empty()) return true;
    const std::span<uint8_t> room = own_.try_reserve(static_cast<uint32_t>(bytes.size()));
    if (room.empty()) {
        drop_newest();
        return false;
    }
    std::memcpy(room.data(), bytes.data(), bytes.size());
    frame.slices[0] = own_.commit(static_cast<uint32_t>(bytes.size()));
    blocks_.hold(*frame.slices[0].block);
    frame.slice_count = 1;
    frame.payload_bytes = static_cast<uint32_t>(bytes.size());
    return true;
}

void FrameSender::finish_checksum(OutFrame& frame, const FlowNode& flow) {
    const uint32_t tcp_bytes = frame.header_bytes - uint32_t{frame.transport_at};
    if (tcp_checksum_by_device_) {
        // Where the device cuts, it adds each segment's length itself.
        const uint32_t counted = frame.segment_bytes > 0 ? 0 : tcp_bytes + frame.payload_bytes;
        frame.tcp_checksum = true;
        put_checksum(frame, pseudo_header_sum(flow.key.local, flow.key.remote, protocol_tcp,
                                              counted).folded());
        return;
    }
    PartialSum sum = pseudo_header_sum(flow.key.local, flow.key.remote, protocol_tcp,
                                       tcp_bytes + frame.payload_bytes);
    const Bytes header = Bytes(frame.header).subspan(frame.transport_at, tcp_bytes);
    sum = sum.then(sum_of(header), 0);
    uint64_t before = tcp_bytes;
    for (uint32_t part = 0; part < frame.slice_count; ++part) {
        const Slice& slice = frame.slices[part];
        sum = sum.then(sums_.sum(slice.bytes()), before);
        before += slice.length;
    }
    put_checksum(frame, sum.checksum());
}

}  // namespace millrace

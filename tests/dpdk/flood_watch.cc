#include "flood_watch.h"

#include <algorithm>

namespace millrace::test {
namespace {

constexpr size_t kept_count_max = 512;
// A frame is old when the client has gone on by that many bytes: whatever is done to its lengths,
// nothing of it is new then.
constexpr uint32_t old_after_bytes = 4'096;
constexpr uint8_t option_end = 0, option_nothing = 1, option_timestamps = 8;

bool is_after(uint32_t a, uint32_t b) {
    return static_cast<int32_t>(a - b) > 0;
}

void advance(uint32_t& next, uint32_t to, bool is_first) {
    if (is_first || is_after(to, next)) next = to;
}

}  // namespace

void FloodWatch::take(Bytes frame) {
    ByteReader in(frame);
    if (in.remaining() < ethernet_bytes + ipv4_bytes + 20) return;
    const Bytes to_mac = in.take(6), from_mac = in.take(6);
    if (in.u16() != 0x0800 || in.u8() != 0x45) return;
    in.u8();
    const size_t total_bytes = in.u16();
    in.u32();
    in.u8();
    if (in.u8() != 6 || total_bytes < ipv4_bytes + 20 ||
        total_bytes > frame.size() - ethernet_bytes) {
        return;
    }
    in.u16();
    const uint32_t from = in.u32(), to = in.u32();
    const Bytes segment = frame.subspan(ethernet_bytes + ipv4_bytes, total_bytes - ipv4_bytes);
    const uint16_t from_port = in.u16(), to_port = in.u16();
    const uint32_t seq = in.u32();
    const size_t header_bytes = size_t{segment[12]} / 16 * 4;
    if (header_bytes < 20 || header_bytes > segment.size()) return;
    const uint8_t flags = segment[13];
    const uint32_t end_seq = seq + static_cast<uint32_t>(segment.size() - header_bytes) +
                             ((flags & (flag::syn | flag::fin)) != 0 ? 1 : 0);
    if (from == client_.address && from_port == client_.port && to == server_.address &&
        to_port == server_.port) {
        std::copy(from_mac.begin(), from_mac.end(), client_.mac.begin());
        std::copy(to_mac.begin(), to_mac.end(), server_.mac.begin());
        take_from_client(frame.first(ethernet_bytes + total_bytes), segment, end_seq);
    } else if (from == server_.address && from_port == server_.port && to == client_.address &&
               to_port == client_.port) {
        advance(server_next_, end_seq, !has_server_);
        has_server_ = true;
    }
}

void FloodWatch::take_from_client(Bytes frame, Bytes segment, uint32_t end_seq) {
    read_timestamps(segment, size_t{segment[12]} / 16 * 4);
    advance(client_next_, end_seq, !has_client_);
    has_client_ = true;
    kept_.push_back({end_seq, {frame.begin(), frame.end()}});
    if (kept_.size() > kept_count_max) kept_.pop_front();
}

void FloodWatch::read_timestamps(Bytes segment, size_t header_bytes) {
    ByteReader in(segment.subspan(20, header_bytes - 20));
    while (in.remaining() >= 2) {
        const uint8_t kind = in.u8();
        if (kind == option_end) return;
        if (kind == option_nothing) continue;
        const size_t bytes = in.u8();
        if (bytes < 2 || in.remaining() < bytes - 2) return;
        const Bytes body = in.take(bytes - 2);
        if (kind != option_timestamps || body.size() != 8) continue;
        ByteReader fields(body);
        has_timestamps_ = true;
        timestamp_value_ = fields.u32();
        timestamp_echo_ = fields.u32();
    }
}

Bytes FloodWatch::old_frame(uint32_t choice) const {
    const auto first_new = std::find_if(kept_.begin(), kept_.end(), [this](const Kept& one) {
        return !is_after(client_next_ - old_after_bytes, one.end_seq);
    });
    const auto count = static_cast<size_t>(first_new - kept_.begin());
    if (count == 0) return {};
    return kept_[choice % count].frame;
}

}  // namespace millrace::test

#include "stack_world.h"

#include <algorithm>
#include <utility>

#include "wire/checksum.h"
#include "wire/fields.h"
#include "wire/headers.h"

namespace millrace::perf {
namespace {

constexpr Instant start = Instant::at_ms(1'000'000);
// As ack_delay: an ACK for every two segments.
constexpr Duration turn_time = Duration::ms(40);
constexpr uint64_t arena_bytes_max = uint64_t{64} << 20;

constexpr MacAddress own_mac{{0x02, 0, 0, 0, 0, 1}};
constexpr MacAddress peer_mac{{0x02, 0, 0, 0, 0, 2}};
constexpr IpAddress own_address = IpAddress::from_ipv4(0x0a000001);
constexpr IpAddress peer_address = IpAddress::from_ipv4(0x0a000002);
constexpr uint16_t own_port = 1883;
constexpr uint16_t first_peer_port = 10'000;
constexpr uint32_t peer_iss = 1'000;

constexpr uint32_t ethernet_bytes = 14;
constexpr uint32_t tcp_at = ethernet_bytes + ipv4_header_bytes;
constexpr uint32_t seq_at = tcp_at + 4;
constexpr uint32_t ack_at = tcp_at + 8;
constexpr uint32_t checksum_at = tcp_at + tcp_checksum_at;
constexpr uint32_t timestamp_value_at = tcp_at + 24;
constexpr uint32_t timestamp_echo_at = tcp_at + 28;
constexpr uint32_t timestamp_value_at_in_syn = tcp_at + 28;  // behind the MSS

std::unique_ptr<Arena> make_arena() {
    auto arena = Arena::create({.bytes_max = arena_bytes_max, .huge_pages = HugePages::off});
    MR_ASSERT(arena.has_value());
    return std::move(*arena);
}

Waker make_waker() {
    auto waker = Waker::create();
    MR_ASSERT(waker.has_value());
    return std::move(*waker);
}

StackOptions stack_options(Instant& now) {
    StackOptions options;
    const auto own = IpPrefix::parse("10.0.0.1/16");
    MR_ASSERT(own.has_value());
    options.interface.addresses = {*own};
    options.idle.mode = IdlePolicy::Mode::never_wait;
    options.clock = {[](void* context) { return *static_cast<Instant*>(context); }, &now};
    options.seed = 1;
    return options;
}

std::vector<uint8_t> make_frame(uint16_t port, const OutSegment& segment, uint32_t payload_bytes) {
    const uint32_t tcp_bytes = tcp_header_bytes(segment) + payload_bytes;
    std::vector<uint8_t> frame(tcp_at + tcp_bytes, 0x5a);
    const std::span<uint8_t> room = frame;
    write_ethernet(room, own_mac, peer_mac, ethertype_ipv4, {});
    write_ip(room.subspan(ethernet_bytes),
             {.source = peer_address, .destination = own_address, .payload_bytes = tcp_bytes});
    write_tcp(room.subspan(tcp_at), {port, own_port}, segment);
    const PartialSum sum =
        pseudo_header_sum(peer_address, own_address, protocol_tcp, tcp_bytes)
            .then(sum_of(room.subspan(tcp_at)), 0);
    wire::store_u16(frame.data() + checksum_at, sum.checksum());
    return frame;
}

// A segment that a peer sends again and again, with other numbers.
class PeerFrame {
public:
    PeerFrame(uint16_t port, uint8_t flags, uint32_t payload_bytes) {
        OutSegment segment;
        segment.flags = flags;
        segment.window = UINT16_MAX;
        segment.options.set_timestamps(0, 0);
        bytes_ = make_frame(port, segment, payload_bytes);
        sum_ = static_cast<uint16_t>(~wire::load_u16(bytes_.data() + checksum_at));
    }

    Bytes with(uint32_t seq, uint32_t ack, uint32_t timestamp, uint32_t timestamp_echo) {
        PartialSum sum{sum_};
        const auto put = [&](uint32_t at, uint32_t value) {
            wire::store_u32(bytes_.data() + at, value);
            sum.value += (value >> 16) + (value & 0xffff);
        };
        put(seq_at, seq);
        put(ack_at, ack);
        put(timestamp_value_at, timestamp);
        put(timestamp_echo_at, timestamp_echo);
        wire::store_u16(bytes_.data() + checksum_at, sum.checksum());
        return bytes_;
    }

private:
    std::vector<uint8_t> bytes_;
    uint16_t sum_;  // of all that stays; the numbers are zero in it
};

struct Peer {
    PeerFrame data;
    PeerFrame acknowledgement;
    uint32_t snd_nxt = peer_iss;
    uint32_t rcv_nxt = 0;
    uint32_t timestamp_recent = 0;
};

}  // namespace

// The peers' side of the wire.
class PeerLink final : public Link {
public:
    PeerLink(BlockPool& blocks, Instant& now) : blocks_(blocks), now_(now) {
        facts_.mac = own_mac;
        facts_.name = "peers";
    }

    std::span<const InFrame> receive() override {
        if (lent_.empty()) lent_.swap(sent_);
        const size_t count = std::min<size_t>(64, lent_.size() - taken_);
        const std::span<const InFrame> burst = std::span(lent_).subspan(taken_, count);
        taken_ += count;
        return burst;
    }
    void release_received() override {
        MR_ASSERT(taken_ == lent_.size());
        lent_.clear();
        taken_ = 0;
    }
    uint32_t transmit(std::span<const OutFrame> frames) override {
        for (const OutFrame& frame : frames) take(frame);
        return static_cast<uint32_t>(frames.size());
    }
    const LinkFacts& facts() const override { return facts_; }
    const LinkCounters& counters() const override { return counters_; }
    uint32_t shard_of(const IpAddress&, uint16_t, const IpAddress&, uint16_t) const override {
        return 0;
    }

    void send_syn(uint16_t port, uint32_t payload_bytes) {
        peers_.push_back({PeerFrame(port, tcp_flag::ack | tcp_flag::psh, payload_bytes),
                          PeerFrame(port, tcp_flag::ack, 0)});
        OutSegment syn;
        syn.seq = {peer_iss};
        syn.flags = tcp_flag::syn;
        syn.window = UINT16_MAX;
        syn.options.mss = 1'460;
        syn.options.has_window_scale = true;
        syn.options.window_scale = 7;
        syn.options.sack_permitted = true;
        syn.options.set_timestamps(clock_ms(), 0);
        syn_ = make_frame(port, syn, 0);
        put(syn_);
        ++peers_.back().snd_nxt;
    }
    void send_data(uint32_t payload_bytes) {
        for (Peer& peer : peers_) {
            put(peer.data.with(peer.snd_nxt, peer.rcv_nxt, clock_ms(), peer.timestamp_recent));
            peer.snd_nxt += payload_bytes;
        }
    }

    uint64_t frame_count() const { return frame_count_; }
    uint64_t payload_bytes() const { return payload_bytes_; }

private:
    uint32_t clock_ms() const { return static_cast<uint32_t>(now_.to_ms()); }
    void put(Bytes bytes) {
        InFrame& frame = sent_.emplace_back();
        frame.bytes = bytes;
    }
    // What carries text or SYN is acknowledged.
    void take(const OutFrame& frame) {
        for (uint32_t part = 0; part < frame.slice_count; ++part) {
            blocks_.release(*frame.slices[part].block);
        }
        ++frame_count_;
        payload_bytes_ += frame.payload_bytes;
        const uint8_t* bytes = frame.header.data();
        if (wire::load_u16(bytes + 12) != ethertype_ipv4) return;  // an announcement, at the start
        const uint32_t port = wire::load_u16(bytes + tcp_at + 2);
        Peer& peer = peers_[port - first_peer_port];
        const bool is_syn = (bytes[tcp_at + 13] & tcp_flag::syn) != 0;
        peer.timestamp_recent =
            wire::load_u32(bytes + (is_syn ? timestamp_value_at_in_syn : timestamp_value_at));
        const uint32_t sequence_bytes = frame.payload_bytes + (is_syn ? 1 : 0);
        if (sequence_bytes == 0) return;
        peer.rcv_nxt = wire::load_u32(bytes + seq_at) + sequence_bytes;
        put(peer.acknowledgement.with(peer.snd_nxt, peer.rcv_nxt, clock_ms(),
                                      peer.timestamp_recent));
    }

    BlockPool& blocks_;
    Instant& now_;
    LinkFacts facts_;
    LinkCounters counters_;
    std::vector<Peer> peers_;        // by port
    std::vector<uint8_t> syn_;
    std::vector<InFrame> sent_;      // for the next turn
    std::vector<InFrame> lent_;      // in this turn; the stack has taken taken_ of them
    size_t taken_ = 0;
    uint64_t frame_count_ = 0;
    uint64_t payload_bytes_ = 0;
};

StackWorld::StackWorld(uint32_t connection_count, uint32_t payload_bytes)
    : arena_(make_arena()),
      heap_(*arena_, ledger_),
      blocks_(heap_, ledger_),
      stream_(blocks_),
      waker_(make_waker()),
      now_(start),
      payload_bytes_(payload_bytes) {
    auto link = std::make_unique<PeerLink>(blocks_, now_);
    link_ = link.get();
    auto net = StackTransport::create(stack_options(now_), std::move(link), *arena_, ledger_, heap_,
                                      blocks_, waker_);
    MR_ASSERT(net.has_value());
    net_ = std::move(*net);
    const auto bound = net_->listen({"10.0.0.1", own_port});
    MR_ASSERT(bound.has_value());
    for (uint32_t number = 0; number < connection_count; ++number) {
        connect(static_cast<uint16_t>(first_peer_port + number));
    }
}

StackWorld::~StackWorld() = default;

void StackWorld::connect(uint16_t port) {
    link_->send_syn(port, payload_bytes_);
    turn(false);
    turn(false);
    MR_ASSERT(connections_.size() == port - first_peer_port + 1u);
}

void StackWorld::receive() {
    link_->send_data(payload_bytes_);
    turn(false);
}

void StackWorld::send() { turn(true); }

// As runtime/shard_loop.h does it.
void StackWorld::turn(bool sends) {
    now_ = now_ + turn_time;
    for (const Event& event : net_->poll(now_)) {
        MR_ASSERT(event.kind != Event::Kind::closed);
        if (event.kind == Event::Kind::accepted) connections_.push_back(event.connection);
        bytes_received_ += event.bytes.size();
    }
    net_->outbox().begin_turn(now_);
    if (sends) {
        const std::span<uint8_t> room = stream_.try_reserve(payload_bytes_);
        MR_ASSERT(room.size() >= payload_bytes_);
        std::fill_n(room.begin(), payload_bytes_, uint8_t{0x5a});
        const Slice message = stream_.commit(payload_bytes_);
        for (Connection* connection : connections_) {
            const bool queued = net_->outbox().send(*connection, message);
            MR_ASSERT(queued);
        }
    }
    stream_.rewind_if_unused();
    net_->flush(now_);
}

uint64_t StackWorld::bytes_sent() const { return link_->payload_bytes(); }
uint64_t StackWorld::frames_sent() const { return link_->frame_count(); }

}  // namespace millrace::perf

// A live TCP connection fed with mutated segments: fields near what is valid, and arbitrary ones.
// The first byte chooses between the engine alone and a stack that listens.
//
// The engine: after each step Tcp::verify() holds; a byte is delivered only when a segment carried
// it that the standard lets in, judged here a second time from the connection's own numbers; only
// the exact reset ends it; at the end no memory is out.
// The stack: whatever comes, its tables stay right, events come in a legal order, and when all is
// closed, nothing is left.
#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "byte_source.h"
#include "fuzz_target.h"
#include "runtime/arena.h"
#include "stack/stack_transport.h"
#include "tcp/tcp.h"
#include "wire/checksum.h"
#include "wire/headers.h"
#include "wire/tcp_header.h"

using namespace millrace;

namespace {

// What the peer really sends at a sequence number, and what a stranger does.
uint8_t true_byte(uint32_t seq) { return static_cast<uint8_t>(seq * 7 + (seq >> 8)); }
uint8_t foreign_byte(uint32_t seq) { return static_cast<uint8_t>(~true_byte(seq)); }

// Numbers that a connection's segments lie near.
struct Near {
    SeqNumber seq;
    SeqNumber ack;
    SeqNumber oldest;       // unacknowledged
    uint32_t window = 0;    // of the receiver
    uint32_t timestamp = 0;
    uint32_t timestamp_echo = 0;
    bool has_timestamps = false;
};

uint32_t draw_u32(ByteSource& source) { return source.below(65'536) << 16 | source.below(65'536); }

SeqNumber draw_near(ByteSource& source, SeqNumber number, uint32_t window) {
    switch (source.below(10)) {
    case 0: return number + 1;
    case 1: return number - 1;
    case 2: return number + source.below(4'000);
    case 3: return number - source.below(4'000);
    case 4: return number + window - source.below(3);
    case 5: return number + window + source.below(3);
    case 6: return {draw_u32(source)};
    default: return number;
    }
}

void draw_options(ByteSource& source, const Near& near, TcpOptions& options) {
    const uint32_t kind = source.below(16);
    options.has_timestamps = near.has_timestamps != (kind == 0);
    options.timestamp_value = near.timestamp;
    options.timestamp_echo = near.timestamp_echo;
    if (kind == 1) options.timestamp_value += source.below(1'000);
    if (kind == 2) options.timestamp_value -= source.below(1'000);
    if (kind == 3) options.timestamp_value = draw_u32(source);
    if (kind == 4) options.timestamp_echo = draw_u32(source);
    if (kind >= 5 && kind <= 8) {
        options.sack_count = static_cast<uint8_t>(1 + source.below(4));
        for (uint32_t index = 0; index < options.sack_count; ++index) {
            const SeqNumber begin = draw_near(source, near.oldest, 4'000);
            options.sack[index] = {begin, begin + source.below(3'000)};
        }
    }
    if (kind == 9) options.mss = static_cast<uint16_t>(source.below(65'536));
    if (kind == 10) {
        options.has_window_scale = true;
        options.window_scale = static_cast<uint8_t>(source.below(15));
    }
    if (kind == 11) options.sack_permitted = true;
}

// The segment's bytes, in `payload`, when its numbers are settled.
void draw_payload(ByteSource& source, Segment& segment, std::vector<uint8_t>& payload) {
    constexpr uint32_t lengths[] = {0, 0, 1, 536, 1'000, 1'460};
    const uint32_t length = source.below(8);
    payload.resize(length < 6 ? lengths[length] : source.below(4'000));
    const bool is_foreign = source.below(4) == 0;
    uint32_t seq = segment.seq.value + (segment.has(tcp_flag::syn) ? 1 : 0);
    for (uint8_t& byte : payload) {
        byte = is_foreign ? foreign_byte(seq) : true_byte(seq);
        ++seq;
    }
    segment.payload = payload;
}

Segment draw_header(ByteSource& source, const Near& near) {
    Segment segment;
    segment.seq = draw_near(source, near.seq, near.window);
    segment.ack = draw_near(source, source.below(2) == 0 ? near.ack : near.oldest, 65'535);
    constexpr uint8_t usual_flags[] = {tcp_flag::ack, tcp_flag::ack | tcp_flag::psh,
                                       tcp_flag::ack | tcp_flag::fin, tcp_flag::rst};
    const uint32_t flags = source.below(8);
    segment.flags = flags < 4   ? usual_flags[flags]
                    : flags < 7 ? tcp_flag::ack
                                : static_cast<uint8_t>(source.below(256));
    constexpr uint16_t windows[] = {65'535, 0, 1, 1'000};
    const uint32_t window = source.below(8);
    segment.window = window < 4 ? windows[window] : static_cast<uint16_t>(source.below(65'536));
    draw_options(source, near, segment.options);
    return segment;
}

struct Memory {
    Memory() {
        auto made = Arena::create({.bytes_max = uint64_t{4} << 20, .huge_pages = HugePages::off});
        MR_ASSERT(made.has_value());
        arena = std::move(*made);
        heap = std::make_unique<Heap>(*arena, ledger);
        blocks = std::make_unique<BlockPool>(*heap, ledger);
    }

    void check_all_is_back() const {
        for (const LedgerLine& line : ledger.lines()) MR_ASSERT(line.objects.read() == 0);
    }

    std::unique_ptr<Arena> arena;
    Ledger ledger;
    std::unique_ptr<Heap> heap;
    std::unique_ptr<BlockPool> blocks;
};

// Queues zeros: what we send isn't the question here.
void queue_output(Memory& memory, Connection& connection, uint32_t bytes) {
    Block* block = memory.blocks->try_take(bytes);
    if (block == nullptr) return;
    std::fill_n(block->bytes(), bytes, uint8_t{0});
    block->used_bytes = bytes;
    connection.out.push(*memory.heap, *memory.blocks, {.block = block, .length = bytes});
    memory.blocks->release(*block);
}

TcpSettings draw_settings(ByteSource& source) {
    TcpSettings settings;
    constexpr uint32_t windows[] = {256 * 1024, 65'535, 2'000, 20'000};
    settings.receive_window_bytes = windows[source.below(4)];
    if (source.below(2) == 0) settings.congestion = CongestionAlgorithm::reno;
    if (source.below(4) == 0) settings.keepalive_idle = Duration::s(5);
    return settings;
}

// --- The engine alone. ---

class EngineFuzz {
public:
    explicit EngineFuzz(ByteSource& source)
        : source_(source),
          wheel_(now_),
          tcp_(draw_settings(source), *memory_.heap, *memory_.blocks, wheel_, counters_) {
        const SeqNumber iss{draw_u32(source)};
        irs_ = {draw_u32(source)};
        delivered_ = irs_ + 1;
        if (source.below(4) == 0) {
            tcp_.open(connection_, iss, 1'460, 99, now_);
        } else {
            Handshake handshake{.iss = iss, .irs = irs_, .peer_mss = 1'460};
            handshake.has_timestamps = source.below(2) == 0;
            handshake.has_sack = source.below(2) == 0;
            handshake.has_window_scale = source.below(2) == 0;
            handshake.send_scale = handshake.has_window_scale ? 3 : 0;
            tcp_.accept(connection_, handshake, 20'000, 1'460, now_);
        }
        depart();
    }

    void run() {
        while (!source_.empty() && connection_.state() != TcpState::closed) step();
        tcp_.release(connection_);
        MR_ASSERT(wheel_.started_count() == 0);
        memory_.check_all_is_back();
    }

private:
    static constexpr uint8_t may_be_true = 1;
    static constexpr uint8_t may_be_foreign = 2;

    void step() {
        const uint32_t action = source_.below(16);
        if (action < 10) arrive();
        else if (action == 10) queue_output(memory_, connection_, 1 + source_.below(5'000));
        else if (action == 11) pass_time(Duration::ms(source_.below(1'000)));
        else if (action == 12) pass_time(Duration::ms(draw_u32(source_) % 100'000));
        else if (action == 13) set_paused(!connection_.receive_paused);
        else if (action == 14 && source_.below(4) == 0) tcp_.close(connection_, now_);
        else if (action == 15) {
            tcp_.on_path_mtu(connection_, draw_near(source_, connection_.snd_una, 1'000),
                             source_.below(65'536), now_);
        }
        tcp_.on_output(connection_, now_);
        depart();
    }

    Near near() const {
        Near near;
        near.seq = connection_.state() == TcpState::syn_sent ? irs_ : connection_.rcv_nxt;
        near.ack = connection_.snd_nxt;
        near.oldest = connection_.snd_una;
        near.window = connection_.rcv_edge - connection_.rcv_nxt;
        near.timestamp = connection_.ts_recent;
        near.timestamp_echo =
            static_cast<uint32_t>(now_.to_ms()) + connection_.ts_offset;
        near.has_timestamps = connection_.has_timestamps;
        return near;
    }

    void arrive() {
        Segment segment = draw_header(source_, near());
        // A handshake gets a chance.
        if (!connection_.is_synchronized() && source_.below(2) == 0) {
            segment.seq = irs_;
            segment.flags |= tcp_flag::syn;
            segment.flags &= static_cast<uint8_t>(~(tcp_flag::rst | tcp_flag::fin));
        }
        std::vector<uint8_t> payload;
        draw_payload(source_, segment, payload);
        note_admitted(segment);
        const TcpState before = connection_.state();
        const SeqNumber expected = connection_.rcv_nxt;
        const TcpOutcome outcome = tcp_.arrive(connection_, segment, now_);
        if (before == TcpState::syn_sent && connection_.state() != TcpState::syn_sent) {
            delivered_ = segment.seq + 1;
        }
        if (outcome.ended == CloseReason::peer_reset) {
            MR_ASSERT(segment.has(tcp_flag::rst) && segment.seq == expected);
        }
        if (outcome.answer_reset) {
            OutSegment reset;
            MR_ASSERT(Tcp::reset_for(segment, reset));
        }
        settle(outcome);
    }

    // RFC 9293 3.10.7.4, RFC 5961 5.2 and RFC 7323 5.3, from the numbers alone. The handshake's
    // last ACK may bring data too.
    bool is_admitted(const Segment& segment) const {
        const TcpState state = connection_.state();
        if (state == TcpState::syn_sent) return false;
        if (segment.has(tcp_flag::rst) || !segment.has(tcp_flag::ack)) return false;
        const bool is_handshake = state == TcpState::syn_received;
        if (segment.has(tcp_flag::syn) && !is_handshake) return false;
        if (segment.ack > connection_.snd_nxt) return false;
        if (segment.ack < connection_.snd_una - connection_.snd_wnd_max) return false;
        if (!connection_.has_timestamps) return true;
        if (!segment.options.has_timestamps) return false;
        const bool is_old = static_cast<int32_t>(segment.options.timestamp_value -
                                                 connection_.ts_recent) < 0;
        constexpr uint32_t day_ms = 24 * 3'600 * 1'000;
        const uint32_t silent_ms =
            static_cast<uint32_t>(now_.to_ms()) - connection_.last_received_ms;
        return !is_old || silent_ms > 24u * day_ms;
    }

    void note_admitted(const Segment& segment) {
        if (!is_admitted(segment)) return;
        SeqNumber seq = segment.seq + (segment.has(tcp_flag::syn) ? 1 : 0);
        for (const uint8_t byte : segment.payload) {
            const bool in_window = connection_.rcv_nxt <= seq && seq < connection_.rcv_edge;
            if (in_window) admitted_[seq.value] |= kind_of(byte, seq);
            seq += 1;
        }
    }

    void settle(const TcpOutcome& outcome) {
        deliver(outcome.in_order);
        if (outcome.ready_chunks) take_ready();
        MR_ASSERT(outcome.time_wait == (connection_.state() == TcpState::time_wait));
        // As a stack does.
        if (outcome.time_wait) tcp_.release(connection_);
    }

    void deliver(Bytes bytes) {
        for (const uint8_t byte : bytes) {
            const auto found = admitted_.find(delivered_.value);
            MR_ASSERT(found != admitted_.end());
            MR_ASSERT((found->second & kind_of(byte, delivered_)) != 0);
            delivered_ += 1;
        }
        MR_ASSERT(!connection_.is_synchronized() || delivered_ <= connection_.rcv_nxt);
    }

    static uint8_t kind_of(uint8_t byte, SeqNumber seq) {
        if (byte == true_byte(seq.value)) return may_be_true;
        MR_ASSERT(byte == foreign_byte(seq.value));
        return may_be_foreign;
    }

    void take_ready() {
        while (ReassemblyChunk* chunk = tcp_.take_ready(connection_)) {
            deliver({chunk->bytes(), chunk->length});
            Reassembly::free_chunk(*memory_.heap, chunk);
        }
    }

    void set_paused(bool paused) {
        connection_.receive_paused = paused;
        tcp_.set_paused(connection_, paused, now_);
        if (!paused) take_ready();
    }

    void pass_time(Duration span) {
        now_ = now_ + span;
        wheel_.advance(now_, [&](TimerEntry& entry) {
            settle(tcp_.on_timer(TcpConnection::of_timer(entry), now_));
        });
    }

    void depart() {
        OutSegment out;
        for (uint32_t count = 0; tcp_.depart(connection_, out, now_); ++count) {
            MR_ASSERT(count < 10'000);
            MR_ASSERT(out.payload_bytes <= connection_.mss);
            MR_ASSERT(out.ring_offset + out.payload_bytes <= connection_.out.bytes_queued());
        }
        tcp_.verify(connection_);
    }

    ByteSource& source_;
    Memory memory_;
    Instant now_ = Instant::at_ms(1'000);
    TimerWheel wheel_;
    TcpCounters counters_;
    Tcp tcp_;
    TcpConnection connection_{};
    SeqNumber irs_;
    SeqNumber delivered_;                       // the next byte's number
    std::map<uint32_t, uint8_t> admitted_;      // by sequence number: which bytes may stand there
};

// --- A stack that listens. ---

constexpr uint16_t listen_port = 1883;

// Hands over what it's told to, and remembers what was said to each of the peer's ports.
class FuzzLink final : public Link {
public:
    explicit FuzzLink(BlockPool& blocks) : blocks_(blocks) {
        facts_.mac = {{2, 0, 0, 0, 0, 1}};
    }

    std::span<const InFrame> receive() override {
        views_.clear();
        for (const auto& frame : incoming_) {
            InFrame& view = views_.emplace_back();
            view.bytes = frame;
        }
        lent_ = std::move(incoming_);
        incoming_.clear();
        return views_;
    }
    void release_received() override { lent_.clear(); }
    uint32_t transmit(std::span<const OutFrame> frames) override {
        for (const OutFrame& frame : frames) {
            note(frame);
            for (uint32_t part = 0; part < frame.slice_count; ++part) {
                blocks_.release(*frame.slices[part].block);
            }
        }
        return static_cast<uint32_t>(frames.size());
    }
    const LinkFacts& facts() const override { return facts_; }
    const LinkCounters& counters() const override { return counters_; }
    uint32_t shard_of(const IpAddress&, uint16_t, const IpAddress&, uint16_t) const override {
        return 0;
    }

    void push(std::vector<uint8_t> frame) { incoming_.push_back(std::move(frame)); }
    const Near& near(uint16_t port) { return near_[port]; }

private:
    void note(const OutFrame& frame) {
        std::vector<uint8_t> whole(frame.header.begin(),
                                   frame.header.begin() + frame.header_bytes);
        for (uint32_t part = 0; part < frame.slice_count; ++part) {
            const Bytes bytes = frame.slices[part].bytes();
            whole.insert(whole.end(), bytes.begin(), bytes.end());
        }
        const ParsedFrame parsed = parse_frame(whole, {});
        MR_ASSERT(parsed.kind != FrameKind::dropped);
        if (parsed.kind != FrameKind::tcp) return;
        TcpPorts ports;
        Segment segment;
        MR_ASSERT(tcp_checksum_is_good(parsed.body, parsed.source, parsed.destination));
        MR_ASSERT(parse_tcp(parsed.body, ports, segment));
        MR_ASSERT(ports.source == listen_port);
        if (segment.has(tcp_flag::rst)) return;
        Near& near = near_[ports.destination];
        near.seq = segment.ack;
        near.oldest = segment.seq;
        near.ack = segment.seq + segment.sequence_bytes();
        near.window = segment.window;
        near.has_timestamps = segment.options.has_timestamps;
        near.timestamp = segment.options.timestamp_echo;
        near.timestamp_echo = segment.options.timestamp_value;
    }

    BlockPool& blocks_;
    LinkFacts facts_;
    LinkCounters counters_;
    std::vector<std::vector<uint8_t>> incoming_;
    std::vector<std::vector<uint8_t>> lent_;
    std::vector<InFrame> views_;
    std::map<uint16_t, Near> near_;
};

class StackFuzz {
public:
    explicit StackFuzz(ByteSource& source) : source_(source), waker_(make_waker()) {
        auto link = std::make_unique<FuzzLink>(*memory_.blocks);
        link_ = link.get();
        StackOptions options;
        options.interface.addresses = {*IpPrefix::parse("10.0.0.1/24")};
        options.tcp = draw_settings(source);
        options.time_wait = Duration::s(1);
        options.idle.mode = IdlePolicy::Mode::never_wait;
        options.clock.context = this;
        options.clock.read = [](void* self) { return static_cast<StackFuzz*>(self)->now_; };
        options.close_on_peer_fin = source.below(2) == 0;
        if (source.below(4) == 0) options.half_open = {.count_max = 2, .cookies_from = 0};
        if (source.below(4) == 0) options.time_wait_count_max = 1;
        auto net = StackTransport::create(options, std::move(link), *memory_.arena, memory_.ledger,
                                          *memory_.heap, *memory_.blocks, waker_);
        MR_ASSERT(net.has_value());
        net_ = std::move(*net);
        MR_ASSERT(net_->listen({"10.0.0.1", listen_port}).has_value());
    }

    void run() {
        while (!source_.empty()) {
            for (uint32_t frames = 1 + source_.below(4); frames > 0; --frames) push_frame();
            if (source_.below(4) == 0) now_ = now_ + Duration::ms(source_.below(3'000));
            turn();
        }
        end();
    }

private:
    struct Mark {
        uint64_t received = 0;
    };

    static Waker make_waker() {
        auto waker = Waker::create();
        MR_ASSERT(waker.has_value());
        return std::move(*waker);
    }

    void push_frame() {
        const auto port = static_cast<uint16_t>(1'000 + source_.below(3));
        Segment segment = draw_header(source_, link_->near(port));
        if (source_.below(6) == 0) segment.flags = tcp_flag::syn;
        std::vector<uint8_t> payload;
        draw_payload(source_, segment, payload);
        link_->push(frame_of(port, segment));
        if (source_.below(8) == 0) link_->push(frame_of(port, segment));
    }

    std::vector<uint8_t> frame_of(uint16_t port, const Segment& segment) {
        OutSegment out{.seq = segment.seq, .ack = segment.ack, .window = segment.window,
                       .flags = segment.flags, .options = segment.options};
        // What doesn't fit beside the rest isn't on the wire.
        out.options.sack_count = std::min<uint8_t>(out.options.sack_count, 2);
        const IpAddress peer = *IpAddress::parse("10.0.0.2");
        const IpAddress own = *IpAddress::parse("10.0.0.1");
        std::vector<uint8_t> frame(128);
        const std::span<uint8_t> room(frame);
        uint32_t at = write_ethernet(room, {{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}},
                                     ethertype_ipv4, {});
        const uint32_t transport_bytes =
            tcp_header_bytes(out) + static_cast<uint32_t>(segment.payload.size());
        at += write_ip(room.subspan(at),
                       {.source = peer, .destination = own, .payload_bytes = transport_bytes});
        const uint32_t transport_at = at;
        at += write_tcp(room.subspan(at), {port, listen_port}, out);
        frame.resize(at);
        frame.insert(frame.end(), segment.payload.begin(), segment.payload.end());
        const PartialSum sum = pseudo_header_sum(peer, own, protocol_tcp, transport_bytes)
                                   .then(sum_of(Bytes(frame).subspan(transport_at)), 0);
        const uint16_t checksum = sum.checksum();
        frame[transport_at + tcp_checksum_at] = static_cast<uint8_t>(checksum >> 8);
        frame[transport_at + tcp_checksum_at + 1] = static_cast<uint8_t>(checksum);
        return frame;
    }

    void turn() {
        for (const Event& event : net_->poll(now_)) handle(event);
        act();
        net_->flush(now_);
        net_->verify();
    }

    void handle(const Event& event) {
        switch (event.kind) {
        case Event::Kind::accepted:
            new (event.connection->user) Mark;
            open_.push_back(event.connection);
            return;
        case Event::Kind::received:
            MR_ASSERT(is_open(event.connection) && !event.bytes.empty());
            event.connection->as<Mark>().received += event.bytes.size();
            return;
        case Event::Kind::drained:
            MR_ASSERT(is_open(event.connection));
            return;
        case Event::Kind::closed:
            MR_ASSERT(is_open(event.connection));
            std::erase(open_, event.connection);
            return;
        case Event::Kind::connected:
            MR_UNREACHABLE();  // nobody connects
        }
    }

    bool is_open(const Connection* connection) const {
        return std::find(open_.begin(), open_.end(), connection) != open_.end();
    }

    void act() {
        if (open_.empty() || source_.below(4) != 0) return;
        Connection& connection = *open_[source_.below(static_cast<uint32_t>(open_.size()))];
        switch (source_.below(8)) {
        case 0: return net_->outbox().close_when_sent(connection, CloseReason::local);
        case 1: return net_->outbox().close_now(connection, CloseReason::local);
        case 2:
        case 3:
            return net_->outbox().set_receive_paused(connection, !connection.receive_paused);
        default: break;
        }
        if (connection.close_when_sent || connection.close_now) return;
        queue_output(memory_, connection, 1 + source_.below(5'000));
        net_->outbox().mark(connection);
    }

    // All are closed; from then on the peer is silent.
    void end() {
        for (Connection* connection : open_) {
            net_->outbox().close_now(*connection, CloseReason::local);
        }
        net_->flush(now_);
        for (uint32_t turns = 0; net_->next_deadline() != Instant::never(); ++turns) {
            MR_ASSERT(turns < 10'000);
            now_ = std::max(now_, net_->next_deadline());
            for (const Event& event : net_->poll(now_)) handle(event);
            for (Connection* connection : open_) {  // let in while the end had begun
                net_->outbox().close_now(*connection, CloseReason::local);
            }
            net_->flush(now_);
            net_->verify();
        }
        MR_ASSERT(open_.empty());
        MR_ASSERT(net_->tcp_connection_count() == 0);
        MR_ASSERT(net_->half_open_count() == 0);
        MR_ASSERT(net_->time_wait_count() == 0);
        net_.reset();
        memory_.check_all_is_back();
    }

    ByteSource& source_;
    Memory memory_;
    Instant now_ = Instant::at_ms(1'000);
    Waker waker_;
    FuzzLink* link_ = nullptr;
    std::unique_ptr<StackTransport> net_;
    std::vector<Connection*> open_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ByteSource source(Bytes(data, size));
    if (source.below(2) == 0) EngineFuzz(source).run();
    else StackFuzz(source).run();
    return 0;
}

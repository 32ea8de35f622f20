#include "tcp_script.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <utility>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "runtime/shard_memory.h"
#include "tcp/time_wait.h"
#include "tcp_script_text.h"

namespace millrace::test {

namespace {

using Kind = ScriptLine::Kind;

constexpr std::pair<std::string_view, TcpState> state_names[] = {
    {"closed", TcpState::closed},           {"syn_sent", TcpState::syn_sent},
    {"syn_received", TcpState::syn_received}, {"established", TcpState::established},
    {"fin_wait_1", TcpState::fin_wait_1},   {"fin_wait_2", TcpState::fin_wait_2},
    {"close_wait", TcpState::close_wait},   {"closing", TcpState::closing},
    {"last_ack", TcpState::last_ack},       {"time_wait", TcpState::time_wait},
};

constexpr std::pair<std::string_view, CloseReason> reason_names[] = {
    {"none", CloseReason::none},
    {"peer_closed", CloseReason::peer_closed},
    {"peer_reset", CloseReason::peer_reset},
    {"local", CloseReason::local},
    {"connect_failed", CloseReason::connect_failed},
    {"handshake_timeout", CloseReason::handshake_timeout},
    {"slow_receiver", CloseReason::slow_receiver},
    {"exhausted", CloseReason::exhausted},
    {"shutdown", CloseReason::shutdown},
};

constexpr std::pair<std::string_view, Counter TcpCounters::*> counter_names[] = {
    {"out_of_order", &TcpCounters::out_of_order},
    {"duplicates", &TcpCounters::duplicates},
    {"dropped_paws", &TcpCounters::dropped_paws},
    {"dropped_outside_window", &TcpCounters::dropped_outside_window},
    {"dropped_bad_ack", &TcpCounters::dropped_bad_ack},
    {"dropped_no_ack", &TcpCounters::dropped_no_ack},
    {"dropped_no_memory", &TcpCounters::dropped_no_memory},
    {"dropped_reset_bad_sequence", &TcpCounters::dropped_reset_bad_sequence},
    {"dropped_syn_in_window", &TcpCounters::dropped_syn_in_window},
    {"dropped_state", &TcpCounters::dropped_state},
    {"resets_received", &TcpCounters::resets_received},
    {"challenge_acks", &TcpCounters::challenge_acks},
    {"challenge_acks_suppressed", &TcpCounters::challenge_acks_suppressed},
    {"retransmissions", &TcpCounters::retransmissions},
    {"timeouts", &TcpCounters::timeouts},
    {"fast_recoveries", &TcpCounters::fast_recoveries},
    {"probes", &TcpCounters::probes},
    {"tail_probes", &TcpCounters::tail_probes},
    {"keepalives", &TcpCounters::keepalives},
    {"keepalive_failures", &TcpCounters::keepalive_failures},
    {"send_timeouts", &TcpCounters::send_timeouts},
    {"mtu_reductions", &TcpCounters::mtu_reductions},
    {"black_holes", &TcpCounters::black_holes},
};

template <class Names, class Value>
std::string_view name_of(const Names& names, Value value) {
    for (const auto& [name, named] : names) {
        if (named == value) return name;
    }
    return "?";
}

template <class Names>
auto value_of(const Names& names, std::string_view wanted) {
    for (const auto& [name, value] : names) {
        if (name == wanted) return value;
    }
    throw ScriptFault(fmt::format("there is no '{}'", wanted));
}

// Byte `index` of the stream that we send (direction 0) or the peer sends (1).
uint8_t pattern(uint32_t direction, int64_t index) {
    const uint64_t mixed = (static_cast<uint64_t>(index) + 1 + direction * 0x1000003) *
                           0x9e3779b97f4a7c15u;
    return static_cast<uint8_t>(mixed >> 40);
}

// Where a run's numbers begin.
struct Beginning {
    std::string_view name;
    uint32_t own_sequence;
    uint32_t peer_sequence;
    uint32_t clock_offset;   // of our timestamps
    int64_t start_ms;
};

constexpr Beginning beginnings[] = {
    {"plain numbers", 100'000, 200'000, 77, 5'000},
    {"numbers wrap after the first bytes", 0xffffff00u, 0xffffffa0u, 0xfffffc00u, 1},
    {"numbers wrap at once", 0xffffffffu, 0xffffffffu, 0, 0xfffff000},
    {"numbers change their sign", 0x7ffffb00u, 0x7fffff80u, 0x7ffffff0u, 0x7fffff00},
};

class ScriptRun {
public:
    ScriptRun(const TcpSettings& settings, const Beginning& beginning)
        : beginning_(beginning),
          memory_(uint64_t{16} << 20),
          blocks_(memory_.heap, memory_.ledger),
          start_(Instant::at_ms(beginning.start_ms)),
          now_(start_),
          wheel_(now_),
          tcp_(settings, memory_.heap, blocks_, wheel_, counters_) {
        sent_numbering_.own_first = {beginning.own_sequence};
        sent_numbering_.other_first = {beginning.peer_sequence};
        sent_numbering_.own_clock =
            static_cast<uint32_t>(start_.to_ms()) + beginning.clock_offset;
    }
    ~ScriptRun() {
        relieve();
        tcp_.release(connection_);
    }

    void run(const std::vector<ScriptLine>& lines) {
        for (const ScriptLine& line : lines) {
            try {
                perform(line);
            } catch (const ScriptFault& fault) {
                FAIL(fmt::format("with {}, line {}: {}\n    {}\nwhat happened:\n{}",
                                 beginning_.name, line.number, line.text, fault.what(),
                                 transcript_));
            }
        }
        if (!sent_.empty()) FAIL(fmt::format("left over: {}\n{}", text_of_next(), transcript_));
        check_memory();
    }

private:
    struct Sent {
        int64_t at_ms;
        OutSegment segment;
    };
    struct Taken {
        void* memory;
        uint32_t bytes;
    };

    int64_t elapsed_ms() const { return now_.to_ms() - start_.to_ms(); }
    void note(std::string_view text) {
        transcript_ += fmt::format("    {:>7} {}\n", elapsed_ms(), text);
    }
    std::string text_of_next() const {
        return fmt::format("{} > {}", sent_.front().at_ms,
                           segment_as_text(sent_.front().segment, sent_numbering_));
    }
    void expect_quiet() const {
        if (!sent_.empty()) throw ScriptFault("unexpected: " + text_of_next());
    }

    void perform(const ScriptLine& line) {
        if (line.at_ms) line_ms_ = *line.at_ms + (line.is_relative ? line_ms_ : 0);
        switch (line.kind) {
        case Kind::arrives:
            go_to(line_ms_);
            expect_quiet();
            for (uint32_t count = 0; count < line.segment.repeat; ++count) arrive(line.segment);
            return;
        case Kind::leaves:
            for (uint32_t count = 0; count < line.segment.repeat; ++count) leave(line.segment);
            return;
        case Kind::state:
            if (line.at_ms) go_to(line_ms_);
            check(line.words);
            return;
        case Kind::action:
            go_to(line_ms_);
            expect_quiet();
            act(line.words);
            return;
        }
    }

    // Lets time pass up to `to_ms`, or up to the moment when something leaves.
    void go_to(int64_t to_ms) {
        const Instant goal = start_ + Duration::ms(to_ms);
        if (now_ < goal) expect_quiet();
        while (now_ < goal && sent_.empty()) {
            now_ = std::min(goal, std::max(now_ + Duration::ms(1), wheel_.next_deadline()));
            wheel_.advance(now_, [&](TimerEntry& entry) {
                TcpConnection& connection = TcpConnection::of_timer(entry);
                settle(tcp_.on_timer(connection, now_), {});
            });
        }
        if (now_ < goal) throw ScriptFault("unexpected: " + text_of_next());
    }

    // --- What arrives. ---

    void arrive(const SegmentText& text) {
        const SegmentText::Range range = text.range.value_or(SegmentText::Range{});
        const int64_t step =
            text.cut_bytes == 0 ? std::max<int64_t>(range.end - range.begin, 1) : text.cut_bytes;
        int64_t begin = range.begin;
        do {
            arrive_one(text, {begin, std::min(begin + step, range.end)});
            begin += step;
        } while (begin < range.end);
    }

    void arrive_one(const SegmentText& text, SegmentText::Range range) {
        std::vector<uint8_t> payload;
        for (int64_t index = range.begin; index < range.end; ++index) {
            payload.push_back(pattern(1, index - 1));
        }
        // Exactly as long as the payload, so that a sanitizer sees a read past the end.
        const auto exact = std::make_unique<uint8_t[]>(payload.size());
        std::copy(payload.begin(), payload.end(), exact.get());
        Segment segment;
        segment.seq = peer_number(range.begin);
        segment.flags = text.flags;
        segment.ack = own_number(text.ack.value_or(0));
        segment.window = static_cast<uint16_t>(text.window.value_or(last_window_));
        segment.options = options_of(text);
        segment.payload = {exact.get(), payload.size()};
        last_window_ = segment.window;
        note(fmt::format("< {}:{}, flags {:#x}", range.begin, range.end, text.flags));
        if (is_waiting_) return arrive_time_wait(segment);
        const TcpOutcome outcome = tcp_.arrive(connection_, segment, now_);
        if (outcome.answer_reset) send_reset_for(segment);
        settle(outcome, segment.payload);
    }

    // As a stack does: the engine is done, what stands for the connection answers.
    void arrive_time_wait(const Segment& segment) {
        switch (TimeWaitTable::judge(time_wait_, segment)) {
        case TimeWaitTable::Verdict::drop: return;
        case TimeWaitTable::Verdict::acknowledge: return send_last_ack();
        case TimeWaitTable::Verdict::reopen: note("the 4-tuple is free"); return;
        }
    }

    void send_last_ack() {
        const OutSegment ack = TimeWaitTable::acknowledgement(time_wait_, now_);
        note("> " + segment_as_text(ack, sent_numbering_));
        sent_.push_back({elapsed_ms(), ack});
    }

    void enter_time_wait() {
        time_wait_.snd_nxt = connection_.snd_nxt;
        time_wait_.rcv_nxt = connection_.rcv_nxt;
        time_wait_.timestamp_recent = connection_.ts_recent;
        time_wait_.timestamp_offset = connection_.ts_offset;
        time_wait_.has_timestamps = connection_.has_timestamps;
        is_waiting_ = true;
        send_last_ack();
        tcp_.release(connection_);
    }

    void send_reset_for(const Segment& segment) {
        OutSegment reset;
        if (!Tcp::reset_for(segment, reset)) throw ScriptFault("a reset is answered by a reset");
        note("> " + segment_as_text(reset, sent_numbering_));
        sent_.push_back({elapsed_ms(), reset});
    }

    SeqNumber own_number(int64_t relative) const {
        return sent_numbering_.own_first + static_cast<uint32_t>(relative);
    }
    SeqNumber peer_number(int64_t relative) const {
        return sent_numbering_.other_first + static_cast<uint32_t>(relative);
    }

    TcpOptions options_of(const SegmentText& text) const {
        TcpOptions options;
        options.mss = text.mss;
        options.has_window_scale = text.window_scale.has_value();
        options.window_scale = text.window_scale.value_or(0);
        options.sack_permitted = text.sack_permitted;
        options.has_timestamps = text.timestamps.has_value();
        if (text.timestamps) {
            options.timestamp_value = static_cast<uint32_t>(text.timestamps->value);
            options.timestamp_echo =
                static_cast<uint32_t>(text.timestamps->echo) + sent_numbering_.own_clock;
        }
        for (const SegmentText::Range& range : text.sack) {
            options.sack[options.sack_count++] = {own_number(range.begin), own_number(range.end)};
        }
        return options;
    }

    // --- What comes of it. ---

    void settle(const TcpOutcome& outcome, Bytes payload) {
        if (!outcome.in_order.empty()) {
            if (outcome.in_order.data() < payload.data() ||
                outcome.in_order.data() + outcome.in_order.size() >
                    payload.data() + payload.size()) {
                throw ScriptFault("bytes were delivered that aren't the segment's");
            }
            deliver(outcome.in_order);
        }
        if (outcome.ready_chunks) take_ready();
        if (outcome.connected) is_connected_ = true, note("connected");
        if (outcome.peer_finished) is_finished_ = true, note("the peer has finished");
        if (outcome.time_wait != (connection_.state() == TcpState::time_wait)) {
            throw ScriptFault("the outcome and the state differ about TIME-WAIT");
        }
        if (outcome.time_wait) enter_time_wait();
        if (outcome.ended != CloseReason::none) {
            ended_ = outcome.ended;
            note(fmt::format("ended: {}", name_of(reason_names, ended_)));
        }
        pump(outcome.output);
    }

    void deliver(Bytes bytes) {
        for (const uint8_t byte : bytes) {
            if (byte != pattern(1, received_++)) {
                throw ScriptFault(fmt::format("byte {} isn't what the peer sent", received_));
            }
        }
        note(fmt::format("delivered {} bytes", bytes.size()));
    }

    void take_ready() {
        while (ReassemblyChunk* chunk = tcp_.take_ready(connection_)) {
            deliver({chunk->bytes(), chunk->length});
            Reassembly::free_chunk(memory_.heap, chunk);
        }
    }

    // Takes everything that is to leave. `is_announced`: the engine has said that there's some.
    void pump(bool is_announced) {
        OutSegment out;
        while (tcp_.depart(connection_, out, now_, burst_bytes_)) {
            sent_.push_back({elapsed_ms(), out});
            note("> " + segment_as_text(out, sent_numbering_));
            if (!is_announced) throw ScriptFault("output that the engine didn't announce");
            check_sent(out);
            out = {};
        }
        tcp_.verify(connection_);
    }

    // The payload is the part of our stream that its sequence number says.
    void check_sent(const OutSegment& out) const {
        if (out.payload_bytes == 0) return;
        if (out.ring_offset + out.payload_bytes > connection_.out.bytes_queued()) {
            throw ScriptFault("a payload lies beyond the send ring");
        }
        int64_t index = static_cast<int32_t>(out.seq - sent_numbering_.own_first) - 1;
        uint32_t skip = out.ring_offset;
        uint32_t left = out.payload_bytes;
        for (uint32_t slot = 0; left > 0; ++slot) {
            const Slice& slice = connection_.out.at(slot);
            for (uint32_t at = skip; at < slice.length && left > 0; ++at, --left) {
                if (slice.data()[at] != pattern(0, index++)) {
                    throw ScriptFault(fmt::format("byte {} was sent wrong", index));
                }
            }
            skip -= std::min(skip, slice.length);
        }
    }

    // --- What leaves. ---

    void leave(const SegmentText& text) {
        if (!text.range || text.cut_bytes == 0) return leave_one(text, text.range);
        for (int64_t begin = text.range->begin; begin < text.range->end; begin += text.cut_bytes) {
            const int64_t end = std::min(begin + text.cut_bytes, text.range->end);
            leave_one(text, SegmentText::Range{begin, end});
        }
    }

    void leave_one(const SegmentText& text, const std::optional<SegmentText::Range>& range) {
        if (sent_.empty()) go_to(line_ms_);
        if (sent_.empty()) go_to_if_quiet(line_ms_ + 1);
        if (sent_.empty()) throw ScriptFault("nothing left");
        const Sent sent = sent_.front();
        if (sent.at_ms < line_ms_ || sent.at_ms > line_ms_ + 1) {
            throw ScriptFault("at another time: " + text_of_next());
        }
        const std::string difference = differs(text, range, sent.segment);
        if (!difference.empty()) {
            throw ScriptFault(fmt::format("{} differ(s): {}", difference, text_of_next()));
        }
        sent_.pop_front();
    }

    // A timer may be late by a tick.
    void go_to_if_quiet(int64_t to_ms) {
        const Instant goal = start_ + Duration::ms(to_ms);
        if (now_ < goal) go_to(to_ms);
    }

    std::string differs(const SegmentText& text, const std::optional<SegmentText::Range>& range,
                        const OutSegment& sent) const {
        const uint8_t ignored = text.flags & tcp_flag::psh ? 0 : tcp_flag::psh;
        if ((sent.flags & ~ignored) != text.flags) return "flags";
        if (range && sent.seq != own_number(range->begin)) return "sequence number";
        if (range && sent.payload_bytes != range->end - range->begin) return "payload length";
        const bool has_ack = sent.has(tcp_flag::ack);
        if (text.ack && (!has_ack || sent.ack != peer_number(*text.ack))) return "ack";
        if (text.window && sent.window != *text.window) return "window";
        return options_differ(text, sent.options);
    }

    std::string options_differ(const SegmentText& text, const TcpOptions& sent) const {
        if (sent.sack_count != text.sack.size()) return "SACK blocks";
        for (uint32_t index = 0; index < sent.sack_count; ++index) {
            const SegmentText::Range& range = text.sack[index];
            if (sent.sack[index].begin != peer_number(range.begin) ||
                sent.sack[index].end != peer_number(range.end)) {
                return "a SACK block";
            }
        }
        if (text.timestamps) {
            const SegmentText::Timestamps& wanted = *text.timestamps;
            const uint32_t own =
                static_cast<uint32_t>(wanted.value) + sent_numbering_.own_clock;
            if (!sent.has_timestamps) return "timestamps";
            if (sent.timestamp_value != own) return "timestamp";
            if (sent.timestamp_echo != static_cast<uint32_t>(wanted.echo)) return "timestamp echo";
        }
        if (!text.has_options) return {};
        if (sent.mss != text.mss) return "mss";
        if (sent.has_window_scale != text.window_scale.has_value()) return "window scale";
        if (text.window_scale && sent.window_scale != *text.window_scale) return "window scale";
        if (sent.sack_permitted != text.sack_permitted) return "sackOK";
        return {};
    }

    // --- What the layer above does. ---

    void act(const std::vector<std::string>& words) {
        note("! " + words[0]);
        const std::string& verb = words[0];
        const auto number = [&](size_t index) { return parse_number(words.at(index)); };
        if (verb == "open") return open(words.size() > 2 ? number(2) : 1460);
        if (verb == "accept") return accept(words);
        if (verb == "write") return write(static_cast<uint32_t>(number(1)));
        if (verb == "close") tcp_.close(connection_, now_);
        else if (verb == "abort") return abort();
        else if (verb == "pause") return pause(true);
        else if (verb == "resume") return pause(false);
        else if (verb == "discard") connection_.discard_received = true;
        else if (verb == "burst") burst_bytes_ = static_cast<uint32_t>(number(1));
        else if (verb == "exhaust") exhaust();
        else if (verb == "relieve") relieve();
        else if (verb == "mtu") {
            tcp_.on_path_mtu(connection_, own_number(number(1)),
                             static_cast<uint32_t>(number(2)), now_);
        } else if (verb != "idle") {
            throw ScriptFault(fmt::format("'{}' isn't an action", verb));
        }
        pump(true);
    }

    void open(int64_t mss) {
        tcp_.open(connection_, sent_numbering_.own_first, static_cast<uint16_t>(mss),
                  beginning_.clock_offset, now_);
        pump(true);
    }

    // The peer's SYN and our SYN-ACK went before; then its ACK arrives.
    void accept(const std::vector<std::string>& words) {
        int64_t mss = 1460;
        std::vector<std::string> syn = {"S", "0"};
        for (size_t at = 1; at < words.size(); ++at) {
            if (words[at] == "mss" && syn.size() == 2) mss = parse_number(words.at(++at));
            else if (words[at] == "win") last_window_ = parse_number(words.at(++at));
            else syn.push_back(words[at]);
        }
        const SegmentText text = parse_segment(syn);
        Handshake handshake;
        handshake.iss = sent_numbering_.own_first;
        handshake.irs = sent_numbering_.other_first;
        if (text.mss != 0) handshake.peer_mss = text.mss;
        handshake.has_window_scale = text.window_scale.has_value();
        handshake.send_scale = text.window_scale.value_or(0);
        handshake.has_sack = text.sack_permitted;
        handshake.has_timestamps = text.timestamps.has_value();
        if (text.timestamps) {
            handshake.timestamp_recent = static_cast<uint32_t>(text.timestamps->value);
        }
        handshake.timestamp_offset = beginning_.clock_offset;
        tcp_.accept(connection_, handshake, static_cast<uint16_t>(last_window_),
                    static_cast<uint16_t>(mss), now_);
        SegmentText last;
        last.flags = tcp_flag::ack;
        last.range = SegmentText::Range{1, 1};
        last.ack = 1;
        last.timestamps = text.timestamps;
        arrive(last);
    }

    void write(uint32_t bytes) {
        while (bytes > 0) {
            const uint32_t part = std::min(bytes, 40'000u);
            Block* block = blocks_.try_take(part);
            if (block == nullptr) throw ScriptFault("no memory to write");
            for (uint32_t index = 0; index < part; ++index) {
                block->bytes()[index] = pattern(0, written_++);
            }
            block->used_bytes = part;
            const bool is_queued =
                connection_.out.push(memory_.heap, blocks_, {.block = block, .length = part});
            blocks_.release(*block);
            if (!is_queued) throw ScriptFault("no memory to queue");
            bytes -= part;
        }
        pump(tcp_.on_output(connection_, now_));
    }

    void abort() {
        OutSegment reset;
        if (tcp_.abort(connection_, reset, now_)) {
            note("> " + segment_as_text(reset, sent_numbering_));
            sent_.push_back({elapsed_ms(), reset});
        }
        if (connection_.state() != TcpState::closed) throw ScriptFault("it isn't closed");
        pump(false);
    }

    void pause(bool paused) {
        connection_.receive_paused = paused;
        tcp_.set_paused(connection_, paused, now_);
        if (!paused) take_ready();
        pump(tcp_.on_output(connection_, now_));
    }

    void exhaust() {
        for (uint32_t bytes = 32'768; bytes >= 8; bytes /= 2) {
            while (void* memory = memory_.heap.try_allocate(bytes)) {
                taken_.push_back({memory, bytes});
            }
        }
        for (uint32_t bytes = 16; bytes <= 512; bytes += 16) {
            while (void* memory = memory_.heap.try_allocate(bytes)) {
                taken_.push_back({memory, bytes});
            }
        }
    }
    void relieve() {
        for (const Taken& taken : taken_) memory_.heap.free(taken.memory, taken.bytes);
        taken_.clear();
    }

    // --- What must be so. ---

    void check(const std::vector<std::string>& words) {
        const std::string& what = words[0];
        if (what == "finished") return equal(true, is_finished_);
        if (what == "not") return equal(false, is_finished_);
        if (what == "connected") return equal(true, is_connected_);
        if (words.size() == 1) {
            const TcpState state = value_of(state_names, what);
            const TcpState found = is_waiting_ ? TcpState::time_wait : connection_.state();
            if (state == found) return;
            throw ScriptFault(fmt::format("the state is {}", name_of(state_names, found)));
        }
        if (what == "ended") {
            if (value_of(reason_names, words[1]) == ended_) return;
            throw ScriptFault(fmt::format("ended: {}", name_of(reason_names, ended_)));
        }
        if (what == "counter") {
            const auto counter = value_of(counter_names, words[1]);
            return equal(parse_number(words.at(2)), (counters_.*counter).read());
        }
        check_number(what, parse_number(words[1]));
    }

    void check_number(const std::string& what, int64_t wanted) const {
        if (what == "received") return equal(wanted, received_);
        if (what == "cwnd") return equal(wanted, connection_.congestion.cwnd());
        if (what == "ssthresh") return equal(wanted, connection_.congestion.ssthresh());
        if (what == "mss") return equal(wanted, connection_.mss);
        if (what == "queued") return equal(wanted, connection_.out.bytes_queued());
        if (what == "rto") {
            return equal(wanted, connection_.rtt.rto(tcp_.settings().rtt).to_ms());
        }
        if (what == "cwnd_below") {
            if (connection_.congestion.cwnd() < wanted) return;
            throw ScriptFault(fmt::format("cwnd is {}", connection_.congestion.cwnd()));
        }
        throw ScriptFault(fmt::format("'{}' isn't a check", what));
    }

    static void equal(int64_t wanted, int64_t found) {
        if (wanted != found) throw ScriptFault(fmt::format("it is {}", found));
    }

    // Everything that the connection borrowed comes back.
    void check_memory() {
        relieve();
        tcp_.release(connection_);
        CHECK(connection_.state() == TcpState::closed);
        CHECK(wheel_.started_count() == 0);
        for (const LedgerLine& line : memory_.ledger.lines()) {
            CAPTURE(line.name);
            CHECK(line.objects.read() == 0);
        }
    }

    const Beginning& beginning_;
    ShardMemory memory_;
    BlockPool blocks_;
    Instant start_;
    Instant now_;
    TimerWheel wheel_;
    TcpCounters counters_;
    Tcp tcp_;
    TcpConnection connection_{};
    TimeWait time_wait_;             // valid with is_waiting_
    Numbering sent_numbering_;
    std::deque<Sent> sent_;          // left, and not yet looked for
    std::vector<Taken> taken_;
    std::string transcript_;
    int64_t line_ms_ = 0;            // the time of the line at hand
    int64_t last_window_ = 65'535;   // of the peer, for lines that don't say it
    int64_t received_ = 0;
    int64_t written_ = 0;
    uint32_t burst_bytes_ = 0;
    bool is_waiting_ = false;        // in TIME-WAIT
    bool is_connected_ = false;
    bool is_finished_ = false;
    CloseReason ended_ = CloseReason::none;
};

}  // namespace

void run_script(const TcpSettings& settings, std::string_view script) {
    std::vector<ScriptLine> lines;
    REQUIRE_NOTHROW(lines = parse_script(script));
    for (const Beginning& beginning : beginnings) ScriptRun(settings, beginning).run(lines);
}

void run_script(std::string_view script) { run_script(TcpSettings{}, script); }

}  // namespace millrace::test

#include <vector>

#include <doctest/doctest.h>

#include "flow_keys.h"
#include "runtime/shard_memory.h"
#include "tcp/time_wait.h"

using namespace millrace;
using millrace::test::flow_from_port;
using millrace::test::ShardMemory;
using Verdict = TimeWaitTable::Verdict;

namespace {

constexpr Instant wait_start = Instant::at_ms(1'000'000);
constexpr Duration two_msl = Duration::s(60);
constexpr uint32_t timestamp_recent = 0xfffffffeu;  // so that later ones have wrapped

struct TimeWaitFixture {
    explicit TimeWaitFixture(uint32_t count_max, uint64_t bytes_max = 1 << 20)
        : memory(bytes_max),
          line(memory.ledger.line("time-wait")),
          table(*memory.arena, line, count_max, two_msl, this, &TimeWaitFixture::on_gone) {}

    static void on_gone(void* context, TimeWait& gone) {
        static_cast<TimeWaitFixture*>(context)->gone.push_back(gone.key.remote_port);
    }
    TimeWait& add(uint16_t port, Instant now) {
        TimeWait* wait = table.try_add(flow_from_port(port), now);
        REQUIRE(wait != nullptr);
        return *wait;
    }

    ShardMemory memory;
    LedgerLine& line;
    std::vector<uint16_t> gone;
    TimeWaitTable table;
};

using Ports = std::vector<uint16_t>;

TimeWait waiting(bool has_timestamps) {
    TimeWait wait;
    wait.key = flow_from_port(40'000);
    wait.snd_nxt = {5'000};
    wait.rcv_nxt = {0xfffffff0u};  // so that the window wraps
    wait.window = 100;
    wait.has_timestamps = has_timestamps;
    wait.timestamp_recent = has_timestamps ? timestamp_recent : 0;
    wait.timestamp_offset = 77;
    return wait;
}

// `seq_from_next` counts from RCV.NXT.
Segment segment(uint8_t flags, int32_t seq_from_next) {
    Segment made;
    made.seq = waiting(false).rcv_nxt + static_cast<uint32_t>(seq_from_next);
    made.ack = waiting(false).snd_nxt;
    made.flags = flags;
    return made;
}

Segment with_timestamp(Segment made, int32_t from_recent) {
    made.options.has_timestamps = true;
    made.options.timestamp_value = timestamp_recent + static_cast<uint32_t>(from_recent);
    return made;
}

Verdict judge_plain(const Segment& made) { return TimeWaitTable::judge(waiting(false), made); }
Verdict judge_stamped(const Segment& made) { return TimeWaitTable::judge(waiting(true), made); }

constexpr uint8_t ack_fin = tcp_flag::ack | tcp_flag::fin;

}  // namespace

TEST_CASE("time-wait: a reset is ignored, wherever it stands (RFC 1337)") {
    for (const int32_t seq : {-1, 0, 50, 1'000'000}) {
        CHECK(judge_plain(segment(tcp_flag::rst, seq)) == Verdict::drop);
        CHECK(judge_stamped(segment(tcp_flag::rst | tcp_flag::ack, seq)) == Verdict::drop);
    }
    CHECK(judge_plain(segment(tcp_flag::rst | tcp_flag::syn, 10)) == Verdict::drop);
}

TEST_CASE("time-wait: a FIN sent again is acknowledged") {
    CHECK(judge_plain(segment(ack_fin, -1)) == Verdict::acknowledge);
    CHECK(judge_stamped(with_timestamp(segment(ack_fin, -1), 0)) == Verdict::acknowledge);
}

TEST_CASE("time-wait: the ACK of our FIN, come again, is dropped") {
    CHECK(judge_plain(segment(tcp_flag::ack, 0)) == Verdict::drop);
    CHECK(judge_stamped(with_timestamp(segment(tcp_flag::ack, 0), 3)) == Verdict::drop);
}

TEST_CASE("time-wait: what lies outside the window is acknowledged") {
    const std::vector<uint8_t> text(20);
    Segment old_text = segment(tcp_flag::ack, -500);
    old_text.payload = text;
    CHECK(judge_plain(old_text) == Verdict::acknowledge);
    CHECK(judge_plain(segment(tcp_flag::ack, -1)) == Verdict::acknowledge);
    CHECK(judge_plain(segment(tcp_flag::ack, 99)) == Verdict::drop);
    CHECK(judge_plain(segment(tcp_flag::ack, 100)) == Verdict::acknowledge);
}

TEST_CASE("time-wait: with the window closed only a bare ACK at RCV.NXT is acceptable") {
    TimeWait wait = waiting(false);
    wait.window = 0;
    CHECK(TimeWaitTable::judge(wait, segment(tcp_flag::ack, 0)) == Verdict::drop);
    CHECK(TimeWaitTable::judge(wait, segment(tcp_flag::ack, 1)) == Verdict::acknowledge);
    CHECK(TimeWaitTable::judge(wait, segment(ack_fin, 0)) == Verdict::acknowledge);
}

TEST_CASE("time-wait: text behind the peer's FIN is ignored") {
    const std::vector<uint8_t> text(20);
    Segment behind = segment(tcp_flag::ack, 0);
    behind.payload = text;
    CHECK(judge_plain(behind) == Verdict::drop);
}

TEST_CASE("time-wait: a segment in the window without ACK is dropped") {
    CHECK(judge_plain(segment(0, 0)) == Verdict::drop);
    CHECK(judge_plain(segment(tcp_flag::fin, 0)) == Verdict::drop);
}

TEST_CASE("time-wait: an ACK of what we never sent is answered (RFC 5961, 5.2)") {
    Segment ahead = segment(tcp_flag::ack, 0);
    ahead.ack += 1;
    CHECK(judge_plain(ahead) == Verdict::acknowledge);
}

TEST_CASE("time-wait: a stale timestamp is answered by an ACK, a missing one by nothing") {
    const Segment bare = segment(tcp_flag::ack, 0);
    CHECK(judge_stamped(with_timestamp(bare, -1)) == Verdict::acknowledge);
    CHECK(judge_stamped(with_timestamp(bare, 0)) == Verdict::drop);
    CHECK(judge_stamped(segment(ack_fin, -1)) == Verdict::drop);
}

TEST_CASE("time-wait: without timestamps on either side a SYN reopens by a higher number") {
    CHECK(judge_plain(segment(tcp_flag::syn, 0)) == Verdict::reopen);
    CHECK(judge_plain(segment(tcp_flag::syn, 1'000'000)) == Verdict::reopen);
    CHECK(judge_plain(segment(tcp_flag::syn, -1)) == Verdict::acknowledge);
    CHECK(judge_plain(segment(tcp_flag::syn, -1'000'000)) == Verdict::acknowledge);
}

TEST_CASE("time-wait: a SYN reopens by a later timestamp, whatever its number") {
    CHECK(judge_stamped(with_timestamp(segment(tcp_flag::syn, -1'000), 5)) == Verdict::reopen);
    CHECK(judge_stamped(with_timestamp(segment(tcp_flag::syn, 1'000), 5)) == Verdict::reopen);
}

TEST_CASE("time-wait: with an equal timestamp a SYN reopens by a higher number only") {
    CHECK(judge_stamped(with_timestamp(segment(tcp_flag::syn, 0), 0)) == Verdict::reopen);
    CHECK(judge_stamped(with_timestamp(segment(tcp_flag::syn, -1), 0)) == Verdict::acknowledge);
}

TEST_CASE("time-wait: with an earlier timestamp no SYN reopens") {
    CHECK(judge_stamped(with_timestamp(segment(tcp_flag::syn, 1'000), -1)) ==
          Verdict::acknowledge);
}

TEST_CASE("time-wait: a SYN that gives timestamps up reopens by a higher number only") {
    CHECK(judge_stamped(segment(tcp_flag::syn, 0)) == Verdict::reopen);
    CHECK(judge_stamped(segment(tcp_flag::syn, -1)) == Verdict::acknowledge);
}

TEST_CASE("time-wait: a SYN with timestamps that the old incarnation hadn't reopens") {
    CHECK(judge_plain(with_timestamp(segment(tcp_flag::syn, -1'000), 0)) == Verdict::reopen);
}

TEST_CASE("time-wait: a SYN-ACK never reopens") {
    CHECK(judge_plain(segment(tcp_flag::syn | tcp_flag::ack, 1'000)) == Verdict::acknowledge);
}

TEST_CASE("time-wait: the acknowledgement says what was said last") {
    const OutSegment out = TimeWaitTable::acknowledgement(waiting(true), wait_start);
    CHECK(out.flags == tcp_flag::ack);
    CHECK(out.seq == waiting(true).snd_nxt);
    CHECK(out.ack == waiting(true).rcv_nxt);
    CHECK(out.window == 100);
    CHECK(out.payload_bytes == 0);
    CHECK(out.options.has_timestamps);
    CHECK(out.options.timestamp_value == 1'000'077);
    CHECK(out.options.timestamp_echo == timestamp_recent);
    CHECK(!TimeWaitTable::acknowledgement(waiting(false), wait_start).options.has_timestamps);
}

TEST_CASE("time-wait: one ends after 2 MSL, not before, and its owner is told") {
    TimeWaitFixture fixture(10);
    TimeWait& wait = fixture.add(1, wait_start);
    CHECK(wait.key == flow_from_port(1));
    CHECK(wait.kind == FlowNode::Kind::time_wait);
    CHECK(fixture.table.next_deadline() == wait_start + two_msl);
    fixture.table.expire(wait_start + two_msl - Duration::ms(1), 100);
    CHECK(fixture.gone.empty());
    fixture.table.expire(wait_start + two_msl, 100);
    CHECK(fixture.gone == Ports{1});
    CHECK(fixture.table.count() == 0);
    CHECK(fixture.line.objects.read() == 0);
    CHECK(fixture.table.next_deadline() == Instant::never());
}

TEST_CASE("time-wait: a part of a millisecond is waited for as well") {
    TimeWaitFixture fixture(10);
    fixture.add(1, wait_start + Duration::ns(1));
    fixture.table.expire(wait_start + two_msl, 100);
    CHECK(fixture.gone.empty());
    fixture.table.expire(wait_start + two_msl + Duration::ms(1), 100);
    CHECK(fixture.gone == Ports{1});
}

TEST_CASE("time-wait: expiry goes by age and ends no more than it's told to") {
    TimeWaitFixture fixture(10);
    for (uint16_t port = 1; port <= 5; ++port) fixture.add(port, wait_start + Duration::ms(port));
    fixture.table.expire(wait_start + two_msl + Duration::ms(4), 3);
    CHECK(fixture.gone == Ports{1, 2, 3});
    fixture.table.expire(wait_start + two_msl + Duration::ms(4), 3);
    CHECK(fixture.gone == Ports{1, 2, 3, 4});
    CHECK(fixture.table.next_deadline() == wait_start + two_msl + Duration::ms(5));
}

TEST_CASE("time-wait: a restarted one waits 2 MSL again, behind the others") {
    TimeWaitFixture fixture(10);
    TimeWait& first = fixture.add(1, wait_start);
    fixture.add(2, wait_start + Duration::s(1));
    fixture.table.restart(first, wait_start + Duration::s(30));
    CHECK(fixture.table.next_deadline() == wait_start + Duration::s(1) + two_msl);
    fixture.table.expire(wait_start + Duration::s(89), 100);
    CHECK(fixture.gone == Ports{2});
    fixture.table.expire(wait_start + Duration::s(90), 100);
    CHECK(fixture.gone == Ports{2, 1});
}

TEST_CASE("time-wait: one more than count_max ends the oldest") {
    TimeWaitFixture fixture(3);
    for (uint16_t port = 1; port <= 4; ++port) fixture.add(port, wait_start);
    CHECK(fixture.gone == Ports{1});
    CHECK(fixture.table.count() == 3);
}

TEST_CASE("time-wait: without memory the oldest gives its place to the newest") {
    TimeWaitFixture fixture(100'000, Arena::chunk_bytes);
    const auto room = static_cast<uint16_t>(Arena::chunk_bytes / sizeof(TimeWait));
    for (uint16_t port = 1; port <= room; ++port) fixture.add(port, wait_start);
    CHECK(fixture.gone.empty());
    fixture.add(9'999, wait_start);
    CHECK(fixture.gone == Ports{1});
    CHECK(fixture.table.count() == room);
}

TEST_CASE("time-wait: there's none when there's no memory at all, or none is wanted") {
    TimeWaitFixture without_memory(10, Arena::chunk_bytes);
    std::byte* chunk = without_memory.memory.arena->try_take_chunk();
    CHECK(without_memory.table.try_add(flow_from_port(1), wait_start) == nullptr);
    without_memory.memory.arena->give_back_chunk(chunk);
    TimeWaitFixture none_wanted(0);
    CHECK(none_wanted.table.try_add(flow_from_port(1), wait_start) == nullptr);
}

TEST_CASE("time-wait: one that is removed is gone without a word") {
    TimeWaitFixture fixture(10);
    fixture.add(1, wait_start);
    TimeWait& second = fixture.add(2, wait_start);
    fixture.add(3, wait_start);
    fixture.table.remove(second);
    CHECK(fixture.gone.empty());
    CHECK(fixture.table.count() == 2);
    fixture.table.expire(wait_start + two_msl, 100);
    CHECK(fixture.gone == Ports{1, 3});
}

TEST_CASE("time-wait: the deadline is right when the clock of 32 bits wraps") {
    TimeWaitFixture fixture(10);
    const Instant before_wrap = Instant::at_ms((int64_t{1} << 32) - 10);
    fixture.add(1, before_wrap);
    CHECK(fixture.table.next_deadline() == before_wrap + two_msl);
    fixture.table.expire(before_wrap + Duration::s(59), 100);
    CHECK(fixture.gone.empty());
    fixture.table.expire(before_wrap + two_msl, 100);
    CHECK(fixture.gone == Ports{1});
}

// The echo's client. Closed loop: so many messages outstanding a connection. Open loop: message k
// is due at the start + k / rate, on connection k modulo their count, whatever became of earlier
// ones; its latency counts from when it was due, so that a stall is charged to all it delayed.

#include <sys/prctl.h>

#include <algorithm>
#include <deque>
#include <vector>

#include <fmt/format.h>

#include "base/histogram.h"
#include "base/latency_curve.h"
#include "commands.h"
#include "measure.h"

namespace millrace::floors {
namespace {

constexpr size_t buffer_bytes = 256 * 1024;
constexpr Duration drain_max = Duration::s(1);  // at the end, for what is still outstanding

double us(int64_t nanoseconds) {
    return static_cast<double>(nanoseconds) / 1e3;
}

class Ping {
public:
    explicit Ping(const PingOptions& options)
        : options_(options),
          is_open_loop_(options.per_second > 0),
          shared_(std::max<size_t>(buffer_bytes, options.bytes), 'p'),
          buffer_(buffer_bytes) {}

    void run() {
        for (uint32_t index = 0; index < options_.connections; ++index) {
            connections_.push_back({connect_to(options_.remote), {}, 0, 0, false});
            set_nonblocking(connections_.back().socket);
            poller_.add(connections_.back().socket, EPOLLIN, index);
        }
        // Sleeping is rounded up to 50 us otherwise.
        if (::prctl(PR_SET_TIMERSLACK, 1) != 0) fail_with_errno("prctl");
        start_ = monotonic_now();
        warm_ = start_ + duration_of(options_.seconds / 10);
        end_ = warm_ + duration_of(options_.seconds);
        const Moment from = moment_now();
        if (!is_open_loop_) fill_windows();
        turn_until_done();
        report(from, moment_now());
    }

private:
    struct Connection {
        Socket socket;
        std::deque<Instant> due;  // of the messages outstanding, unsent ones included
        uint64_t unsent_bytes;
        uint64_t received_bytes;  // of the oldest message outstanding
        bool waits_for_room;
    };

    void fill_windows() {
        for (Connection& connection : connections_) {
            for (uint32_t count = 0; count < options_.window; ++count) add(connection, start_);
            flush(connection);
        }
    }

    void turn_until_done() {
        for (;;) {
            const Instant now = monotonic_now();
            if (now >= end_ && (outstanding_ == 0 || now >= end_ + drain_max)) return;
            if (is_open_loop_) send_due(now);
            for (const epoll_event& event : poller_.wait(wait_max(now).nanoseconds)) {
                Connection& connection = connections_[event.data.u64];
                if ((event.events & EPOLLOUT) != 0) flush(connection);
                if ((event.events & ~uint32_t{EPOLLOUT}) != 0) receive(connection);
            }
        }
    }

    Duration wait_max(Instant now) const {
        if (is_open_loop_ && !options_.sleeps) return Duration{};
        const Instant last = end_ + (now < end_ ? Duration{} : drain_max);
        const Instant next = is_open_loop_ ? std::min(due_of(due_count_), last) : last;
        return std::max(next - now, Duration{});
    }

    Instant due_of(uint64_t number) const {
        return start_ + duration_of(static_cast<double>(number) / options_.per_second);
    }

    void send_due(Instant now) {
        for (; due_of(due_count_) <= std::min(now, end_ - Duration::ns(1)); ++due_count_) {
            Connection& connection = connections_[due_count_ % connections_.size()];
            const Instant due = due_of(due_count_);
            if (due >= warm_) behind_.add((monotonic_now() - due).nanoseconds);
            add(connection, due);
            flush(connection);
        }
    }

    void add(Connection& connection, Instant due) {
        connection.due.push_back(due);
        connection.unsent_bytes += options_.bytes;
        ++outstanding_;
        ++sent_;
    }

    // What the socket takes; the rest when it has room again.
    void flush(Connection& connection) {
        bool is_full = false;
        while (connection.unsent_bytes > 0 && !is_full) {
            const size_t bytes = std::min<uint64_t>(connection.unsent_bytes, shared_.size());
            const int64_t went = write_some(connection.socket, {shared_.data(), bytes});
            if (went < 0) fail("the echo has closed a connection");
            connection.unsent_bytes -= static_cast<uint64_t>(went);
            is_full = static_cast<size_t>(went) < bytes;
        }
        if (is_full == connection.waits_for_room) return;
        connection.waits_for_room = is_full;
        poller_.change(connection.socket, is_full ? EPOLLIN | EPOLLOUT : EPOLLIN,
                       static_cast<uint64_t>(&connection - connections_.data()));
    }

    void receive(Connection& connection) {
        const int64_t came = read_some(connection.socket, buffer_);
        if (came < 0) fail("the echo has closed a connection");
        const Instant now = monotonic_now();
        bytes_received_ += static_cast<uint64_t>(came);
        connection.received_bytes += static_cast<uint64_t>(came);
        while (connection.received_bytes >= options_.bytes) {
            if (connection.due.empty()) fail("more came back than was sent");
            connection.received_bytes -= options_.bytes;
            const Instant due = connection.due.front();
            connection.due.pop_front();
            --outstanding_;
            if (due >= warm_ && due < end_) latency_.add((now - due).nanoseconds);
            if (!is_open_loop_ && now < end_) add(connection, now);
        }
        flush(connection);
    }

    std::string latencies() const {
        return fmt::format(R"({{"min": {:.3f}, "p50": {:.3f}, "p90": {:.3f}, "p99": {:.3f}, )"
                           R"("p99.9": {:.3f}, "p99.99": {:.3f}, "max": {:.3f}}})",
                           us(latency_.min()), us(latency_.percentile(50)),
                           us(latency_.percentile(90)), us(latency_.percentile(99)),
                           us(latency_.percentile(99.9)), us(latency_.percentile(99.99)),
                           us(latency_.max()));
    }

    void report(const Moment& from, const Moment& to) const {
        const double rate = static_cast<double>(latency_.count()) / options_.seconds;
        Report line;
        line.add("connections", options_.connections);
        line.add("message_bytes", options_.bytes);
        line.add("window", is_open_loop_ ? 0 : options_.window);
        line.add_decimal("rate", options_.per_second, 6);
        line.add("round_trips", latency_.count());
        line.add_decimal("round_trips_per_s", rate, 6);
        line.add("lost", outstanding_);
        line.add("sent_with_warm_up", sent_);
        line.add("bytes_sent", sent_ * options_.bytes);
        line.add("bytes_received", bytes_received_);
        line.add_cost(from, to, "messages", sent_ - outstanding_);
        if (is_open_loop_) {
            line.add_decimal("behind_schedule_p99.9_us", us(behind_.percentile(99.9)));
            line.add_decimal("behind_schedule_max_us", us(behind_.max()));
        }
        line.add("latency_us", latencies());
        line.add("curve", curve_json(latency_curve(latency_), 1e3));
        line.print();
    }

    const PingOptions options_;
    const bool is_open_loop_;
    const std::vector<uint8_t> shared_;  // what every message consists of
    std::vector<uint8_t> buffer_;
    std::vector<Connection> connections_;
    Poller poller_;
    Instant start_{}, warm_{}, end_{};
    Histogram latency_;
    Histogram behind_;  // open loop: from due to the send call
    uint64_t due_count_ = 0;
    uint64_t sent_ = 0;
    uint64_t outstanding_ = 0;
    uint64_t bytes_received_ = 0;
};

}  // namespace

void run_ping(const PingOptions& options) {
    end_at_the_latest_after(options.seconds * 1.1 + 30);
    Ping(options).run();
}

}  // namespace millrace::floors

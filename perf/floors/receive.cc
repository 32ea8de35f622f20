// The bare sender's other side (send.cc has what passes between the two). Reads all there is and
// looks at none of it.

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "commands.h"
#include "measure.h"

namespace millrace::floors {
namespace {

constexpr size_t buffer_bytes = 256 * 1024;

class Receiver {
public:
    explicit Receiver(const ReceiveOptions& options)
        : options_(options), bytes_of_(options.receivers, 0), buffer_(buffer_bytes) {}

    void run() {
        connect_all();
        const Moment from = moment_now();
        const Instant end = from.wall + duration_of(options_.seconds);
        while (!sender_has_ended_) {
            const Duration left = end - monotonic_now();
            if (left < Duration{}) fail("the sender hasn't ended in time");
            for (const epoll_event& event : poller_.wait(left.nanoseconds)) take(event.data.u64);
            answer_full_window();
        }
        report(from, moment_now());
    }

private:
    void connect_all() {
        control_ = connect_to(options_.remote);
        write_whole(control_, {reinterpret_cast<const uint8_t*>(&options_.receivers),
                               sizeof(options_.receivers)});
        for (uint32_t index = 0; index < options_.receivers; ++index) {
            receivers_.push_back(connect_to(options_.remote));
            set_nonblocking(receivers_.back());
            poller_.add(receivers_.back(), EPOLLIN, index);
        }
        if (!read_whole(control_,
                        {reinterpret_cast<uint8_t*>(&window_bytes_), sizeof(window_bytes_)})) {
            fail("the sender has ended before it began");
        }
        poller_.add(control_, EPOLLIN, options_.receivers);
    }

    // The sender says nothing more on the control connection: readable, it has ended.
    void take(uint64_t index) {
        if (index == options_.receivers) {
            sender_has_ended_ = true;
            return;
        }
        const int64_t came = read_some(receivers_[index], buffer_);
        if (came < 0) {
            receivers_[index].close();
            return;
        }
        ++reads_;
        bytes_of_[index] += static_cast<uint64_t>(came);
        bytes_ += static_cast<uint64_t>(came);
    }

    void answer_full_window() {
        if (bytes_ < (windows_ + 1) * window_bytes_) return;
        if (bytes_ > (windows_ + 1) * window_bytes_) fail("more than a window has come");
        ++windows_;
        const uint8_t answer = 1;
        write_whole(control_, {&answer, 1});
    }

    void report(const Moment& from, const Moment& to) const {
        Report line;
        line.add("bytes", bytes_);
        line.add("bytes_a_receiver_min", *std::min_element(bytes_of_.begin(), bytes_of_.end()));
        line.add("bytes_a_receiver_max", *std::max_element(bytes_of_.begin(), bytes_of_.end()));
        line.add("windows", windows_);
        line.add("reads", reads_);
        line.add_cost(from, to, "bytes", bytes_);
        line.print();
    }

    const ReceiveOptions options_;
    Poller poller_;
    Socket control_;
    std::vector<Socket> receivers_;
    std::vector<uint64_t> bytes_of_;
    std::vector<uint8_t> buffer_;
    uint64_t window_bytes_ = 0;
    uint64_t bytes_ = 0;
    uint64_t windows_ = 0;
    uint64_t reads_ = 0;
    bool sender_has_ended_ = false;
};

}  // namespace

void run_receive(const ReceiveOptions& options) {
    end_at_the_latest_after(options.seconds + 30);
    Receiver(options).run();
}

}  // namespace millrace::floors

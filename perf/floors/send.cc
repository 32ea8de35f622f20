// The bare sender: the same bytes to every receiver, and nothing else.
//
//   receive:  control connection, hello: 4 bytes, how many receivers; then those connections
//   send:     8 bytes on the control connection: how many bytes a window has, over all receivers
//   send:     a window to all receivers;   receive: one byte when all of it has come;   and so on
//
// Coalesced, a window's messages stand behind each other in one buffer, written once at the start,
// and leave in one send a receiver. One sendmsg of references to a single message did the same by 0
// to 15% fewer messages a CPU second (1,000 receivers, window 32, 79 and 4,112 bytes, both engines,
// in turns on two cores of an EPYC, Linux 6.18, not quiet): the kernel walks the vector.
// Completions left out (IOSQE_CQE_SKIP_SUCCESS) made no difference there.

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include <liburing.h>

#include <fmt/format.h>

#include "commands.h"
#include "measure.h"

namespace millrace::floors {
namespace {

constexpr uint64_t coalesced_bytes_max = 64 * 1024 * 1024;

struct Counts {
    uint64_t system_calls = 0;
    uint64_t ring_entries = 0;

    Counts operator-(const Counts& from) const {
        return {system_calls - from.system_calls, ring_entries - from.ring_entries};
    }
};

// send(2) on nonblocking sockets; poll(2) for those that are full.
class WriteEngine {
public:
    explicit WriteEngine(const std::vector<Socket>& receivers) : receivers_(receivers) {
        for (const Socket& receiver : receivers) set_nonblocking(receiver);
    }

    // All of `bytes` to every receiver, handed to the kernel on return.
    void send_to_all(Bytes bytes) {
        for (const Socket& receiver : receivers_) {
            const size_t sent = send(receiver.descriptor(), bytes);
            if (sent == bytes.size()) continue;
            full_.push_back({.fd = receiver.descriptor(), .events = POLLOUT, .revents = 0});
            unsent_.push_back(bytes.subspan(sent));
        }
        while (!full_.empty()) send_to_full();
    }
    const Counts& counts() const { return counts_; }

private:
    size_t send(int descriptor, Bytes bytes) {
        ++counts_.system_calls;
        const ssize_t sent = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) return static_cast<size_t>(sent);
        if (errno != EAGAIN && errno != EINTR) fail_with_errno("send");
        return 0;
    }

    void send_to_full() {
        ++counts_.system_calls;
        if (::poll(full_.data(), full_.size(), -1) < 0 && errno != EINTR) fail_with_errno("poll");
        size_t kept = 0;
        for (size_t index = 0; index < full_.size(); ++index) {
            if (full_[index].revents != 0) {
                unsent_[index] = unsent_[index].subspan(send(full_[index].fd, unsent_[index]));
            }
            if (unsent_[index].empty()) continue;
            full_[kept] = full_[index];
            unsent_[kept++] = unsent_[index];
        }
        full_.resize(kept);
        unsent_.resize(kept);
    }

    const std::vector<Socket>& receivers_;
    std::vector<pollfd> full_;
    std::vector<Bytes> unsent_;  // of the receiver at the same place in full_
    Counts counts_;
};

// A send a receiver in one submit, which waits for them all. The kernel itself waits where a socket
// is full.
class UringEngine {
public:
    explicit UringEngine(const std::vector<Socket>& receivers)
        : count_(static_cast<unsigned>(receivers.size())) {
        io_uring_params params{};
        params.flags = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER |
                       IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
        params.cq_entries = 2 * count_;
        check(::io_uring_queue_init_params(count_, &ring_, &params), "io_uring_queue_init_params");
        check_ring_descriptor(::io_uring_register_ring_fd(&ring_));
        std::vector<int> descriptors;
        for (const Socket& receiver : receivers) descriptors.push_back(receiver.descriptor());
        check(::io_uring_register_files(&ring_, descriptors.data(), count_),
              "io_uring_register_files");
    }
    ~UringEngine() { ::io_uring_queue_exit(&ring_); }
    UringEngine(const UringEngine&) = delete;
    UringEngine& operator=(const UringEngine&) = delete;

    // All of `bytes` to every receiver, handed to the kernel on return.
    void send_to_all(Bytes bytes) {
        for (unsigned index = 0; index < count_; ++index) {
            io_uring_sqe* entry = next_entry();
            ::io_uring_prep_send(entry, static_cast<int>(index), bytes.data(), bytes.size(),
                                 MSG_NOSIGNAL | MSG_WAITALL);
            entry->flags |= IOSQE_FIXED_FILE;
            ++counts_.ring_entries;
        }
        for (unsigned done = 0; done < count_;) {
            ++counts_.system_calls;
            check(::io_uring_submit_and_wait(&ring_, count_ - done), "io_uring_submit_and_wait");
            done += reap(bytes.size());
        }
    }
    const Counts& counts() const { return counts_; }

private:
    static void check(int result, const char* what) {
        if (result < 0) throw std::system_error(-result, std::generic_category(), what);
    }
    // Spares the look-up of the ring with every call; 5.18 has it.
    static void check_ring_descriptor(int registered) {
        if (registered != 1) fail("io_uring_register_ring_fd: the kernel doesn't take it");
    }

    // More receivers than the ring has entries leave in several submits.
    io_uring_sqe* next_entry() {
        io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
        if (entry != nullptr) return entry;
        ++counts_.system_calls;
        check(::io_uring_submit(&ring_), "io_uring_submit");
        return ::io_uring_get_sqe(&ring_);
    }

    unsigned reap(size_t bytes) {
        unsigned head = 0, count = 0;
        io_uring_cqe* completion = nullptr;
        io_uring_for_each_cqe(&ring_, head, completion) {
            check(completion->res, "io_uring send");
            if (static_cast<size_t>(completion->res) != bytes) fail("io_uring: a short send");
            ++count;
        }
        ::io_uring_cq_advance(&ring_, count);
        return count;
    }

    const unsigned count_;
    io_uring ring_{};
    Counts counts_;
};

class Sender {
public:
    explicit Sender(const SendOptions& options)
        : options_(options),
          sends_(options.coalesce ? 1 : options.window),
          buffer_(size_t{options.bytes} * (options.window / sends_), 'm') {}

    void run() {
        const Socket listening = listen_at(options_.local);
        accept_all(listening);
        if (options_.engine == Engine::write) {
            WriteEngine engine(receivers_);
            measure(engine);
        } else {
            UringEngine engine(receivers_);
            measure(engine);
        }
    }

private:
    void accept_all(const Socket& listening) {
        control_ = accept_next(listening);
        uint32_t announced = 0;
        if (!read_whole(control_, {reinterpret_cast<uint8_t*>(&announced), sizeof(announced)}) ||
            announced != options_.receivers) {
            fail(fmt::format("receive has {} receivers, {} were expected", announced,
                             options_.receivers));
        }
        while (receivers_.size() < options_.receivers) {
            receivers_.push_back(accept_next(listening));
        }
        const uint64_t window_bytes = messages_a_window() * options_.bytes;
        write_whole(control_,
                    {reinterpret_cast<const uint8_t*>(&window_bytes), sizeof(window_bytes)});
    }

    uint64_t messages_a_window() const { return options_.receivers * options_.window; }

    template <class SendEngine>
    void measure(SendEngine& engine) {
        const Instant begin = monotonic_now();
        const Instant warm = begin + duration_of(options_.seconds / 10);
        const Instant end = warm + duration_of(options_.seconds);
        do send_window(engine);
        while (monotonic_now() < warm);
        const uint64_t windows_before = windows_;
        const Counts counts_before = engine.counts();
        const Moment from = moment_now();
        do send_window(engine);
        while (monotonic_now() < end);
        const Moment to = moment_now();
        report(from, to, windows_ - windows_before, engine.counts() - counts_before);
    }

    template <class SendEngine>
    void send_window(SendEngine& engine) {
        for (uint32_t sent = 0; sent < sends_; ++sent) engine.send_to_all(buffer_);
        uint8_t answer = 0;
        if (!read_whole(control_, {&answer, 1})) fail("receive has ended");
        ++windows_;
    }

    void report(const Moment& from, const Moment& to, uint64_t windows, Counts counts) const {
        const uint64_t messages = windows * messages_a_window();
        const double by_message = 1 / static_cast<double>(messages);
        counts.system_calls += windows;  // the answers read
        Report line;
        line.add_text("engine", options_.engine == Engine::write ? "write" : "uring");
        line.add("receivers", options_.receivers);
        line.add("message_bytes", options_.bytes);
        line.add("window", options_.window);
        line.add("coalesce", options_.coalesce);
        line.add("messages", messages);
        line.add_cost(from, to, "messages", messages);
        line.add_decimal("system_calls_per_message",
                         static_cast<double>(counts.system_calls) * by_message, 6);
        line.add_decimal("ring_entries_per_message",
                         static_cast<double>(counts.ring_entries) * by_message, 6);
        line.add("bytes_with_warm_up", windows_ * messages_a_window() * options_.bytes);
        line.print();
    }

    const SendOptions options_;
    const uint32_t sends_;               // a receiver and window
    const std::vector<uint8_t> buffer_;  // of one send
    Socket control_;
    std::vector<Socket> receivers_;
    uint64_t windows_ = 0;
};

}  // namespace

void run_send(const SendOptions& options) {
    if (options.coalesce && uint64_t{options.bytes} * options.window > coalesced_bytes_max) {
        fail(fmt::format("a coalesced window has at most {} bytes", coalesced_bytes_max));
    }
    end_at_the_latest_after(options.seconds * 1.1 + 30);
    Sender(options).run();
}

}  // namespace millrace::floors

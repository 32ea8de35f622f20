// The loop of a floor that serves: who comes is accepted, who has something to say is served, until
// SIGTERM or until its time is over.
// Owned by: one server; one thread.
// Holds:    a connection stands at its descriptor's place while it's open.
#pragma once

#include <vector>

#include "measure.h"
#include "sockets.h"

namespace millrace::floors {

// A Connection has a `Socket socket`, and is made anew for the next one at its place.
template <class Connection>
class ServerLoop {
public:
    // Calls serve(Connection&) for each that is ready, which says whether it stays, and
    // after_wait() after all that one wait brought.
    template <class Serve, class AfterWait>
    void run(const Endpoint& local, double seconds, Serve&& serve, AfterWait&& after_wait) {
        const Socket ending = end_signal();
        listening_ = listen_at(local);
        set_nonblocking(listening_);
        poller_.add(listening_, EPOLLIN, static_cast<uint64_t>(listening_.descriptor()));
        poller_.add(ending, EPOLLIN, static_cast<uint64_t>(ending.descriptor()));
        const Instant end = monotonic_now() + duration_of(seconds);
        for (bool goes_on = true; goes_on;) {
            const Duration left = end - monotonic_now();
            if (left <= Duration{}) break;
            for (const epoll_event& event : poller_.wait(left.nanoseconds)) {
                const int descriptor = static_cast<int>(event.data.u64);
                if (descriptor == ending.descriptor())
                    goes_on = false;
                else if (descriptor == listening_.descriptor())
                    accept_all();
                else if (!serve(connections_[event.data.u64]))
                    close(event.data.u64);
            }
            after_wait();
        }
    }

    // What a connection waits for from now on.
    void wait_for(const Connection& connection, uint32_t events) {
        poller_.change(connection.socket, events,
                       static_cast<uint64_t>(connection.socket.descriptor()));
    }

    uint64_t accepted() const { return accepted_; }
    uint64_t closed() const { return closed_; }

private:
    void accept_all() {
        for (;;) {
            Socket accepted = accept_nonblocking(listening_);
            if (!accepted.is_open()) return;
            const auto place = static_cast<size_t>(accepted.descriptor());
            if (place >= connections_.size()) connections_.resize(2 * place);
            poller_.add(accepted, EPOLLIN, place);
            connections_[place].socket = std::move(accepted);
            ++accepted_;
        }
    }

    void close(size_t place) {
        connections_[place] = Connection{};
        ++closed_;
    }

    Poller poller_;
    Socket listening_;
    std::vector<Connection> connections_;  // by descriptor
    uint64_t accepted_ = 0;
    uint64_t closed_ = 0;
};

}  // namespace millrace::floors

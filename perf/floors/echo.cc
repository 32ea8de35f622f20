// Sends back whatever comes: one read and one write a readiness. What a peer doesn't take is kept,
// and nothing more is read from it until that has gone.

#include <vector>

#include <fmt/format.h>

#include "commands.h"
#include "measure.h"

namespace millrace::floors {
namespace {

constexpr size_t buffer_bytes = 256 * 1024;

class Echo {
public:
    explicit Echo(const EchoOptions& options) : options_(options), buffer_(buffer_bytes) {}

    void run() {
        const Socket ending = end_signal();
        listening_ = listen_at(options_.local);
        set_nonblocking(listening_);
        poller_.add(listening_, EPOLLIN, static_cast<uint64_t>(listening_.descriptor()));
        poller_.add(ending, EPOLLIN, static_cast<uint64_t>(ending.descriptor()));
        const Instant end = monotonic_now() + duration_of(options_.seconds);
        for (bool goes_on = true; goes_on;) {
            const Duration left = end - monotonic_now();
            if (left <= Duration{}) break;
            ++system_calls_;
            for (const epoll_event& event : poller_.wait(left.nanoseconds)) {
                const int descriptor = static_cast<int>(event.data.u64);
                if (descriptor == ending.descriptor())
                    goes_on = false;
                else if (descriptor == listening_.descriptor())
                    accept_all();
                else
                    serve(connections_[event.data.u64]);
            }
        }
        report();
    }

private:
    struct Connection {
        Socket socket;
        std::vector<uint8_t> unsent;
    };

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

    void serve(Connection& connection) {
        if (!connection.unsent.empty()) {
            send_kept(connection);
            return;
        }
        const int64_t came = read_some(connection.socket, buffer_);
        ++system_calls_;
        if (came < 0) {
            connection.socket.close();
            return;
        }
        if (came == 0) return;
        if (bytes_ == 0) from_ = moment_now();  // connecting isn't what is measured
        bytes_ += static_cast<uint64_t>(came);
        const Bytes bytes(buffer_.data(), static_cast<size_t>(came));
        ++system_calls_;
        const int64_t sent = write_some(connection.socket, bytes);
        if (sent == came) return;
        const Bytes rest = bytes.subspan(static_cast<size_t>(sent < 0 ? 0 : sent));
        connection.unsent.assign(rest.begin(), rest.end());
        wait_for(connection, EPOLLOUT);
    }

    void send_kept(Connection& connection) {
        ++system_calls_;
        const int64_t sent = write_some(connection.socket, connection.unsent);
        if (sent < 0) {
            connection.unsent.clear();
            connection.socket.close();
            return;
        }
        connection.unsent.erase(connection.unsent.begin(), connection.unsent.begin() + sent);
        if (connection.unsent.empty()) wait_for(connection, EPOLLIN);
    }

    void wait_for(const Connection& connection, uint32_t events) {
        ++system_calls_;
        poller_.change(connection.socket, events,
                       static_cast<uint64_t>(connection.socket.descriptor()));
    }

    void report() const {
        const Moment to = moment_now();
        const uint64_t messages = options_.bytes == 0 ? 0 : bytes_ / options_.bytes;
        JsonLine line;
        line.add("accepted", accepted_);
        line.add("bytes", bytes_);
        line.add("messages", messages);
        line.add_cost(bytes_ == 0 ? to : from_, to, "messages", messages);
        line.add("system_calls", system_calls_);
        line.print();
    }

    const EchoOptions options_;
    Poller poller_;
    Socket listening_;
    std::vector<Connection> connections_;  // by descriptor
    std::vector<uint8_t> buffer_;
    Moment from_{};  // valid once bytes have come
    uint64_t accepted_ = 0;
    uint64_t bytes_ = 0;
    uint64_t system_calls_ = 0;
};

}  // namespace

void run_echo(const EchoOptions& options) {
    end_at_the_latest_after(options.seconds + 30);
    Echo(options).run();
}

}  // namespace millrace::floors

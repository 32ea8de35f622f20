// Sends back whatever comes: one read and one write a readiness. What a peer doesn't take is kept,
// and nothing more is read from it until that has gone.

#include <vector>

#include <fmt/format.h>

#include "commands.h"
#include "measure.h"
#include "server_loop.h"

namespace millrace::floors {
namespace {

constexpr size_t buffer_bytes = 256 * 1024;

class Echo {
public:
    explicit Echo(const EchoOptions& options) : options_(options), buffer_(buffer_bytes) {}

    void run() {
        loop_.run(
            options_.local, options_.seconds,
            [this](Connection& connection) { return serve(connection); },
            [this] { ++system_calls_; });  // the wait
        report();
    }

private:
    struct Connection {
        Socket socket;
        std::vector<uint8_t> unsent;
    };

    // False when the connection has ended.
    bool serve(Connection& connection) {
        if (!connection.unsent.empty()) return send_kept(connection);
        const int64_t came = read_some(connection.socket, buffer_);
        ++system_calls_;
        if (came <= 0) return came == 0;
        if (bytes_ == 0) from_ = moment_now();  // connecting isn't what is measured
        bytes_ += static_cast<uint64_t>(came);
        const Bytes bytes(buffer_.data(), static_cast<size_t>(came));
        ++system_calls_;
        const int64_t sent = write_some(connection.socket, bytes);
        if (sent == came) return true;
        const Bytes rest = bytes.subspan(static_cast<size_t>(sent < 0 ? 0 : sent));
        connection.unsent.assign(rest.begin(), rest.end());
        wait_for(connection, EPOLLOUT);
        return true;
    }

    bool send_kept(Connection& connection) {
        ++system_calls_;
        const int64_t sent = write_some(connection.socket, connection.unsent);
        if (sent < 0) return false;
        connection.unsent.erase(connection.unsent.begin(), connection.unsent.begin() + sent);
        if (connection.unsent.empty()) wait_for(connection, EPOLLIN);
        return true;
    }

    void wait_for(const Connection& connection, uint32_t events) {
        ++system_calls_;
        loop_.wait_for(connection, events);
    }

    void report() const {
        const Moment to = moment_now();
        const uint64_t messages = options_.bytes == 0 ? 0 : bytes_ / options_.bytes;
        Report line;
        line.add("accepted", loop_.accepted());
        line.add("bytes", bytes_);
        line.add("messages", messages);
        line.add_cost(bytes_ == 0 ? to : from_, to, "messages", messages);
        line.add("system_calls", system_calls_);
        line.print();
    }

    const EchoOptions options_;
    ServerLoop<Connection> loop_;
    std::vector<uint8_t> buffer_;
    Moment from_{};  // valid once bytes have come
    uint64_t bytes_ = 0;
    uint64_t system_calls_ = 0;
};

}  // namespace

void run_echo(const EchoOptions& options) {
    end_at_the_latest_after(options.seconds + 30);
    Echo(options).run();
}

}  // namespace millrace::floors

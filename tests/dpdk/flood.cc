// Hostile frames out of an interface, in a bounded number: a flood of SYNs from random sources, or
// blind attacks on a connection that it watches. The tests beside it (test_hostile.py) and
// perf/dpdk_flood.py let it loose on our TCP. Its only output is a line of JSON at the end.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <system_error>

#include <fmt/format.h>

#include "flood_attacks.h"
#include "flood_options.h"
#include "flood_socket.h"
#include "runtime/clock.h"

namespace millrace::test {
namespace {

bool input_has_ended() {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (::poll(&input, 1, 0) <= 0) return false;
    char room[256];
    return ::read(STDIN_FILENO, room, sizeof(room)) <= 0;
}

class Flood {
public:
    explicit Flood(const FloodOptions& options)
        : options_(options),
          socket_(options.interface, options.needs_watch() || options.answer_ms != 0),
          watch_(options.client, options.server),
          attacks_(watch_, options.window_bytes, options.seed) {}

    void run() {
        begin_ = monotonic_now();
        while (!has_ended()) send_what_is_due();
        socket_.flush();
        const Duration took = monotonic_now() - begin_;
        if (options_.answer_ms != 0) answer_with_resets();
        report(took);
    }

private:
    static constexpr uint64_t at_once_max = 64;

    bool has_ended() {
        if (seconds() >= options_.seconds_max) return true;
        if (made_count_ < options_.count) return false;
        // With an answering part, that is what the input's end ends.
        return !options_.until_input_ends || options_.answer_ms != 0 || input_has_ended();
    }

    double seconds() const { return (monotonic_now() - begin_).seconds(); }

    void send_what_is_due() {
        if (options_.needs_watch()) watch_what_passes();
        uint64_t due = at_once_max;
        if (options_.per_second != 0) {
            const auto by_now =
                static_cast<uint64_t>(seconds() * static_cast<double>(options_.per_second));
            // Time in which nothing could be made isn't made up for.
            if (by_now > turns_count_ + 16 * at_once_max) turns_count_ = by_now - at_once_max;
            due = std::min(at_once_max, by_now - std::min(by_now, turns_count_));
        }
        if (due == 0) {
            ::usleep(200);
            return;
        }
        for (uint64_t made = 0; made < due; ++made) make_one();
        socket_.flush();
    }

    void make_one() {
        const Attack attack = options_.attacks[turns_count_++ % options_.attacks.size()];
        const std::span<uint8_t> room = socket_.room();
        const size_t bytes = attack == Attack::syn
                                 ? attacks_.write_syn(socket_.mac(), options_.server, room)
                                 : attacks_.write(attack, room);
        if (bytes == 0) return;
        socket_.commit(bytes);
        ++made_count_;
        ++made_counts_[static_cast<size_t>(attack)];
    }

    void watch_what_passes() {
        for (Bytes frame = socket_.receive(); !frame.empty(); frame = socket_.receive()) {
            watch_.take(frame);
        }
    }

    // As hosts do that are there but haven't asked: exactly at what the SYN-ACK acknowledges.
    void answer_with_resets() {
        const Instant end = monotonic_now() + Duration::ms(options_.answer_ms);
        while (monotonic_now() < end && !(options_.until_input_ends && input_has_ended())) {
            const Bytes frame = socket_.receive();
            if (frame.empty()) {
                socket_.flush();
                ::usleep(500);
            } else if (is_syn_ack(frame)) {
                answer(frame);
            }
        }
        socket_.flush();
    }

    bool is_syn_ack(Bytes frame) const {
        if (frame.size() < ethernet_bytes + ipv4_bytes + 20 || frame[14] != 0x45) return false;
        ByteReader in(frame.subspan(ethernet_bytes + 9));
        if (in.u8() != 6) return false;
        in.u16();
        if (in.u32() != options_.server.address) return false;
        const bool is_to_nobody = in.u32() >> 24 != options_.server.address >> 24;
        return is_to_nobody && in.u16() == options_.server.port &&
               frame[ethernet_bytes + ipv4_bytes + 13] == (flag::syn | flag::ack);
    }

    void answer(Bytes frame) {
        ByteReader in(frame.subspan(ethernet_bytes + 16));
        TcpFields reset;
        reset.from.mac = socket_.mac();
        reset.to = options_.server;
        reset.from.address = in.u32();
        in.u16();
        reset.from.port = in.u16();
        in.u32();
        reset.seq = in.u32();
        reset.flags = flag::rst;
        socket_.commit(write_tcp_frame(socket_.room(), reset));
        ++answered_count_;
    }

    void report(Duration took) const {
        std::string kinds;
        for (size_t index = 0; index < attack_count; ++index) {
            if (made_counts_[index] == 0) continue;
            kinds += fmt::format(R"({}"{}":{})", kinds.empty() ? "" : ",",
                                 name_of(static_cast<Attack>(index)), made_counts_[index]);
        }
        fmt::print(R"({{"made":{},"sent":{},"refused":{},"seconds":{:.6f},"answered":{},)"
                   R"("kinds":{{{}}}}})"
                   "\n",
                   made_count_, socket_.sent_count() - answered_count_, socket_.refused_count(),
                   took.seconds(), answered_count_, kinds);
    }

    const FloodOptions options_;
    FloodSocket socket_;
    FloodWatch watch_;
    FloodAttacks attacks_;
    Instant begin_{};
    uint64_t turns_count_ = 0;  // of the attacks, made or not
    uint64_t made_count_ = 0;
    uint64_t answered_count_ = 0;
    std::array<uint64_t, attack_count> made_counts_{};
};

}  // namespace
}  // namespace millrace::test

int main(int count, char** arguments) {
    int status = 0;
    const auto options = millrace::test::parse_flood_options(count, arguments, status);
    if (!options) return status;
    try {
        millrace::test::Flood(*options).run();
    } catch (const std::system_error& error) {
        fmt::print(stderr, "flood: {}\n", error.what());
        return 1;
    }
    return 0;
}

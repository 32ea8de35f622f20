// A program that lets its server's clients go, at a rate and at once, and reads what the server has
// counted before, meanwhile and afterwards.
// The status is 0 when all of it worked, 77 where the kernel has no io_uring for us.
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "millrace/millrace.h"
#include "small_client.h"

namespace {

using namespace std::chrono_literals;

constexpr int skipped = 77;
constexpr auto patience = 60s;

// The first that doesn't hold ends the program.
#define EXPECT(condition)                                            \
    do {                                                             \
        if (!(condition)) {                                          \
            std::printf("line %d: not so: %s\n", __LINE__, #condition); \
            return false;                                            \
        }                                                            \
    } while (false)

std::unique_ptr<millrace::Server> make_server(uint32_t rate, millrace::Error& error) {
    millrace::Config config;
    config.listen = {{.host = "127.0.0.1", .port = 0}};
    config.shards.count = 2;
    config.shards.connections_max = 100;
    config.shards.memory_bytes_max = 64 * 1024 * 1024;
    config.drain.rate = rate;
    return millrace::Server::create(config, error);
}

using Clients = std::vector<SmallClient>;

bool connect_all(const millrace::Server& server, Clients& clients) {
    for (size_t index = 0; index < clients.size(); ++index) {
        EXPECT(clients[index].connect(server.ports().front(), "client-" + std::to_string(index)));
        EXPECT(clients[index].subscribe("news"));
    }
    EXPECT(server.stats().connections == clients.size());
    return true;
}

bool all_closed(Clients& clients) {
    for (SmallClient& client : clients) EXPECT(client.is_closed_by_peer());
    return true;
}

bool drains_at_a_rate(millrace::Server& server) {
    EXPECT(server.stats().bytes_received == 0);
    EXPECT(server.wait_until_drained(0ms));   // nothing runs
    server.drain();                           // so this does nothing
    EXPECT(!server.start());
    EXPECT(!server.wait_until_drained(0ms));
    Clients clients(5);
    EXPECT(connect_all(server, clients));

    const auto begin = std::chrono::steady_clock::now();
    server.drain();
    server.drain();
    EXPECT(!server.wait_until_drained(0ms));
    EXPECT(server.stats().connections <= clients.size());
    EXPECT(server.wait_until_drained(patience));
    // Five at 10 a second: the last has its turn after 400 ms at the earliest.
    EXPECT(std::chrono::steady_clock::now() - begin >= 390ms);
    EXPECT(all_closed(clients));
    const millrace::Stats after = server.stats();
    EXPECT(after.connections == 0);
    EXPECT(after.bytes_received > 100 && after.bytes_sent > 20);
    server.stop();
    EXPECT(server.stats().bytes_received == after.bytes_received);
    EXPECT(server.stats().bytes_sent == after.bytes_sent);
    server.drain();
    return true;
}

bool stop_cuts_a_drain_short(millrace::Server& server) {
    EXPECT(!server.start());
    Clients clients(90);   // at that rate longer than the test may take
    EXPECT(connect_all(server, clients));
    server.drain();
    server.stop();
    EXPECT(server.wait_until_drained(0ms));
    EXPECT(all_closed(clients));
    EXPECT(server.stats().connections == 0);
    return true;
}

bool drains_at_once(millrace::Server& server) {
    EXPECT(!server.start());
    Clients clients(5);
    EXPECT(connect_all(server, clients));
    server.drain();
    EXPECT(server.wait_until_drained(std::chrono::milliseconds::max()));   // however long
    EXPECT(all_closed(clients));
    EXPECT(server.stats().bytes_sent > 20);
    return true;
}

}  // namespace

int main() {
    struct Case {
        const char* name;
        uint32_t rate;
        bool (*run)(millrace::Server& server);
    };
    for (const Case& test : {Case{"a drain at a rate", 10, drains_at_a_rate},
                             Case{"stop() cuts a drain short", 1, stop_cuts_a_drain_short},
                             Case{"a drain at once", 0, drains_at_once}}) {
        millrace::Error error;
        const std::unique_ptr<millrace::Server> server = make_server(test.rate, error);
        if (server == nullptr) {
            std::printf("skipped: %s\n", error.message.c_str());
            return error.code == millrace::Errc::unsupported ? skipped : 1;
        }
        if (!test.run(*server)) {
            std::printf("failed: %s\n", test.name);
            return 1;
        }
        std::printf("passed: %s\n", test.name);
    }
    return 0;
}

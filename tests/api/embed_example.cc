// A broker inside your own program: start it, publish from the program, stop it.
// It needs the public headers and the library, no more; the client beside it is a plain socket.
// The status is 0 when all of it worked, 77 where the kernel has no io_uring for us.
#include <cstdio>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "millrace/millrace.h"
#include "small_client.h"

namespace {

constexpr int skipped = 77;

std::span<const uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

int failed(const char* what) {
    std::printf("failed: %s\n", what);
    return 1;
}

int failed(const char* what, const millrace::Error& error) {
    std::printf("failed: %s: %s\n", what, error.message.c_str());
    return 1;
}

millrace::Config small_config() {
    millrace::Config config;
    config.listen = {{.host = "127.0.0.1", .port = 0}};  // any free port
    config.shards.count = 2;
    config.shards.connections_max = 100;
    config.shards.memory_bytes_max = 64 * 1024 * 1024;
    return config;
}

bool expect(SmallClient& client, std::string_view topic, std::string_view payload, bool retain) {
    const auto message = client.receive();
    if (!message) return false;
    std::printf("received \"%s\" on %s%s\n", message->payload.c_str(), message->topic.c_str(),
                message->retain ? ", retained" : "");
    return message->topic == topic && message->payload == payload && message->retain == retain;
}

// Some keys may change while clients are connected; the result names those that may not.
int change_configuration(millrace::Server& server) {
    millrace::Config config = small_config();
    config.mqtt.maximum_packet_bytes = 1'000;
    config.shards.count = 3;
    const millrace::ReloadResult result = server.reload(config);
    if (result.error) return failed("reload", *result.error);
    if (result.changed.size() != 1 || result.refused.size() != 1) return failed("two keys differ");
    for (const millrace::ConfigChange& change : result.refused) {
        std::printf("%s stays %s until the next start\n", change.key.c_str(),
                    change.in_force.c_str());
    }
    const std::vector<uint8_t> payload(2'000);
    const auto fault = server.publish("example/long", payload);
    if (!fault || fault->code != millrace::Errc::too_large) return failed("the new limit holds");
    config.mqtt.maximum_qos = 3;
    if (!server.reload(config).error) return failed("refuse a wrong value");
    return 0;
}

// What clients see of the messages that the program publishes.
int talk(millrace::Server& server) {
    SmallClient client;
    if (!client.connect(server.ports().front(), "example-client")) return failed("connect");
    if (!client.subscribe("example/#")) return failed("subscribe");
    if (auto error = server.publish("example/greeting", bytes_of("hello"), 0)) {
        return failed("publish", *error);
    }
    if (!expect(client, "example/greeting", "hello", false)) return failed("the greeting");

    if (auto error = server.publish("example/status", bytes_of("ready"), 1, true)) {
        return failed("publish a retained message", *error);
    }
    if (!expect(client, "example/status", "ready", false)) return failed("the status");
    SmallClient late_client;
    if (!late_client.connect(server.ports().front(), "late-client")) return failed("connect");
    if (!late_client.subscribe("example/status")) return failed("subscribe");
    if (!expect(late_client, "example/status", "ready", true)) return failed("the kept status");

    const auto fault = server.publish("example/+", bytes_of("nobody"), 0);
    if (!fault || fault->code != millrace::Errc::invalid_argument) {
        return failed("a filter is not a topic to publish on");
    }
    const int reloaded = change_configuration(server);
    if (reloaded != 0) return reloaded;
    if (server.stats().connections != 2) return failed("two connections are counted");
    server.stop();
    return client.is_closed_by_peer() ? 0 : failed("stop() closes connections");
}

}  // namespace

int main() {
    millrace::Config wrong = small_config();
    wrong.mqtt.maximum_qos = 3;
    millrace::Error error;
    if (millrace::Server::create(wrong, error) != nullptr) return failed("refuse a wrong value");
    std::printf("refused: %s\n", error.message.c_str());

    const std::unique_ptr<millrace::Server> server =
        millrace::Server::create(small_config(), error);
    if (server == nullptr) {
        std::printf("skipped: %s\n", error.message.c_str());
        return error.code == millrace::Errc::unsupported ? skipped : 1;
    }
    if (auto fault = server->start()) return failed("start", *fault);
    std::printf("millrace %s: %s\n", MILLRACE_VERSION, server->description().c_str());
    return talk(*server);
}

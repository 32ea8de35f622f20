#include "flood_options.h"

#include <arpa/inet.h>

#include <cstdio>

#include "command_line.h"

namespace millrace::test {
namespace {

struct Texts {
    std::string server, server_mac, client;
    std::vector<std::string> attacks{"syn"};
};

Side parse_side(const std::string& option, const std::string& text) {
    const size_t colon = text.find(':');
    in_addr address{};
    const std::string host = text.substr(0, colon);
    const unsigned long port =
        colon == std::string::npos ? 0 : std::strtoul(text.c_str() + colon + 1, nullptr, 10);
    if (port == 0 || port > 65'535 || ::inet_pton(AF_INET, host.c_str(), &address) != 1) {
        throw CLI::ValidationError(option, text + " is no ADDRESS:PORT");
    }
    Side side;
    side.address = ntohl(address.s_addr);
    side.port = static_cast<uint16_t>(port);
    return side;
}

Mac parse_mac(const std::string& text) {
    Mac mac;
    char more = 0;
    const int fields = std::sscanf(text.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0],
                                   &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &more);
    if (fields != 6) throw CLI::ValidationError("--server-mac", text + " is no MAC address");
    return mac;
}

void declare(CLI::App& app, FloodOptions& options, Texts& texts) {
    app.add_option("--interface", options.interface, "where the frames go out")->required();
    app.add_option("--server", texts.server, "ADDRESS:PORT that is attacked")->required();
    app.add_option("--server-mac", texts.server_mac, "its station")->required();
    app.add_option("--client", texts.client, "ADDRESS:PORT of a client that has a connection");
    app.add_option("--attacks", texts.attacks, "which, in turns")->delimiter(',');
    app.add_option("--count", options.count, "at least that many frames");
    app.add_option("--rate", options.per_second, "frames a second; 0: as fast as it goes");
    app.add_flag("--until-input-ends", options.until_input_ends, "goes on until then");
    app.add_option("--seconds-max", options.seconds_max, "ends then in any case");
    app.add_option("--answer-ms", options.answer_ms,
                   "afterwards, answers SYN-ACKs by RSTs for that long");
    app.add_option("--window-bytes", options.window_bytes, "the server's receive window");
    app.add_option("--seed", options.seed, "of everything random");
}

// Throws what CLI11 reports a wrong value by.
void translate(const Texts& texts, FloodOptions& options) {
    options.server = parse_side("--server", texts.server);
    options.server.mac = parse_mac(texts.server_mac);
    if (!texts.client.empty()) options.client = parse_side("--client", texts.client);
    for (const std::string& name : texts.attacks) {
        const auto attack = attack_of(name);
        if (!attack) throw CLI::ValidationError("--attacks", "there is no " + name);
        if (*attack != Attack::syn && !options.needs_watch()) {
            throw CLI::ValidationError("--client", "is needed for " + name);
        }
        options.attacks.push_back(*attack);
    }
}

}  // namespace

std::optional<FloodOptions> parse_flood_options(int count, char** arguments, int& status) {
    CLI::App app("Sends hostile frames from an interface; reports in a line of JSON what it sent");
    FloodOptions options;
    Texts texts;
    declare(app, options, texts);
    if (!read_command_line(app, count, arguments, status, [&] { translate(texts, options); })) {
        return std::nullopt;
    }
    return options;
}

}  // namespace millrace::test

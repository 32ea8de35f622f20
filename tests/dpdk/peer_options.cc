#include "peer_options.h"

#include <map>

#include "command_line.h"

namespace millrace::test {
namespace {

struct Texts {
    std::string mac;
    std::vector<std::string> addresses;
    int64_t keepalive_idle_ms = 0;
    int64_t keepalive_interval_ms = 1'000;
    uint32_t receive_window_kib = 256;
    bool cookies_only = false;
    bool keep_half_open = false;
    bool spin = false;
};

void declare(CLI::App& app, PeerOptions& options, Texts& texts) {
    static const std::map<std::string, CongestionAlgorithm> algorithms{
        {"cubic", CongestionAlgorithm::cubic}, {"reno", CongestionAlgorithm::reno}};
    app.add_option("--device", options.port.device, "a DPDK device")->required();
    app.add_option("--mac", texts.mac, "our MAC address")->required();
    app.add_option("--address", texts.addresses, "our address with its prefix")->required();
    app.add_option("--mtu", options.port.mtu, "bytes behind the Ethernet header");
    app.add_option("--capture", options.port.capture_path, "a pcap file of what passes");
    app.add_option("--congestion", options.stack.tcp.congestion)
        ->transform(CLI::CheckedTransformer(algorithms));
    app.add_option("--window-kib", texts.receive_window_kib, "receive window");
    app.add_option("--keepalive-idle-ms", texts.keepalive_idle_ms, "0: no keep-alive");
    app.add_option("--keepalive-interval-ms", texts.keepalive_interval_ms);
    app.add_option("--keepalive-probes", options.stack.tcp.keepalive_probes_max);
    app.add_flag("--cookies-only", texts.cookies_only, "answer every SYN by a cookie");
    app.add_flag("--keep-half-open", texts.keep_half_open, "a peer's FIN doesn't close");
    app.add_flag("--spin", texts.spin, "never sleep");
}

// Throws what CLI11 reports a wrong value by.
void translate(const Texts& texts, PeerOptions& options) {
    Interface& interface = options.stack.interface;
    const auto mac = MacAddress::parse(texts.mac);
    if (!mac) throw CLI::ValidationError("--mac", texts.mac + " is no MAC address");
    interface.mac = *mac;
    options.port.mac = *mac;
    for (const std::string& text : texts.addresses) {
        const auto prefix = IpPrefix::parse(text);
        if (!prefix) throw CLI::ValidationError("--address", text + " is no address");
        interface.addresses.push_back(*prefix);
    }
    interface.mtu = options.port.mtu;
    TcpSettings& tcp = options.stack.tcp;
    tcp.keepalive_idle = Duration::ms(texts.keepalive_idle_ms);
    tcp.keepalive_interval = Duration::ms(texts.keepalive_interval_ms);
    tcp.receive_window_bytes = texts.receive_window_kib * 1024;
    options.stack.close_on_peer_fin = !texts.keep_half_open;
    options.stack.connections_max = 20'000;
    if (texts.cookies_only) options.stack.half_open.cookies_from = 0;
    if (texts.spin) options.stack.idle.mode = IdlePolicy::Mode::spin;
    options.port.huge_pages = false;  // so that no page of the machine's pool is needed
}

}  // namespace

std::optional<PeerOptions> parse_peer_options(int count, char** arguments, int& status) {
    CLI::App app("Our TCP as a process of its own, told on standard input what to do");
    PeerOptions options;
    Texts texts;
    declare(app, options, texts);
    if (!read_command_line(app, count, arguments, status, [&] { translate(texts, options); })) {
        return std::nullopt;
    }
    return options;
}

}  // namespace millrace::test

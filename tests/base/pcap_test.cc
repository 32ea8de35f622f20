#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <unistd.h>

#include "base/pcap.h"

using namespace millrace;

namespace {

const std::string connect_packet("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01" "a", 15);
const std::string connack_packet("\x20\x02\x00\x00", 4);

std::string publish_packet(uint32_t payload_bytes) {
    std::string packet = "\x30";
    for (uint32_t left = payload_bytes + 3; ;) {
        packet += static_cast<char>((left & 0x7f) | (left > 127 ? 0x80 : 0));
        left >>= 7;
        if (left == 0) break;
    }
    packet += std::string("\x00\x01t", 3);
    return packet + std::string(payload_bytes, 'x');
}

std::string whole(PcapWriter& pcap, double time_s, std::string_view client_id, bool is_from_client,
                  std::string_view bytes, bool opens = false) {
    return pcap.packet({time_s, client_id, is_from_client, bytes.size(), as_bytes(bytes), opens});
}

struct CaptureFile {
    explicit CaptureFile(const std::string& bytes)
        : path(std::filesystem::temp_directory_path() /
               ("millrace-pcap-" + std::to_string(::getpid()) + ".pcap")) {
        std::ofstream(path, std::ios::binary) << bytes;
    }
    ~CaptureFile() { std::filesystem::remove(path); }

    // What tshark prints, a line a frame.
    std::vector<std::string> read(const std::string& options) const {
        const std::string command = "tshark -n -r " + path.string() + " " + options + " 2>/dev/null";
        std::FILE* output = ::popen(command.c_str(), "r");
        REQUIRE(output != nullptr);
        std::vector<std::string> lines;
        std::array<char, 4096> line;
        while (std::fgets(line.data(), line.size(), output) != nullptr) {
            lines.emplace_back(line.data());
            while (!lines.back().empty() && lines.back().back() == '\n') lines.back().pop_back();
        }
        CHECK(::pclose(output) == 0);
        return lines;
    }

    std::filesystem::path path;
};

bool has_tshark() { return std::system("command -v tshark >/dev/null 2>&1") == 0; }

}  // namespace

TEST_CASE("pcap: a file is as long as its headers say, whatever is known of a packet") {
    PcapWriter pcap;
    CHECK(PcapWriter::file_header().size() == 24);
    constexpr size_t bare_frame = 16 + 40;
    // A handshake, and the packet.
    CHECK(whole(pcap, 1, "a", true, connect_packet, true).size() == 4 * bare_frame + 15);
    CHECK(pcap.packet({2, "a", false, 1'000, as_bytes("abc"), false}).size() == bare_frame + 3);
    CHECK(pcap.packet({2, "a", false, 1'000, {}, false}).size() == bare_frame);
    // A long one takes several segments, of which the first alone has data.
    CHECK(pcap.packet({2, "a", false, 130'000, as_bytes("abc"), false}).size() == 3 * bare_frame + 3);
    CHECK(pcap.closed(3, "a").size() == 2 * bare_frame);
    CHECK(pcap.closed(3, "a").empty());
    CHECK(pcap.closed(3, "unknown").empty());
}

TEST_CASE("pcap: tshark reads MQTT in it, and finds no fault with the TCP around it") {
    if (!has_tshark()) {
        MESSAGE("left out: tshark is not installed");
        return;
    }
    PcapWriter pcap;
    std::string bytes = PcapWriter::file_header();
    bytes += whole(pcap, 1'700'000'000.25, "a", true, connect_packet, true);
    bytes += whole(pcap, 1'700'000'000.5, "a", false, connack_packet);
    bytes += whole(pcap, 1'700'000'001, "b", true, connect_packet, true);
    bytes += whole(pcap, 1'700'000'002, "a", true, publish_packet(10));
    bytes += whole(pcap, 1'700'000'003, "b", false, publish_packet(100'000));
    bytes += pcap.packet({1'700'000'004, "b", false, publish_packet(500).size(),
                          as_bytes(publish_packet(500)).first(20), false});
    bytes += whole(pcap, 1'700'000'005, "b", false, publish_packet(2));
    bytes += pcap.closed(1'700'000'006, "a");
    bytes += whole(pcap, 1'700'000'007, "a", true, connect_packet, true);
    const CaptureFile file(bytes);

    const auto types = file.read("-Y mqtt -T fields -e tcp.stream -e mqtt.msgtype");
    CHECK(types == std::vector<std::string>{"0\t1", "0\t2", "1\t1", "0\t3", "1\t3", "1\t3", "1\t3",
                                            "2\t1"});
    CHECK(file.read("-Y 'tcp.analysis.flags || _ws.malformed || ip.checksum.status == 0' "
                    "-o ip.check_checksum:TRUE -T fields -e frame.number").empty());
    const auto times = file.read("-c 1 -T fields -e frame.time_epoch -e ip.src -e tcp.dstport");
    CHECK(times == std::vector<std::string>{"1700000000.250000000\t10.1.0.1\t1883"});
}

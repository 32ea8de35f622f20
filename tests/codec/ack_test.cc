// PUBACK, PUBREC, PUBREL, PUBCOMP.
#include "codec/packet_equal.h"
#include "codec/verdict_table.h"

using namespace millrace;
using namespace millrace::mqtt;

namespace {

constexpr PacketType ack_types[] = {PacketType::puback, PacketType::pubrec, PacketType::pubrel,
                                    PacketType::pubcomp};

}  // namespace

TEST_CASE("ack: the short forms of 3.4.2.1 are read") {
    for (const PacketType type : ack_types) {
        check_verdicts({Version::v5, type}, {
            {"id", "00 01", Reason::success},
            {"id and reason", "00 01 00", Reason::success},
            {"all", "00 01 00 {}", Reason::success},
            {"reason string", "00 01 00 {1f <why>}", Reason::success},
            {"id 0", "00 00", Reason::protocol_error},
            {"empty", "", Reason::malformed_packet},
            {"half an id", "00", Reason::malformed_packet},
            {"trailing byte", "00 01 00 {} 00", Reason::malformed_packet},
            {"properties past the end", "00 01 00 01", Reason::malformed_packet},
        });
        check_verdicts({Version::v3_1_1, type}, {
            {"id", "00 01", Reason::success},
            {"id 0", "00 00", Reason::protocol_error},
            {"trailing byte", "00 01 00", Reason::malformed_packet},
            {"half an id", "01", Reason::malformed_packet},
        });
        check_every_cut({Version::v5, type}, "00 01 00 {1f <why> 26 <a> <b>}", {2, 3});
    }
}

TEST_CASE("ack: the reasons of each type are those of its table") {
    const std::vector<uint8_t> first{0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
    const std::vector<uint8_t> second{0x00, 0x92};
    for (const PacketType type : ack_types) {
        const bool is_first = type == PacketType::puback || type == PacketType::pubrec;
        const std::vector<uint8_t>& legal = is_first ? first : second;
        for (uint32_t code = 0; code < 256; ++code) {
            const bool is_legal = std::ranges::count(legal, code) == 1;
            const Wire body{0, 1, static_cast<uint8_t>(code)};
            const Reason expected = is_legal ? Reason::success : Reason::protocol_error;
            CHECK(verdict({Version::v5, type}, body) == expected);
        }
    }
}

TEST_CASE("ack: what has its default isn't written") {
    struct Row {
        Ack ack;
        std::string_view packet;
    };
    const Wire section = wire("26 <a> <b>");
    const Row rows[] = {
        {{.packet_id = 258}, "40 02 01 02"},
        {{.packet_id = 1, .reason = Reason::no_matching_subscribers}, "40 03 00 01 10"},
        {{.packet_id = 1, .reason_string = "why"}, "40 0a 00 01 00 {1f <why>}"},
        {{.packet_id = 1, .user = {section}}, "40 0b 00 01 00 {26 <a> <b>}"},
    };
    for (const Row& row : rows) {
        CHECK(encode_packet({Version::v5, PacketType::puback}, row.ack) == wire(row.packet));
    }
}

TEST_CASE("ack: 3.1.1 has the packet id alone, and PUBREL its reserved flags") {
    const Ack ack{.packet_id = 5, .reason = Reason::quota_exceeded, .reason_string = "full"};
    CHECK(encode_packet({Version::v3_1_1, PacketType::puback}, ack) == wire("40 02 00 05"));
    CHECK(encode_packet({Version::v3_1_1, PacketType::pubrec}, ack) == wire("50 02 00 05"));
    CHECK(encode_packet({Version::v3_1_1, PacketType::pubrel}, ack) == wire("62 02 00 05"));
    CHECK(encode_packet({Version::v5, PacketType::pubcomp}, Ack{.packet_id = 5}) ==
          wire("70 02 00 05"));
}

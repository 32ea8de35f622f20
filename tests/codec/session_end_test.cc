// DISCONNECT, AUTH, PINGREQ and PINGRESP.
#include "codec/packet_equal.h"
#include "codec/verdict_table.h"

using namespace millrace;
using namespace millrace::mqtt;

namespace {

constexpr Kind disconnect_v3{Version::v3_1_1, PacketType::disconnect};
constexpr Kind disconnect_v5{Version::v5, PacketType::disconnect};
constexpr Kind auth_v5{Version::v5, PacketType::auth};

}  // namespace

TEST_CASE("disconnect: the short forms of 3.14.2 are read") {
    check_verdicts(disconnect_v5, {
        {"nothing", "", Reason::success},
        {"reason", "04", Reason::success},
        {"all", "00 {}", Reason::success},
        {"properties", "8e {11 00000005 1f <why> 1c <there> 26 <a> <b>}", Reason::success},
        {"trailing byte", "00 {} 00", Reason::malformed_packet},
        {"properties past the end", "00 05", Reason::malformed_packet},
    });
    check_verdicts(disconnect_v3, {
        {"nothing", "", Reason::success},
        {"a body", "00", Reason::malformed_packet},
    });
    check_every_cut(disconnect_v5, "8e {11 00000005 1f <why> 26 <a> <b>}", {0, 1});
}

TEST_CASE("disconnect: the reasons are those of the table") {
    const std::vector<uint8_t> legal{0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c,
                                     0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
                                     0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2};
    for (uint32_t code = 0; code < 256; ++code) {
        const bool is_legal = std::ranges::count(legal, code) == 1;
        const Wire body{static_cast<uint8_t>(code)};
        CHECK(verdict(disconnect_v5, body) ==
              (is_legal ? Reason::success : Reason::protocol_error));
    }
}

TEST_CASE("disconnect: what has its default isn't written") {
    CHECK(encode_packet(disconnect_v5, Disconnect{}) == wire("e0 00"));
    CHECK(encode_packet(disconnect_v5, Disconnect{.reason = Reason::server_busy}) ==
          wire("e0 01 89"));
    CHECK(encode_packet(disconnect_v5, Disconnect{.session_expiry_s = 0}) ==
          wire("e0 07 00 {11 00000000}"));
    CHECK(encode_packet(disconnect_v3, Disconnect{.reason = Reason::server_busy}) ==
          wire("e0 00"));
}

TEST_CASE("auth: bodies are checked") {
    check_verdicts(auth_v5, {
        {"nothing", "", Reason::success},
        {"success without properties", "00 {}", Reason::success},
        {"continue", "18 {15 <m> 16 <d>}", Reason::success},
        {"again", "19 {15 <m>}", Reason::success},
        {"continue without method", "18 {}", Reason::protocol_error},
        {"success without method", "00 {1f <why>}", Reason::protocol_error},
        {"data without method", "00 {16 <d>}", Reason::protocol_error},
        {"no properties", "18", Reason::malformed_packet},
        {"trailing byte", "18 {15 <m>} 00", Reason::malformed_packet},
        {"another reason", "80 {15 <m>}", Reason::protocol_error},
    });
    check_verdicts({Version::v3_1_1, PacketType::auth},
                   {{"reserved type", "", Reason::malformed_packet}});
    check_every_cut(auth_v5, "18 {15 <m> 16 <d>}", {0});
    CHECK(encode_packet(auth_v5, Auth{}) == wire("f0 00"));
    CHECK(encode_packet(auth_v5, Auth{.reason = Reason::reauthenticate, .method = "m"}) ==
          wire("f0 06 19 {15 <m>}"));
}

TEST_CASE("ping: there is no body") {
    for (const PacketType type : {PacketType::pingreq, PacketType::pingresp}) {
        check_verdicts({Version::v5, type}, {{"nothing", "", Reason::success},
                                             {"a body", "00", Reason::malformed_packet}});
    }
}

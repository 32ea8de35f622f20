// SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK.
#include "codec/packet_equal.h"
#include "codec/verdict_table.h"

using namespace millrace;
using namespace millrace::mqtt;

namespace {

constexpr Kind subscribe_v3{Version::v3_1_1, PacketType::subscribe};
constexpr Kind subscribe_v5{Version::v5, PacketType::subscribe};
constexpr Kind unsubscribe_v3{Version::v3_1_1, PacketType::unsubscribe};
constexpr Kind unsubscribe_v5{Version::v5, PacketType::unsubscribe};

}  // namespace

TEST_CASE("subscribe: the example of 3.8.3 is read") {
    const Wire body = wire("00 0a {} <a/b> 01 <c/d> 02");
    const Decoded<Subscribe> subscribe = decode_subscribe(Version::v5, body);
    REQUIRE(subscribe.has_value());
    CHECK(subscribe->packet_id == 10);
    CHECK_FALSE(subscribe->subscription_id.has_value());
    REQUIRE(subscribe->count() == 2);
    const std::vector<SubscribeEntry> list = entries(*subscribe);
    CHECK(list[0].filter == "a/b");
    CHECK(list[0].options.qos == Qos::at_least_once);
    CHECK(list[1].filter == "c/d");
    CHECK(list[1].options.qos == Qos::exactly_once);
}

TEST_CASE("subscribe: every option bit and property arrives") {
    const Wire body = wire("00 01 {0b ff ff ff 7f 26 <k> <v>} <a> 2d");
    const Decoded<Subscribe> subscribe = decode_subscribe(Version::v5, body);
    REQUIRE(subscribe.has_value());
    CHECK(subscribe->subscription_id == 268'435'455);
    CHECK(pairs(subscribe->user).size() == 1);
    const SubscriptionOptions options = entries(*subscribe)[0].options;
    CHECK(options.qos == Qos::at_least_once);
    CHECK(options.no_local);
    CHECK(options.retain_as_published);
    CHECK(options.retain_handling == RetainHandling::do_not_send);
}

TEST_CASE("subscribe: every options byte gets the verdict of its version") {
    for (uint32_t byte = 0; byte < 256; ++byte) {
        INFO(byte);
        Reason expected = Reason::success;
        if ((byte & 3) == 3 || (byte >> 4 & 3) == 3) expected = Reason::protocol_error;
        if (byte >= 0x40) expected = Reason::malformed_packet;
        const Wire end{static_cast<uint8_t>(byte)};
        CHECK(verdict(subscribe_v5, wire("00 01 {} <a>") + end) == expected);
        const Reason expected_v3 = byte <= 2 ? Reason::success : Reason::malformed_packet;
        CHECK(verdict(subscribe_v3, wire("00 01 <a>") + end) == expected_v3);
    }
}

TEST_CASE("subscribe: bodies are checked") {
    check_verdicts(subscribe_v5, {
        {"id 0", "00 00 {} <a> 00", Reason::protocol_error},
        {"no filter", "00 01 {}", Reason::protocol_error},
        {"no properties", "00 01", Reason::malformed_packet},
        {"no options", "00 01 {} <a>", Reason::malformed_packet},
        {"identifier 0", "00 01 {0b 00} <a> 00", Reason::protocol_error},
        {"two identifiers", "00 01 {0b 01 0b 02} <a> 00", Reason::protocol_error},
        {"filter not UTF-8", "00 01 {} 0001 ff 00", Reason::malformed_packet},
        {"second is malformed", "00 01 {} <a> 00 <b> 40", Reason::malformed_packet},
        {"no local", "00 01 {} <a> 04", Reason::success},
        {"no local, shared", "00 01 {} <$share/g/a> 04", Reason::protocol_error},
        {"shared", "00 01 {} <$share/g/a> 00", Reason::success},
        {"bad filters pass, to fail alone", "00 01 {} <a#b> 00 <> 01 <ok> 02", Reason::success},
    });
    check_verdicts(subscribe_v3, {
        {"id 0", "00 00 <a> 00", Reason::protocol_error},
        {"no filter", "00 01", Reason::protocol_error},
        {"no options", "00 01 <a>", Reason::malformed_packet},
        {"half an id", "00", Reason::malformed_packet},
        {"bad filters pass, to fail alone", "00 01 <a#b> 00 <> 01 <ok> 02", Reason::success},
    });
    check_every_cut(subscribe_v5, "00 01 {0b 05} <a> 00 <b> 01", {9});
    check_every_cut(subscribe_v3, "00 01 <a> 00 <b> 01", {6});
}

TEST_CASE("subscribe: a received packet is written again, for either version") {
    const Wire body = wire("00 01 {0b 05} <a> 2d <b> 02");
    const Decoded<Subscribe> subscribe = decode_subscribe(Version::v5, body);
    REQUIRE(subscribe.has_value());
    CHECK(encode_packet(subscribe_v5, *subscribe) == wire("82 0d") + body);
    CHECK(encode_packet(subscribe_v3, *subscribe) == wire("82 0a 00 01 <a> 01 <b> 02"));
}

TEST_CASE("suback: the codes of each version are those of its table") {
    const std::vector<uint8_t> suback_v5{0x00, 0x01, 0x02, 0x80, 0x83, 0x87,
                                         0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2};
    const std::vector<uint8_t> suback_v3{0x00, 0x01, 0x02, 0x80};
    const std::vector<uint8_t> unsuback{0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91};
    const auto expected = [](const std::vector<uint8_t>& legal, uint32_t code) {
        const bool is_legal = std::ranges::count(legal, code) == 1;
        return is_legal ? Reason::success : Reason::protocol_error;
    };
    for (uint32_t code = 0; code < 256; ++code) {
        const Wire end{0x00, static_cast<uint8_t>(code)};
        const Wire v5 = wire("00 01 {}") + end;
        const Wire v3 = wire("00 01") + end;
        CHECK(verdict({Version::v5, PacketType::suback}, v5) == expected(suback_v5, code));
        CHECK(verdict({Version::v3_1_1, PacketType::suback}, v3) == expected(suback_v3, code));
        CHECK(verdict({Version::v5, PacketType::unsuback}, v5) == expected(unsuback, code));
    }
}

TEST_CASE("suback: bodies are checked") {
    for (const PacketType type : {PacketType::suback, PacketType::unsuback}) {
        check_verdicts({Version::v5, type}, {
            {"one", "00 01 {} 00", Reason::success},
            {"with properties", "00 01 {1f <why> 26 <a> <b>} 00 80", Reason::success},
            {"none", "00 01 {}", Reason::protocol_error},
            {"id 0", "00 00 {} 00", Reason::protocol_error},
            {"no properties", "00 01", Reason::malformed_packet},
        });
    }
    check_verdicts({Version::v3_1_1, PacketType::suback}, {
        {"none", "00 01", Reason::protocol_error},
        {"id 0", "00 00 00", Reason::protocol_error},
        {"half an id", "00", Reason::malformed_packet},
    });
    check_verdicts({Version::v3_1_1, PacketType::unsuback}, {
        {"id", "00 01", Reason::success},
        {"id 0", "00 00", Reason::protocol_error},
        {"a code", "00 01 00", Reason::malformed_packet},
    });
}

TEST_CASE("suback: the codes lie in the packet, and 3.1.1 knows one failure") {
    const Wire body = wire("00 01 {} 00 01 02 87");
    const Decoded<SubscribeAck> ack =
        decode_subscribe_ack(Version::v5, PacketType::suback, body);
    REQUIRE(ack.has_value());
    REQUIRE(ack->reasons.size() == 4);
    CHECK(ack->reasons[2] == Reason::granted_qos_2);
    CHECK(ack->reasons[3] == Reason::not_authorized);
    CHECK(encode_packet({Version::v3_1_1, PacketType::suback}, *ack) ==
          wire("90 06 00 01 00 01 02 80"));
    CHECK(encode_packet({Version::v3_1_1, PacketType::unsuback}, *ack) == wire("b0 02 00 01"));
}

TEST_CASE("unsubscribe: bodies are checked") {
    check_verdicts(unsubscribe_v5, {
        {"two", "00 01 {} <a/b> <c/d>", Reason::success},
        {"user property", "00 01 {26 <a> <b>} <a>", Reason::success},
        {"no filter", "00 01 {}", Reason::protocol_error},
        {"id 0", "00 00 {} <a>", Reason::protocol_error},
        {"no properties", "00 01", Reason::malformed_packet},
        {"filter past the end", "00 01 {} 0002 61", Reason::malformed_packet},
        {"filter not UTF-8", "00 01 {} <a> 0001 80", Reason::malformed_packet},
        {"bad filter", "00 01 {} <a#b>", Reason::success},
    });
    check_verdicts(unsubscribe_v3, {
        {"two", "00 01 <a/b> <c/d>", Reason::success},
        {"no filter", "00 01", Reason::protocol_error},
        {"id 0", "00 00 <a>", Reason::protocol_error},
        {"half a length", "00 01 <a> 00", Reason::malformed_packet},
    });
    const Wire body = wire("00 01 {} <a/b> <>");
    const Decoded<Unsubscribe> unsubscribe = decode_unsubscribe(Version::v5, body);
    REQUIRE(unsubscribe.has_value());
    CHECK(unsubscribe->count() == 2);
    CHECK(filters(*unsubscribe) == std::vector<std::string_view>{"a/b", ""});
    check_every_cut(unsubscribe_v5, "00 01 {26 <a> <b>} <a> <b>", {13});
}

// CONNECT and CONNACK, field by field.
#include "codec/packet_equal.h"
#include "codec/verdict_table.h"

using namespace millrace;
using namespace millrace::mqtt;

namespace {
constexpr Kind connect_kind{Version::v5, PacketType::connect};
constexpr Kind connack_v5{Version::v5, PacketType::connack};
constexpr Kind connack_v3{Version::v3_1_1, PacketType::connack};
}  // namespace

TEST_CASE("connect: the example of 3.1.1 is read") {
    // Figure 3.6: will QoS 1 without retain, clean session, user name and password; keep alive 10.
    const Wire body = wire("<MQTT> 04 ce 00 0a <id> <will/t> <bye> <me> <secret>");
    const Decoded<Connect> connect = decode_connect(body);
    REQUIRE(connect.has_value());
    CHECK(connect->version == Version::v3_1_1);
    CHECK(connect->clean_start);
    CHECK(connect->keep_alive_s == 10);
    CHECK(connect->client_id == "id");
    REQUIRE(connect->will.has_value());
    CHECK(connect->will->topic == "will/t");
    CHECK(as_text(connect->will->payload) == "bye");
    CHECK(connect->will->qos == Qos::at_least_once);
    CHECK_FALSE(connect->will->retain);
    CHECK(connect->user_name == "me");
    CHECK(as_text(*connect->password) == "secret");
}

TEST_CASE("connect: the example of 5.0 is read, and absent properties have their defaults") {
    // Figure 3-6 with its session expiry interval of 10.
    const Wire body = wire("<MQTT> 05 02 00 0a {11 0000000a} <>");
    const Decoded<Connect> connect = decode_connect(body);
    REQUIRE(connect.has_value());
    CHECK(connect->version == Version::v5);
    CHECK(connect->session_expiry_s == 10);
    CHECK(connect->receive_maximum == 65'535);
    CHECK_FALSE(connect->maximum_packet_bytes.has_value());
    CHECK(connect->topic_alias_maximum == 0);
    CHECK_FALSE(connect->request_response_information);
    CHECK(connect->request_problem_information);
    CHECK_FALSE(connect->user.any());
    CHECK_FALSE(connect->will.has_value());
}

TEST_CASE("connect: every property of 5.0 arrives in its field") {
    const Wire body = wire(
        "<MQTT> 05 26 00 00 {11 ffffffff 21 0014 27 00010000 22 0007 19 01 17 00"
        " 26 <a> <b> 15 <SCRAM> 16 <\xff> 26 <a> <c>} <id>"
        " {18 00000005 01 01 02 0000003c 03 <text> 08 <re/ply> 09 <42> 26 <w> <v>} <t> <p>");
    const Decoded<Connect> connect = decode_connect(body);
    REQUIRE(connect.has_value());
    CHECK(connect->session_expiry_s == 0xffffffff);
    CHECK(connect->receive_maximum == 20);
    CHECK(connect->maximum_packet_bytes == 65'536);
    CHECK(connect->topic_alias_maximum == 7);
    CHECK(connect->request_response_information);
    CHECK_FALSE(connect->request_problem_information);
    CHECK(connect->authentication_method == "SCRAM");
    CHECK(as_text(*connect->authentication_data) == "\xff");
    const std::vector<std::pair<std::string, std::string>> user{{"a", "b"}, {"a", "c"}};
    CHECK(pairs(connect->user) == user);
    const WillProperties& will = connect->will.value().properties;
    CHECK(connect->will->retain);
    CHECK(will.delay_interval_s == 5);
    CHECK(will.payload_format == 1);
    CHECK(will.message_expiry_s == 60);
    CHECK(will.content_type == "text");
    CHECK(will.response_topic == "re/ply");
    CHECK(as_text(*will.correlation_data) == "42");
    CHECK(pairs(will.user).size() == 1);
}

TEST_CASE("connect: name and level are judged first") {
    check_verdicts(connect_kind, {
        {"MQTT 3.1", "<MQIsdp> 03 02 00 0a <id>", Reason::unsupported_protocol_version},
        {"another name", "<mqtt> 04 02 00 0a <id>", Reason::unsupported_protocol_version},
        {"level 3", "<MQTT> 03 02 00 0a <id>", Reason::unsupported_protocol_version},
        {"level 6", "<MQTT> 06 02 00 0a {} <id>", Reason::unsupported_protocol_version},
        {"bridge bit", "<MQTT> 84 02 00 0a <id>", Reason::unsupported_protocol_version},
        {"level 6, all else unknown", "<MQTT> 06 ff", Reason::unsupported_protocol_version},
        {"no level", "<MQTT>", Reason::malformed_packet},
        {"no body", "", Reason::malformed_packet},
        {"name not UTF-8", "0004 ff 'QTT' 04 02 000a <id>", Reason::malformed_packet},
    });
}

TEST_CASE("connect: flags that contradict each other are malformed") {
    const Reason bad = Reason::malformed_packet;
    check_verdicts(connect_kind, {
        {"reserved bit, 3.1.1", "<MQTT> 04 03 00 0a <id>", bad},
        {"reserved bit, 5.0", "<MQTT> 05 03 00 0a {} <id>", bad},
        {"will QoS 3", "<MQTT> 05 1e 00 0a {} <id> {} <t> <p>", bad},
        {"will QoS without will", "<MQTT> 05 0a 00 0a {} <id>", bad},
        {"will QoS 2 without will", "<MQTT> 04 12 00 0a <id>", bad},
        {"will retain without will", "<MQTT> 05 22 00 0a {} <id>", bad},
        {"password alone, 3.1.1", "<MQTT> 04 42 00 0a <id> <pw>", bad},
        {"password alone, 5.0", "<MQTT> 05 42 00 0a {} <id> <pw>", Reason::success},
        {"user name alone, 3.1.1", "<MQTT> 04 82 00 0a <id> <me>", Reason::success},
        {"all flags", "<MQTT> 05 f6 00 0a {} <id> {} <t> <p> <me> <pw>", Reason::success},
    });
}

TEST_CASE("connect: the payload has what the flags say and no more") {
    const Reason bad = Reason::malformed_packet;
    check_verdicts(connect_kind, {
        {"trailing byte, 3.1.1", "<MQTT> 04 02 00 0a <id> 00", bad},
        {"trailing byte, 5.0", "<MQTT> 05 02 00 0a {} <id> 00", bad},
        {"no client id", "<MQTT> 04 02 00 0a", bad},
        {"no user name", "<MQTT> 04 82 00 0a <id>", bad},
        {"no password", "<MQTT> 04 c2 00 0a <id> <me>", bad},
        {"no will message", "<MQTT> 04 06 00 0a <id> <t>", bad},
        {"no properties", "<MQTT> 05 02 00 0a", bad},
        {"properties past the end", "<MQTT> 05 02 00 0a 05 11 0000", bad},
        {"client id not UTF-8", "<MQTT> 04 02 00 0a 0002 c0 80", bad},
        {"client id with U+0000", "<MQTT> 04 02 00 0a 0001 00", bad},
        {"user name not UTF-8", "<MQTT> 04 82 00 0a <id> 0003 ed a0 80", bad},
        {"password of any bytes", "<MQTT> 04 c2 00 0a <id> <me> 0003 ed a0 00", Reason::success},
        {"empty will message", "<MQTT> 04 06 00 0a <id> <t> <>", Reason::success},
    });
    check_every_cut(connect_kind, "<MQTT> 04 ce 00 0a <id> <will/t> <bye> <me> <secret>");
    check_every_cut(connect_kind,
                    "<MQTT> 05 ce 00 0a {11 00000001 26 <a> <b>} <id> {18 00000001} <t> <p> <me>"
                    " <secret>");
}

TEST_CASE("connect: an empty client id needs a clean session in 3.1.1 only") {
    check_verdicts(connect_kind, {
        {"3.1.1, clean", "<MQTT> 04 02 00 0a <>", Reason::success},
        {"3.1.1, kept", "<MQTT> 04 00 00 0a <>", Reason::client_identifier_not_valid},
        {"3.1.1, kept and malformed", "<MQTT> 04 00 00 0a <> 00", Reason::malformed_packet},
        {"5.0, kept", "<MQTT> 05 00 00 0a {} <>", Reason::success},
    });
}

TEST_CASE("connect: the will is checked like the publish that it will become") {
    check_verdicts(connect_kind, {
        {"empty topic", "<MQTT> 04 06 00 0a <id> <> <p>", Reason::topic_name_invalid},
        {"wildcard topic", "<MQTT> 05 06 00 0a {} <id> {} <a/#> <p>", Reason::topic_name_invalid},
        {"topic not UTF-8", "<MQTT> 04 06 00 0a <id> 0001 ff <p>", Reason::malformed_packet},
        {"text", "<MQTT> 05 06 00 0a {} <id> {01 01} <t> <p>", Reason::success},
        {"not text", "<MQTT> 05 06 00 0a {} <id> {01 01} <t> 0001 ff",
         Reason::payload_format_invalid},
        {"bytes", "<MQTT> 05 06 00 0a {} <id> {01 00} <t> 0001 ff", Reason::success},
        {"response wildcard", "<MQTT> 05 06 00 0a {} <id> {08 <a/+>} <t> <p>",
         Reason::protocol_error},
    });
}

TEST_CASE("connect: authentication data needs a method") {
    check_verdicts(connect_kind, {
        {"method", "<MQTT> 05 02 00 0a {15 <m>} <id>", Reason::success},
        {"both", "<MQTT> 05 02 00 0a {16 <d> 15 <m>} <id>", Reason::success},
        {"data", "<MQTT> 05 02 00 0a {16 <d>} <id>", Reason::protocol_error},
    });
}

TEST_CASE("connack: flags and reasons are checked") {
    check_verdicts(connack_v5, {
        {"success", "00 00 {}", Reason::success},
        {"present", "01 00 {}", Reason::success},
        {"reserved flag", "02 00 {}", Reason::malformed_packet},
        {"present with an error", "01 87 {}", Reason::protocol_error},
        {"error", "00 87 {}", Reason::success},
        {"unknown reason", "00 01 {}", Reason::protocol_error},
        {"a reason of DISCONNECT", "00 8d {}", Reason::protocol_error},
        {"no properties", "00 00", Reason::malformed_packet},
        {"trailing byte", "00 00 {} 00", Reason::malformed_packet},
        {"data without method", "00 00 {16 <d>}", Reason::protocol_error},
    });
    check_verdicts(connack_v3, {
        {"success", "00 00", Reason::success},
        {"present", "01 00", Reason::success},
        {"present with an error", "01 05", Reason::protocol_error},
        {"reserved flag", "80 00", Reason::malformed_packet},
        {"reserved code", "00 06", Reason::protocol_error},
        {"trailing byte", "00 00 00", Reason::malformed_packet},
        {"short", "00", Reason::malformed_packet},
    });
    check_every_cut(connack_v5, "00 00 {11 00000001 12 <id> 26 <a> <b>}");
}

TEST_CASE("connack: every property arrives in its field") {
    const Wire body = wire(
        "01 00 {11 00000009 21 0003 24 01 25 00 27 00000064 12 <new> 22 0005 1f <why> 26 <a> <b>"
        " 28 01 29 00 2a 01 13 003c 1a <resp> 1c <other> 15 <m> 16 <d>}");
    const Decoded<Connack> connack = decode_connack(Version::v5, body);
    REQUIRE(connack.has_value());
    CHECK(connack->session_present);
    CHECK(connack->session_expiry_s == 9);
    CHECK(connack->receive_maximum == 3);
    CHECK(connack->maximum_qos == Qos::at_least_once);
    CHECK(connack->retain_available == false);
    CHECK(connack->maximum_packet_bytes == 100);
    CHECK(connack->assigned_client_id == "new");
    CHECK(connack->topic_alias_maximum == 5);
    CHECK(connack->reason_string == "why");
    CHECK(pairs(connack->user).size() == 1);
    CHECK(connack->wildcard_subscription_available == true);
    CHECK(connack->subscription_identifiers_available == false);
    CHECK(connack->shared_subscription_available == true);
    CHECK(connack->server_keep_alive_s == 60);
    CHECK(connack->response_information == "resp");
    CHECK(connack->server_reference == "other");
    CHECK(connack->authentication_method == "m");
    CHECK(as_text(*connack->authentication_data) == "d");
}

TEST_CASE("connack: 3.1.1 gets the nearest return code, and gives its reason back") {
    struct Row {
        Reason reason;
        uint8_t code;
        Reason back;
    };
    constexpr Row rows[] = {
        {Reason::success, 0, Reason::success},
        {Reason::unsupported_protocol_version, 1, Reason::unsupported_protocol_version},
        {Reason::client_identifier_not_valid, 2, Reason::client_identifier_not_valid},
        {Reason::server_unavailable, 3, Reason::server_unavailable},
        {Reason::server_busy, 3, Reason::server_unavailable},
        {Reason::quota_exceeded, 3, Reason::server_unavailable},
        {Reason::unspecified_error, 3, Reason::server_unavailable},
        {Reason::bad_user_name_or_password, 4, Reason::bad_user_name_or_password},
        {Reason::not_authorized, 5, Reason::not_authorized},
        {Reason::banned, 5, Reason::not_authorized},
    };
    for (const Row& row : rows) {
        const Wire packet = encode_packet(connack_v3, Connack{.reason = row.reason});
        CHECK(packet == Wire{0x20, 0x02, 0x00, row.code});
        CHECK(decode_connack(Version::v3_1_1, Bytes(packet).subspan(2))->reason == row.back);
    }
}

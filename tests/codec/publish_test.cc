// PUBLISH, field by field.
#include "codec/packet_equal.h"
#include "codec/verdict_table.h"

using namespace millrace;
using namespace millrace::mqtt;

namespace {

constexpr Kind qos_0_v3{Version::v3_1_1, PacketType::publish, 0};
constexpr Kind qos_1_v3{Version::v3_1_1, PacketType::publish, 2};
constexpr Kind qos_0_v5{Version::v5, PacketType::publish, 0};
constexpr Kind qos_2_v5{Version::v5, PacketType::publish, 4};

}  // namespace

TEST_CASE("publish: the example of 3.3.2 is read") {
    const Wire body = wire("<a/b> 00 0a 'hello'");
    const Decoded<Publish> publish = decode_publish(Version::v3_1_1, 0x0b, body);
    REQUIRE(publish.has_value());
    CHECK(publish->topic == "a/b");
    CHECK(publish->packet_id == 10);
    CHECK(publish->qos == Qos::at_least_once);
    CHECK(publish->duplicate);
    CHECK(publish->retain);
    CHECK(as_text(publish->payload) == "hello");
}

TEST_CASE("publish: every property of 5.0 arrives in its field") {
    const Wire body = wire(
        "<a> 00 01 {01 01 0b 07 02 0000000a 26 <k> <1> 23 0005 08 <re> 0b 80 01 09 <c> 03 <t>"
        " 26 <k> <2>} 'hi'");
    const Decoded<Publish> publish = decode_publish(Version::v5, 0x04, body);
    REQUIRE(publish.has_value());
    const PublishProperties& properties = publish->properties;
    CHECK(publish->qos == Qos::exactly_once);
    CHECK(properties.payload_format == 1);
    CHECK(properties.message_expiry_s == 10);
    CHECK(properties.topic_alias == 5);
    CHECK(properties.response_topic == "re");
    CHECK(as_text(*properties.correlation_data) == "c");
    CHECK(properties.content_type == "t");
    CHECK(ids(properties.subscription_ids) == std::vector<uint32_t>{7, 128});
    const std::vector<std::pair<std::string, std::string>> user{{"k", "1"}, {"k", "2"}};
    CHECK(pairs(properties.user) == user);
    CHECK(as_text(publish->payload) == "hi");
}

TEST_CASE("publish: what was received is borrowed, not copied") {
    const Wire body = wire("<topic> {} 'payload'");
    const Decoded<Publish> publish = decode_publish(Version::v5, 0, body);
    REQUIRE(publish.has_value());
    CHECK(as_bytes(publish->topic).data() == body.data() + 2);
    CHECK(publish->payload.data() == body.data() + 8);
    CHECK_FALSE(publish->properties.user.any());
    CHECK_FALSE(publish->properties.subscription_ids.any());
}

TEST_CASE("publish: illegal flags are malformed also where the fixed header wasn't read here") {
    for (const uint8_t flags : {6, 7, 8, 9, 14, 15}) {
        const Kind kind{Version::v5, PacketType::publish, flags};
        check_verdicts(kind, {{"flags", "<a> 00 01 {}", Reason::malformed_packet}});
    }
}

TEST_CASE("publish: topics are checked") {
    check_verdicts(qos_0_v3, {
        {"one character", "<a>", Reason::success},
        {"empty", "<>", Reason::topic_name_invalid},
        {"plus", "<a/+> 'x'", Reason::topic_name_invalid},
        {"hash", "<#>", Reason::topic_name_invalid},
        {"wildcard within a level", "<a+b>", Reason::topic_name_invalid},
        {"not UTF-8", "0001 ff", Reason::malformed_packet},
        {"surrogate", "0003 ed a0 80", Reason::malformed_packet},
        {"U+0000", "0003 61 00 62", Reason::malformed_packet},
        {"longer than the packet", "0005 61", Reason::malformed_packet},
        {"no body", "", Reason::malformed_packet},
    });
    check_verdicts(qos_0_v5, {
        {"empty", "<> {}", Reason::protocol_error},
        {"empty with alias", "<> {23 0001}", Reason::success},
        {"with alias", "<a> {23 ffff}", Reason::success},
        {"alias 0", "<a> {23 0000}", Reason::topic_alias_invalid},
        {"empty with alias 0", "<> {23 0000}", Reason::topic_alias_invalid},
        {"wildcard with alias", "<+> {23 0001}", Reason::topic_name_invalid},
    });
}

TEST_CASE("publish: a packet id stands at QoS 1 and 2 only, and isn't 0") {
    check_verdicts(qos_1_v3, {
        {"1", "<a> 00 01", Reason::success},
        {"0", "<a> 00 00", Reason::protocol_error},
        {"missing", "<a>", Reason::malformed_packet},
        {"cut", "<a> 00", Reason::malformed_packet},
    });
    check_verdicts(qos_2_v5, {
        {"65535", "<a> ff ff {}", Reason::success},
        {"0", "<a> 00 00 {}", Reason::protocol_error},
        {"no properties", "<a> 00 01", Reason::malformed_packet},
    });
    const Wire body = wire("<a> 00 01");
    const Decoded<Publish> publish = decode_publish(Version::v3_1_1, 0, body);
    REQUIRE(publish.has_value());
    CHECK(publish->packet_id == 0);
    CHECK(publish->payload.size() == 2);
}

TEST_CASE("publish: a payload that claims to be text must be") {
    check_verdicts(qos_0_v5, {
        {"text", "<a> {01 01} 'h' c3 a9", Reason::success},
        {"empty", "<a> {01 01}", Reason::success},
        {"U+0000 is text in a payload", "<a> {01 01} 00", Reason::success},
        {"overlong", "<a> {01 01} c0 80", Reason::payload_format_invalid},
        {"cut", "<a> {01 01} 'abcdefgh' e2 82", Reason::payload_format_invalid},
        {"bytes", "<a> {01 00} ff", Reason::success},
        {"no claim", "<a> {} ff", Reason::success},
        {"neither", "<a> {01 02} 61", Reason::protocol_error},
    });
}

TEST_CASE("publish: a response topic is a topic without wildcards") {
    check_verdicts(qos_0_v5, {
        {"topic", "<a> {08 <b/c>}", Reason::success},
        {"wildcard", "<a> {08 <b/#>}", Reason::protocol_error},
        {"empty", "<a> {08 <>}", Reason::protocol_error},
        {"not UTF-8", "<a> {08 0001 ff}", Reason::malformed_packet},
    });
}

TEST_CASE("publish: a body cut anywhere before the payload is malformed") {
    const Wire body = wire("<a/b> 00 01 {01 01 26 <k> <v> 0b 81 01 09 <c>}");
    for (size_t bytes = 0; bytes < body.size(); ++bytes) {
        const Wire cut(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(bytes));
        CHECK(verdict(qos_2_v5, cut) == Reason::malformed_packet);
    }
    CHECK(verdict(qos_2_v5, body) == Reason::success);
}

TEST_CASE("publish: a needlessly long property length is malformed in 5.0") {
    check_verdicts(qos_0_v5, {
        {"property length", "<a> 80 00", Reason::malformed_packet},
        {"subscription identifier", "<a> {0b 81 00}", Reason::malformed_packet},
        {"property length of five bytes", "<a> ff ff ff ff 01", Reason::malformed_packet},
    });
}

TEST_CASE("publish: user properties are written again in order, without what stood between") {
    const Wire body = wire("<a> {26 <k> <1> 23 0005 26 <k> <2> 02 00000001 26 <j> <>} 'hi'");
    const Decoded<Publish> received = decode_publish(Version::v5, 0, body);
    REQUIRE(received.has_value());
    const Publish forwarded{.topic = received->topic,
                            .payload = received->payload,
                            .properties = {.user = received->properties.user}};
    const Wire packet = encode_packet(qos_0_v5, forwarded);
    CHECK(packet == wire("30 1a <a> {26 <k> <1> 26 <k> <2> 26 <j> <>} 'hi'"));
}

TEST_CASE("publish: subscription identifiers are written from a list") {
    const uint32_t list[] = {1, 128, 268'435'455};
    const Publish publish{.topic = "a", .properties = {.subscription_ids = {.values = list}}};
    const Wire packet = encode_packet(qos_0_v5, publish);
    CHECK(packet == wire("30 0e <a> {0b 01 0b 80 01 0b ff ff ff 7f}"));
}

TEST_CASE("publish: 3.1.1 has no properties, so none are written") {
    const Publish publish{.topic = "a",
                          .payload = as_bytes("x"),
                          .packet_id = 258,
                          .qos = Qos::exactly_once,
                          .retain = true,
                          .duplicate = true,
                          .properties = {.message_expiry_s = 5, .content_type = "t"}};
    CHECK(encode_packet(qos_0_v3, publish) == wire("3d 06 <a> 01 02 'x'"));
}

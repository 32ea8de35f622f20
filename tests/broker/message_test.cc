#include <doctest/doctest.h>

#include <vector>

#include "broker/access.h"
#include "broker/message.h"

using namespace millrace;

namespace {

std::vector<uint8_t> canonical_of(const Message& message) {
    std::vector<uint8_t> bytes(canonical_bytes(message));
    write_canonical(bytes, message);
    return bytes;
}

}  // namespace

TEST_CASE("message: the canonical form keeps everything but what belongs to a connection") {
    const uint8_t user_section[] = {0x26, 0, 1, 'k', 0, 1, 'v', 0x26, 0, 1, 'k', 0, 1, 'w'};
    const uint8_t correlation[] = {1, 2, 3};
    const uint32_t ids[] = {7, 268'435'455};
    Message message;
    message.topic = "plant/7/temperature";
    message.payload = as_bytes("21.5");
    message.qos = mqtt::Qos::exactly_once;
    message.retain = true;
    message.properties.payload_format = 1;
    message.properties.content_type = "text/plain";
    message.properties.response_topic = "answers";
    message.properties.correlation_data = correlation;
    message.properties.user = {user_section};
    message.properties.subscription_ids.values = ids;
    message.properties.topic_alias = 9;
    message.properties.message_expiry_s = 60;

    const std::vector<uint8_t> bytes = canonical_of(message);
    const Message read = read_canonical(bytes, Instant::at_ms(1));
    CHECK(read.topic == message.topic);
    CHECK(as_text(read.payload) == "21.5");
    CHECK(read.qos == mqtt::Qos::exactly_once);
    CHECK(read.retain);
    CHECK(read.properties.payload_format == 1);
    CHECK(read.properties.content_type == "text/plain");
    CHECK(read.properties.response_topic == "answers");
    CHECK(as_text(*read.properties.correlation_data) == as_text(Bytes(correlation)));
    CHECK(read.properties.topic_alias == 0);
    CHECK(!read.properties.message_expiry_s);
    CHECK(read.expires == Instant::at_ms(1));
    std::vector<uint32_t> read_ids;
    read.properties.subscription_ids.for_each([&](uint32_t id) { read_ids.push_back(id); });
    CHECK(read_ids == std::vector<uint32_t>{7, 268'435'455});
    std::string pairs;
    read.properties.user.for_each([&](std::string_view name, std::string_view value) {
        pairs.append(name).append(value);
    });
    CHECK(pairs == "kvkw");
    // Once more through the same door gives the same bytes.
    CHECK(canonical_of(read) == bytes);
}

TEST_CASE("message: an empty payload and quality of service 0 survive the canonical form") {
    Message message;
    message.topic = "t";
    const std::vector<uint8_t> bytes = canonical_of(message);
    const Message read = read_canonical(bytes, Instant::never());
    CHECK(read.payload.empty());
    CHECK(read.qos == mqtt::Qos::at_most_once);
    CHECK(!read.retain);
}

TEST_CASE("message: what is left of the expiry interval is rounded up to whole seconds") {
    Message message;
    const Instant now = Instant::at_ms(100'000);
    CHECK(!message.expiry_left_s(now));
    message.expires = now + Duration::s(10);
    CHECK(message.expiry_left_s(now) == 10);
    CHECK(message.expiry_left_s(now + Duration::ms(9'999)) == 1);
    CHECK(message.expiry_left_s(now + Duration::s(11)) == 0);
    CHECK(!message.expired(now + Duration::ms(9'999)));
    CHECK(message.expired(now + Duration::s(10)));
}

TEST_CASE("access: nobody publishes below $SYS/") {
    const std::vector<std::string> none;
    const Access access(none);
    CHECK(!access.may_publish("$SYS/broker/version"));
    CHECK(access.may_publish("$SYS"));
    CHECK(access.may_publish("SYS/broker"));
    CHECK(access.may_subscribe("$SYS/#"));
}

TEST_CASE("access: a filter is denied when all that it matches is") {
    const std::vector<std::string> denied{"secret/#", "+/private"};
    const Access access(denied);
    CHECK(!access.may_publish("secret"));
    CHECK(!access.may_publish("secret/a/b"));
    CHECK(!access.may_publish("a/private"));
    CHECK(access.may_publish("a/public"));
    CHECK(!access.may_subscribe("secret/#"));
    CHECK(!access.may_subscribe("secret/+/x"));
    CHECK(!access.may_subscribe("+/private"));
    CHECK(access.may_subscribe("public/#"));
}

// The short way through PUBLISH against the codec, and against bytes that lie.
#include <vector>

#include <doctest/doctest.h>

#include "codec/mqtt/decode.h"
#include "codec/mqtt/encode.h"
#include "load/publish_wire.h"

using namespace millrace;

namespace {

std::vector<uint8_t> encoded(mqtt::Version version, const mqtt::Publish& publish) {
    std::vector<uint8_t> bytes(mqtt::encoded_bytes(version, publish));
    ByteWriter writer(bytes);
    mqtt::encode(writer, version, publish);
    return bytes;
}

std::vector<uint8_t> written(const PublishHead& head, Bytes payload) {
    std::vector<uint8_t> bytes(head.packet_bytes());
    ByteWriter writer(bytes);
    write_publish_head(writer, head);
    writer.bytes(payload);
    CHECK(writer.remaining() == 0);
    return bytes;
}

}  // namespace

TEST_CASE("load: a PUBLISH is written as the codec writes it, and read back") {
    for (const auto version : {mqtt::Version::v3_1_1, mqtt::Version::v5}) {
        for (const uint8_t qos : {0, 1, 2}) {
            for (const uint32_t payload_bytes : {0u, 16u, 110u, 111u, 200u, 20'000u}) {
                const std::vector<uint8_t> payload(payload_bytes, 0x5a);
                mqtt::Publish publish;
                publish.topic = "a/topic";
                publish.payload = payload;
                publish.qos = static_cast<mqtt::Qos>(qos);
                publish.packet_id = qos == 0 ? 0 : 513;
                const PublishHead head{version, publish.topic, qos, 513, payload_bytes};
                const std::vector<uint8_t> bytes = written(head, payload);
                CHECK(bytes == encoded(version, publish));
                CHECK(load_packet_length(bytes).value() == bytes.size());
                PublishView view;
                REQUIRE(read_publish(version, bytes, view));
                CHECK(view.topic == "a/topic");
                CHECK(view.qos == qos);
                CHECK(view.payload.size() == payload_bytes);
                if (qos > 0) CHECK(view.packet_id == 513);
            }
        }
    }
}

TEST_CASE("load: properties of a PUBLISH are skipped") {
    mqtt::Publish publish;
    publish.topic = "t";
    publish.payload = as_bytes("payload");
    publish.properties.content_type = "text";
    publish.properties.message_expiry_s = 5;
    const std::vector<uint8_t> bytes = encoded(mqtt::Version::v5, publish);
    PublishView view;
    REQUIRE(read_publish(mqtt::Version::v5, bytes, view));
    CHECK(as_text(view.payload) == "payload");
}

TEST_CASE("load: a PUBLISH cut anywhere before its payload is refused, never read past") {
    const std::vector<uint8_t> whole =
        written({mqtt::Version::v5, "topic", 1, 7, 0}, {});
    for (size_t bytes = 1; bytes < whole.size(); ++bytes) {
        const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<long>(bytes));
        PublishView view;
        CHECK(!read_publish(mqtt::Version::v5, cut, view));
    }
}

TEST_CASE("load: QoS 3, packet identifier 0 and a property length too long are refused") {
    PublishView view;
    const std::vector<uint8_t> qos_3{0x36, 5, 0, 1, 't', 0, 1};
    CHECK(!read_publish(mqtt::Version::v3_1_1, qos_3, view));
    const std::vector<uint8_t> id_0{0x32, 5, 0, 1, 't', 0, 0};
    CHECK(!read_publish(mqtt::Version::v3_1_1, id_0, view));
    const std::vector<uint8_t> properties{0x30, 5, 0, 1, 't', 2, 0};
    CHECK(!read_publish(mqtt::Version::v5, properties, view));
}

TEST_CASE("load: a length is measured as soon as it's known, and refused when it can't be") {
    const std::vector<uint8_t> publish{0x30, 0x80, 0x80, 0x01};
    CHECK(load_packet_length(publish).value() == 4 + 16'384);
    CHECK(load_packet_length(Bytes(publish).first(1)).error() == Errc::incomplete);
    CHECK(load_packet_length(Bytes(publish).first(2)).error() == Errc::incomplete);
    CHECK(load_packet_length(Bytes(publish).first(3)).error() == Errc::incomplete);
    const std::vector<uint8_t> endless{0x30, 0xff, 0xff, 0xff, 0xff, 0x01};
    CHECK(load_packet_length(endless).error() == Errc::malformed);
    const std::vector<uint8_t> type_0{0x00, 0x00};
    CHECK(load_packet_length(type_0).error() == Errc::malformed);
}

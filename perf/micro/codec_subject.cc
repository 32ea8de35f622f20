// Packets through the codec, for an instruction counter.
#include <vector>

#include "codec/mqtt/decode.h"
#include "codec/mqtt/encode.h"
#include "instruction_subjects.h"

namespace millrace::perf {
namespace {

using mqtt::Version;

class Packets {
public:
    Packets() : payload_(64, 0x5a), room_(512) {
        publish_.topic = "devices/plant-7/line-12/device-000123/push";
        publish_.payload = payload_;
        publish_.qos = mqtt::Qos::at_least_once;
        publish_.packet_id = 7;
        publish_v5_ = publish_;
        publish_v5_.properties.message_expiry_s = 3'600;
        publish_v5_.properties.content_type = "application/json";
        connect_.client_id = "device-000123";
        connect_.keep_alive_s = 60;
        connect_.user_name = "plant-7";
        connect_.password = as_bytes("correct horse battery staple");
        connect_.session_expiry_s = 3'600;
        connect_.receive_maximum = 100;
        entries_[0].filter = "devices/plant-7/line-12/device-000123/push";
        entries_[1].filter = "devices/plant-7/+/alarm";
        entries_[2].filter = "fleet/#";
        subscribe_.packet_id = 8;
        subscribe_.entries = entries_;
    }

    uint64_t pass_publishes() {
        return pass_publish(Version::v3_1_1, publish_) + pass_publish(Version::v5, publish_v5_);
    }
    uint64_t pass_requests() { return pass_connect() + pass_subscribe(); }

private:
    template <class... Packet>
    Bytes encoded(const Packet&... packet) {
        const uint32_t bytes = mqtt::encoded_bytes(packet...);
        MR_ASSERT(bytes <= room_.size());
        ByteWriter out(std::span<uint8_t>(room_).first(bytes));
        mqtt::encode(out, packet...);
        return Bytes(room_).first(bytes);
    }
    uint64_t pass_publish(Version version, const mqtt::Publish& packet) {
        const Bytes bytes = encoded(version, packet);
        const auto header = mqtt::read_fixed_header(bytes);
        const auto decoded = mqtt::decode_publish(version, header->flags,
                                                  bytes.subspan(header->header_bytes));
        MR_ASSERT(decoded.has_value());
        return decoded->payload.size() + decoded->topic.size();
    }
    uint64_t pass_connect() {
        const Bytes bytes = encoded(connect_);
        const auto header = mqtt::read_fixed_header(bytes);
        const auto decoded = mqtt::decode_connect(bytes.subspan(header->header_bytes));
        MR_ASSERT(decoded.has_value());
        return decoded->client_id.size() + decoded->receive_maximum;
    }
    uint64_t pass_subscribe() {
        const Bytes bytes = encoded(Version::v5, subscribe_);
        const auto header = mqtt::read_fixed_header(bytes);
        const auto decoded =
            mqtt::decode_subscribe(Version::v5, bytes.subspan(header->header_bytes));
        MR_ASSERT(decoded.has_value());
        uint64_t filter_bytes = 0;
        decoded->for_each([&](const mqtt::SubscribeEntry& entry) {
            filter_bytes += entry.filter.size();
        });
        return filter_bytes;
    }

    std::vector<uint8_t> payload_, room_;
    mqtt::Publish publish_, publish_v5_;
    mqtt::Connect connect_;
    mqtt::SubscribeEntry entries_[3];
    mqtt::Subscribe subscribe_;
};

}  // namespace

Work run_codec_publish(uint32_t count) {
    Packets packets;
    Work work;
    for (; work.operations < count; ++work.operations) work.checksum += packets.pass_publishes();
    return work;
}

Work run_codec_connect(uint32_t count) {
    Packets packets;
    Work work;
    for (; work.operations < count; ++work.operations) work.checksum += packets.pass_requests();
    return work;
}

}  // namespace millrace::perf

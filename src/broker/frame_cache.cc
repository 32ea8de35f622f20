#include "broker/frame_cache.h"

#include "codec/mqtt/encode.h"

namespace millrace {

namespace {

mqtt::Publish variant_of(const Message& message, const FrameVariant& variant, Instant now) {
    mqtt::Publish packet = as_publish(message, now);
    packet.qos = variant.qos;
    packet.retain = variant.retain;
    if (variant.topic_left_out) packet.topic = {};
    packet.properties.topic_alias = variant.topic_alias;
    return packet;
}

}  // namespace

FrameCache::FrameCache(ShardContext& context, PacketNumbers& numbers)
    : context_(context), numbers_(numbers), singles_(context.blocks) {
    for (auto& stream : streams_) stream.emplace(context.blocks);
}

BlockStream& FrameCache::stream_of(const FrameVariant& variant) {
    const uint32_t version = variant.version == mqtt::Version::v5 ? 1 : 0;
    return *streams_[version * 3 + static_cast<uint32_t>(variant.qos)];
}

Slice FrameCache::write(BlockStream& stream, const mqtt::Publish& packet, mqtt::Version version) {
    const uint32_t bytes = mqtt::encoded_bytes(version, packet);
    const std::span<uint8_t> room = stream.try_reserve(bytes);
    if (room.empty()) return {};
    ByteWriter out(room.first(bytes));
    mqtt::encode(out, version, packet);
    return stream.commit(bytes);
}

Frame FrameCache::find_or_encode(const Message& message, const FrameVariant& variant) {
    const uint64_t key = variant.key();
    for (uint32_t index = 0; index < entry_count_; ++index) {
        if (entries_[index].key == key) return entries_[index].frame;
    }
    mqtt::Publish packet = variant_of(message, variant, context_.now);
    if (variant.subscription_id != 0) {
        packet.properties.subscription_ids.values = {&variant.subscription_id, 1};
    }
    Frame frame;
    if (variant.qos != mqtt::Qos::at_most_once) {
        frame.number = numbers_.next();
        packet.packet_id = frame.number.packet_id();
    }
    frame.slice = write(stream_of(variant), packet, variant.version);
    if (frame.slice.empty()) return frame;
    context_.blocks.hold(*frame.slice.block);
    uint32_t place = entry_count_;
    if (entry_count_ < entries_.size()) {
        ++entry_count_;
    } else {
        place = replaced_++ % entries_.size();
        context_.blocks.release(*entries_[place].frame.slice.block);
    }
    entries_[place] = {key, frame};
    return frame;
}

Slice FrameCache::encode_single(const Message& message, const Single& single) {
    mqtt::Publish packet = variant_of(message, single.variant, context_.now);
    packet.packet_id = single.packet_id;
    packet.duplicate = single.duplicate;
    if (!single.subscription_ids.empty()) {
        packet.properties.subscription_ids.values = single.subscription_ids;
    }
    return write(singles_, packet, single.variant.version);
}

void FrameCache::release() {
    for (uint32_t index = 0; index < entry_count_; ++index) {
        context_.blocks.release(*entries_[index].frame.slice.block);
    }
    entry_count_ = 0;
}

void FrameCache::rewind() {
    for (auto& stream : streams_) stream->rewind_if_unused();
    singles_.rewind_if_unused();
}

}  // namespace millrace

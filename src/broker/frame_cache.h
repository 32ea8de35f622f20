// The encoded forms of the message that is being delivered: each variant once, for all receivers.
// Owned by: the shard's Fanout, for the time of one delivery.
// Holds:    a cached frame's block is held until release(). Variants of one version and quality of
//           service are written by one stream, so that consecutive messages stand side by side and
//           merge in send rings.
// Not here: who gets which variant (fanout.h).
#pragma once

#include <array>
#include <optional>

#include "broker/context.h"
#include "broker/inflight.h"
#include "broker/message.h"

namespace millrace {

// All that may differ between two receivers of one message and is shared by many.
struct FrameVariant {
    mqtt::Version version = mqtt::Version::v5;
    mqtt::Qos qos = mqtt::Qos::at_most_once;
    bool retain = false;
    bool topic_left_out = false;       // the alias stands for it
    uint16_t topic_alias = 0;
    uint32_t subscription_id = 0;      // 0: none

    uint64_t key() const {
        return uint64_t{subscription_id} << 32 | uint64_t{topic_alias} << 16 |
               static_cast<uint64_t>(version) << 8 | static_cast<uint64_t>(qos) << 4 |
               (retain ? 2u : 0u) | (topic_left_out ? 1u : 0u);
    }
};

struct Frame {
    Slice slice;          // empty: memory is used up
    PacketNumber number;  // QoS 1 and 2
};

class FrameCache {
public:
    FrameCache(ShardContext& context, PacketNumbers& numbers);
    ~FrameCache() { release(); }

    Frame find_or_encode(const Message& message, const FrameVariant& variant);
    // A frame for one receiver alone, not cached: with its own number, or sent again, or with
    // several subscription identifiers. The slice is good until the next call: push it at once.
    struct Single {
        FrameVariant variant;
        std::span<const uint32_t> subscription_ids;
        uint16_t packet_id = 0;
        bool duplicate = false;
    };
    Slice encode_single(const Message& message, const Single& single);

    // Lets go of the message's frames.
    void release();
    // At the end of a turn: blocks that nobody refers to are written from their start again.
    void rewind();

private:
    struct Entry {
        uint64_t key;
        Frame frame;
    };
    Slice write(BlockStream& stream, const mqtt::Publish& packet, mqtt::Version version);
    BlockStream& stream_of(const FrameVariant& variant);

    ShardContext& context_;
    PacketNumbers& numbers_;
    std::array<std::optional<BlockStream>, 6> streams_;  // version x quality of service
    BlockStream singles_;
    std::array<Entry, 8> entries_;
    uint32_t entry_count_ = 0;
    uint32_t replaced_ = 0;
};

}  // namespace millrace

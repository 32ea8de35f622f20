// Topic aliases towards clients (MQTT 5.0, 3.3.2.3.4), numbered for the whole shard, so that
// receivers which know an alias share one frame without the topic.
// Owned by: the shard's Fanout.
// Holds:    a generation names one assignment of one number for ever; a connection that has seen
//           the generation knows the topic. A topic gets a number at its second appearance within
//           a short time: one that comes once isn't worth it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/mqtt_connection.h"

namespace millrace {

class TopicAliases {
public:
    struct Alias {
        uint16_t number = 0;      // 0: this topic has none
        uint32_t generation = 0;
    };

    Alias find_or_assign(uint64_t topic_hash, std::string_view topic) {
        if (topic.size() < topic_bytes_min || topic.size() > topic_bytes_max) return {};
        for (uint16_t index = 0; index < slots_.size(); ++index) {
            const Slot& slot = slots_[index];
            if (slot.hash == topic_hash && slot.topic == topic) {
                return {static_cast<uint16_t>(index + 1), slot.generation};
            }
        }
        uint64_t& seen = recent_[topic_hash % recent_.size()];
        if (seen != topic_hash) {
            seen = topic_hash;
            return {};
        }
        const uint16_t index = static_cast<uint16_t>(turn_++ % slots_.size());
        slots_[index] = {topic_hash, ++generation_, std::string(topic)};
        return {static_cast<uint16_t>(index + 1), generation_};
    }

private:
    static constexpr size_t topic_bytes_min = 4;    // shorter ones gain nothing
    static constexpr size_t topic_bytes_max = 512;
    struct Slot {
        uint64_t hash = 0;
        uint32_t generation = 0;
        std::string topic;
    };

    std::array<Slot, ClientLimits::outgoing_aliases_max> slots_;
    std::array<uint64_t, 256> recent_{};
    uint32_t turn_ = 0;
    uint32_t generation_ = 0;
};

}  // namespace millrace

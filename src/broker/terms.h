// What a CONNACK promises, and which connection was promised what: a promise holds as long as its
// connection (MQTT 5.0, 3.2.2.3), however often the configuration changes meanwhile.
// Owned by: the shard's Broker; on its thread only.
// Holds:    the terms at an index don't change while a connection holds it. A connection that is
//           accepted gets the newest terms.
// Not here: what isn't promised and may change under a connection (live_config.h).
#pragma once

#include <array>
#include <cstdint>

#include "base/assert.h"
#include "millrace/config.h"

namespace millrace {

// A table's entry: a power of two long, so that finding one is a shift.
struct alignas(32) Terms {
    uint32_t maximum_packet_bytes;
    uint32_t session_expiry_max_s;
    uint16_t receive_maximum;
    uint16_t topic_alias_maximum;
    uint16_t keep_alive_max_s;
    uint8_t maximum_qos;
    bool retain_available;
    bool wildcard_subscription_available;
    bool shared_subscription_available;
    bool subscription_identifiers_available;

    static Terms of(const MqttLimits& limits) {
        return {.maximum_packet_bytes = limits.maximum_packet_bytes,
                .session_expiry_max_s = limits.session_expiry_max_s,
                .receive_maximum = limits.receive_maximum,
                .topic_alias_maximum = limits.topic_alias_maximum,
                .keep_alive_max_s = limits.keep_alive_max_s,
                .maximum_qos = limits.maximum_qos,
                .retain_available = limits.retain_available,
                .wildcard_subscription_available = limits.wildcard_subscription_available,
                .shared_subscription_available = limits.shared_subscription_available,
                .subscription_identifiers_available = limits.subscription_identifiers_available};
    }
    bool operator==(const Terms&) const = default;
};
static_assert(sizeof(Terms) == 32);

class TermsTable {
public:
    static constexpr uint32_t index_bits = 4;  // of a connection
    static constexpr uint32_t count_max = 1u << index_bits;

    explicit TermsTable(const Terms& first) : newest_index_(0), wanted_(first) {
        terms_.fill(first);
    }

    const Terms& at(uint32_t index) const { return terms_[index]; }
    const Terms& newest() const { return terms_[newest_index_]; }

    // A connection comes; it keeps the index until it leaves.
    uint8_t join() {
        ++holders_[newest_index_];
        return static_cast<uint8_t>(newest_index_);
    }
    void leave(uint32_t index) {
        MR_ASSERT(holders_[index] > 0);
        if (--holders_[index] == 0 && is_waiting_) put(index);
    }

    // From here on newcomers get `wanted`. False when the connections that are there hold as many
    // different terms as a table has: then as soon as one of these is free.
    bool offer(const Terms& wanted) {
        wanted_ = wanted;
        is_waiting_ = false;
        if (newest() == wanted) return true;
        uint32_t free_index = count_max;
        for (uint32_t index = 0; index < count_max; ++index) {
            if (holders_[index] == 0) {
                free_index = index;
            } else if (terms_[index] == wanted) {
                newest_index_ = index;
                return true;
            }
        }
        is_waiting_ = free_index == count_max;
        if (!is_waiting_) put(free_index);
        return !is_waiting_;
    }

private:
    void put(uint32_t index) {
        terms_[index] = wanted_;
        newest_index_ = index;
        is_waiting_ = false;
    }

    std::array<Terms, count_max> terms_;
    std::array<uint32_t, count_max> holders_{};  // connections
    uint32_t newest_index_;
    Terms wanted_;             // to be the newest, while `is_waiting_`
    bool is_waiting_ = false;
};

}  // namespace millrace

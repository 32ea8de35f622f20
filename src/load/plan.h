// Who is who in a run: roles, names, topics and shards of the simulated clients, and the shares of
// the messages.
// Owned by: the coordinator, which makes it; shards read it. Thread: any, read only.
// Holds:    client numbers are dense: subscribers first, then publishers (in connect and storm all
//           are subscribers). Number n of a role lives on shard n % shard_count, so that pair n is
//           on one shard.
// Not here: what a client does.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "load/options.h"
#include "millrace/error.h"

namespace millrace {

// Text of a topic or a client id, made when needed: a million of them would fill memory.
class NameBuffer {
public:
    std::string_view text() const { return {bytes_.data(), used_}; }
    void append(std::string_view text);
    void append_padded(uint32_t number, uint32_t digit_count);

private:
    std::array<char, 512> bytes_;
    uint32_t used_ = 0;
};

struct LoadPlan {
    static constexpr uint32_t index_digit_count = 7;
    static constexpr uint32_t client_id_bytes = 23;  // what every 3.1.1 server takes (3.1.3.1)

    LoadOptions options;
    uint32_t run_id = 0;             // marks the payloads of this run
    uint32_t subscriber_count = 0;
    uint32_t publisher_count = 0;
    uint64_t warmup_messages = 0;
    Duration warmup_duration;        // used when `options.message_count` is 0
    // What was asked for; or a minute more than opening (a millisecond a connection, or at its
    // rate) and publishing (at its rate; a closed loop bounded by messages has ten minutes).
    Duration run_timeout;

    static LoadPlan make(const LoadOptions& options, uint32_t run_id);
    // What the generator can't do, in words; nullopt when it can run.
    std::optional<Error> fault() const;

    bool has_messages() const { return publisher_count > 0; }
    bool closed_loop() const { return has_messages() && options.rate == 0; }
    uint32_t client_count() const { return subscriber_count + publisher_count; }
    // How many of a role's `count` members live on `shard`.
    uint32_t local_count(uint32_t count, uint32_t shard) const {
        const uint32_t shards = options.shard_count;
        return shard >= count ? 0 : (count - shard + shards - 1) / shards;
    }
    // Deliveries that one message causes in the whole run, and on one shard.
    uint32_t receivers() const {
        return options.mode == LoadMode::pair ? 1 : subscriber_count;
    }
    uint32_t local_receivers(uint32_t publisher, uint32_t shard) const {
        if (options.mode == LoadMode::pair) return publisher % options.shard_count == shard;
        return local_count(subscriber_count, shard);
    }
    // Publishers that one subscriber hears.
    uint32_t publishers_heard() const {
        return options.mode == LoadMode::pair ? 1 : publisher_count;
    }
    // The part of `messages` that `publisher` sends.
    uint64_t share(uint64_t messages, uint32_t publisher) const {
        return messages / publisher_count + (publisher < messages % publisher_count ? 1 : 0);
    }

    void client_id(NameBuffer& out, uint32_t client) const;
    void publish_topic(NameBuffer& out, uint32_t publisher) const;
    void subscribe_filter(NameBuffer& out, uint32_t subscriber) const;
};

}  // namespace millrace

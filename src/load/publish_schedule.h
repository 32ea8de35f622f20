// Open-loop timing: when each message of a phase is due, whatever has become of those before.
// Owned by: one shard; a value.
// Holds:    message k of the phase (0, 1, ...) is publisher k % publisher_count's, and due at
//           start + k / rate. A shard walks its own publishers' messages in order of k.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace millrace {

class PublishSchedule {
public:
    struct Options {
        Instant start;
        uint64_t rate = 1;              // messages a second, all publishers together
        uint64_t message_count = 0;     // of the phase; 0: no end
        uint32_t publisher_count = 1;
        uint32_t shard = 0;
        uint32_t shard_count = 1;
        uint32_t local_publisher_count = 0;
    };

    PublishSchedule() = default;  // has ended
    explicit PublishSchedule(const Options& options) : options_(options) {}

    bool ended() const {
        return options_.local_publisher_count == 0 ||
               (options_.message_count != 0 && next_message() >= options_.message_count);
    }
    Instant next_due() const { return ended() ? Instant::never() : due(next_message()); }
    // The local index of the publisher of the message that is due next; moves on.
    uint32_t take() {
        const uint32_t local = local_;
        if (++local_ == options_.local_publisher_count) {
            local_ = 0;
            ++round_;
        }
        return local;
    }
    // When message number `own` of the phase of `publisher` is due.
    Instant due_of(uint32_t publisher, uint64_t own) const {
        return due(own * options_.publisher_count + publisher);
    }

private:
    uint64_t next_message() const {
        return round_ * options_.publisher_count + options_.shard +
               uint64_t{local_} * options_.shard_count;
    }
    Instant due(uint64_t message) const {
        const uint64_t seconds = message / options_.rate;
        const uint64_t part = message % options_.rate;
        return options_.start + Duration::s(static_cast<int64_t>(seconds)) +
               Duration::ns(static_cast<int64_t>(part * 1'000'000'000 / options_.rate));
    }

    Options options_;
    uint64_t round_ = 0;  // messages that each local publisher has had
    uint32_t local_ = 0;
};

}  // namespace millrace

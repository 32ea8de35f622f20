// Filters that a shard has subscribers of, and what one topic would reach.
// Owned by: tasks (shard_task.h); rows are values.
// Holds:    a filter is listed by each shard that has subscribers of it. Of the shared groups of
//           one filter `groups_listed_max` are listed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/inspect/inside.h"
#include "broker/inspect/session_walk.h"
#include "broker/shard_task.h"
#include "broker/subscription_index.h"

namespace millrace {

struct TopicRow {
    std::string filter;
    Filter::Kind kind;
    uint32_t shard;
    uint32_t subscribers;   // on that shard
};

constexpr uint32_t groups_listed_max = 64;

// The next so many filters of one shard.
class TopicsPage final : public ShardTask {
public:
    // Where a page ended. Exact filters come first, then the others.
    struct Rest {
        bool is_exact = true;
        uint64_t place = 0;
        uint32_t taken = 0;    // of those that have this place
    };
    TopicsPage(Rest from, std::optional<Filter::Kind> kind, uint32_t rows_max);

    bool step(Broker& broker) override;

    const std::vector<TopicRow>& rows() const { return rows_; }
    std::optional<Rest> rest() const { return is_at_end_ ? std::nullopt : std::optional(at_); }

private:
    struct Found {
        uint64_t place;
        const Filter* filter;
    };
    uint64_t collect(SubscriptionIndex& index);
    void note(uint64_t place, const Filter& filter);
    bool take(const BrokerInside& inside, uint64_t next);

    Rest at_;
    const std::optional<Filter::Kind> kind_;
    const uint32_t rows_max_;
    TextBudget text_;
    uint32_t looked_ = 0;
    bool is_at_end_ = false;
    std::vector<TopicRow> rows_;
    std::vector<Found> found_;   // valid within a step
};

// What one shard has for a topic. Ask every shard.
class TopicLookup final : public ShardTask {
public:
    static constexpr uint32_t rows_max = 256;   // a shard

    explicit TopicLookup(std::string topic) : topic_(std::move(topic)) {}

    bool step(Broker& broker) override;

    struct Retained {
        uint32_t bytes;   // of the payload
        mqtt::Qos qos;
    };
    const std::vector<TopicRow>& rows() const { return rows_; }
    bool is_home() const { return is_home_; }
    const std::optional<Retained>& retained() const { return retained_; }   // at its home

private:
    const std::string topic_;
    std::vector<TopicRow> rows_;
    bool is_home_ = false;
    std::optional<Retained> retained_;
};

}  // namespace millrace

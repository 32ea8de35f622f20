// Subscriptions as they are held: those of one client, or of all clients of a shard.
// Owned by: tasks (shard_task.h); rows are values.
// Not here: filters and how many subscribe to them (topics.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/inspect/inside.h"
#include "broker/inspect/session_walk.h"
#include "broker/shard_task.h"
#include "broker/subscription.h"

namespace millrace {

struct SubscriptionRow {
    std::string client_id;
    std::string filter;
    Grant grant;
};

// How far a session's subscriptions have been read: the filter of the last one, and how many there
// were. A filter that is too long to be carried around is left out, and the others are counted.
struct SubscriptionsRead {
    std::string last;
    uint32_t count = 0;
};

// The next so many subscriptions of one session, which a page may end within.
class SubscriptionReader {
public:
    explicit SubscriptionReader(SubscriptionsRead read) : read_(std::move(read)) {}

    void begin_step() { text_.begin_step(); }
    // Adds rows until there are `rows_max`, or it's enough for a step.
    Taken take(const BrokerInside& inside, const Session& session, uint32_t rows_max,
               std::vector<SubscriptionRow>& rows);

    const SubscriptionsRead& read() const { return read_; }
    // From the beginning again, of whichever session comes.
    void start_over() { read_ = {}; }
    // The last filter isn't subscribed to any more: what follows it is unknown.
    bool is_lost() const { return is_lost_; }

private:
    static constexpr size_t last_bytes_max = 1'000;

    const Subscription* next(const BrokerInside& inside, const Session& session);

    SubscriptionsRead read_;
    TextBudget text_;
    bool is_lost_ = false;
};

// Of one client, if this shard holds its session. Ask every shard.
class ClientSubscriptions final : public ShardTask {
public:
    ClientSubscriptions(std::string client_id, SubscriptionsRead read, uint32_t rows_max)
        : client_id_(std::move(client_id)), reader_(std::move(read)), rows_max_(rows_max) {}

    bool step(Broker& broker) override;

    bool is_found() const { return is_found_; }
    bool is_lost() const { return reader_.is_lost(); }
    const std::vector<SubscriptionRow>& rows() const { return rows_; }
    // Empty: there are no more.
    std::optional<SubscriptionsRead> rest() const;

private:
    const std::string client_id_;
    SubscriptionReader reader_;
    const uint32_t rows_max_;
    bool is_found_ = false;
    bool is_full_ = false;
    std::vector<SubscriptionRow> rows_;
};

// Of all clients of one shard.
class SubscriptionsPage final : public ShardTask {
public:
    struct Rest {
        uint64_t place;
        SubscriptionsRead read;   // of the session at that place
    };
    SubscriptionsPage(Rest from, uint32_t rows_max)
        : walk_(from.place), reader_(std::move(from.read)), reader_place_(from.place),
          rows_max_(rows_max) {}

    bool step(Broker& broker) override;

    bool is_lost() const { return reader_.is_lost(); }
    const std::vector<SubscriptionRow>& rows() const { return rows_; }
    std::optional<Rest> rest() const;

private:
    SessionWalk walk_;
    SubscriptionReader reader_;
    uint64_t reader_place_;   // of the session that reader_ reads
    const uint32_t rows_max_;
    std::vector<SubscriptionRow> rows_;
};

}  // namespace millrace

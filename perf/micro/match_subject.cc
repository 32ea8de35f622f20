// Topics against one shard's index of filters, for an instruction counter.
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/subscription_index.h"
#include "instruction_subjects.h"

namespace millrace::perf {
namespace {

constexpr Instant start = Instant::at_ms(1'000'000);
constexpr uint32_t device_count = 2'000;
constexpr uint32_t devices_per_plant = 100;

template <class T>
T made(Outcome<T> outcome) {
    MR_ASSERT(outcome.has_value());
    return std::move(*outcome);
}

std::string device_of(uint32_t number) {
    return "fleet/plant-" + std::to_string(number / devices_per_plant) + "/device-" +
           std::to_string(number);
}

// One a device for its pushes and one for any kind of message, one a plant for everything, and a
// few for all plants: a topic matches five.
class Filters {
public:
    Filters()
        : mesh_(made(MailMesh::create(1, 65'536))),
          arena_(made(Arena::create({.bytes_max = uint64_t{64} << 20,
                                     .huge_pages = HugePages::off}))),
          heap_(*arena_, ledger_),
          blocks_(heap_, ledger_),
          outbox_(heap_, blocks_),
          wheel_(start),
          mailbox_(*mesh_, 0),
          context_{&live_,   heap_,   blocks_,   outbox_, wheel_,
                   mailbox_, ledger_, counters_, {0x5eed}, Prng(1), start},
          index_(context_) {
        add("fleet/#");
        add("fleet/+/+/push");
        for (uint32_t number = 0; number < device_count; ++number) {
            const std::string device = device_of(number);
            if (number % devices_per_plant == 0) add(device.substr(0, device.rfind('/')) + "/#");
            add(device + "/+");
            add(device + "/push");
            topics_.push_back(device + "/push");
        }
    }
    ~Filters() {
        for (Session& session : sessions_) index_.remove(session, *session.subscriptions);
    }

    // How many subscribers the topic has.
    uint32_t match(uint32_t number) const {
        const std::string_view topic = topics_[number % device_count];
        uint32_t count = 0;
        const ExactFilter* exact = index_.find_exact(context_.hash(topic), topic);
        if (exact != nullptr) count += exact->subscribers.count();
        index_.match(topic, [&](ReplicatedFilter& filter) { count += filter.subscribers.count(); });
        return count;
    }

private:
    void add(std::string_view filter) {
        const auto result = index_.add(sessions_.emplace_back(), filter, Grant{});
        MR_ASSERT(result.added == SubscriptionIndex::Added::created);
    }

    LiveConfig live_;
    Ledger ledger_;
    std::unique_ptr<MailMesh> mesh_;
    std::unique_ptr<Arena> arena_;
    Heap heap_;
    BlockPool blocks_;
    Outbox outbox_;
    TimerWheel wheel_;
    Mailbox mailbox_;
    BrokerCounters counters_;
    ShardContext context_;
    SubscriptionIndex index_;
    std::deque<Session> sessions_;  // one a filter
    std::vector<std::string> topics_;
};

}  // namespace

Work run_match(uint32_t count) {
    const Filters filters;
    Work work;
    for (uint32_t number = 0; number < count; ++number) {
        // Neighbours in turn would share what they walk.
        work.checksum += filters.match(number * 997);
    }
    work.operations = count;
    MR_ASSERT(work.checksum == uint64_t{count} * 5);
    return work;
}

}  // namespace millrace::perf

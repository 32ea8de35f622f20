// Roles, names, shares and times of a run.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "load/plan.h"
#include "load/publish_schedule.h"

using namespace millrace;

namespace {

std::string client_id(const LoadPlan& plan, uint32_t client) {
    NameBuffer name;
    plan.client_id(name, client);
    return std::string(name.text());
}

std::string filter(const LoadPlan& plan, uint32_t subscriber) {
    NameBuffer name;
    plan.subscribe_filter(name, subscriber);
    return std::string(name.text());
}

std::string topic(const LoadPlan& plan, uint32_t publisher) {
    NameBuffer name;
    plan.publish_topic(name, publisher);
    return std::string(name.text());
}

}  // namespace

TEST_CASE("load: client ids are 23 bytes while the prefix leaves room") {
    LoadOptions options;
    LoadPlan plan = LoadPlan::make(options, 1);
    CHECK(client_id(plan, 42) == "load-000000000000000042");
    CHECK(client_id(plan, 42).size() == 23);
    options.client_id_prefix = "a-very-long-prefix-of-ids";
    plan = LoadPlan::make(options, 1);
    CHECK(client_id(plan, 42) == "a-very-long-prefix-of-ids-0000042");
}

TEST_CASE("load: every mode has its topics and filters") {
    LoadOptions options{.publisher_count = 3, .subscriber_count = 3, .topic = "t"};
    options.mode = LoadMode::fanout;
    CHECK(topic(LoadPlan::make(options, 1), 2) == "t");
    CHECK(filter(LoadPlan::make(options, 1), 2) == "t");
    options.mode = LoadMode::fanin;
    CHECK(topic(LoadPlan::make(options, 1), 2) == "t/0000002");
    CHECK(filter(LoadPlan::make(options, 1), 0) == "t/+");
    options.mode = LoadMode::pair;
    CHECK(topic(LoadPlan::make(options, 1), 2) == "t/0000002");
    CHECK(filter(LoadPlan::make(options, 1), 2) == "t/0000002");
    options.mode = LoadMode::connect;
    CHECK(filter(LoadPlan::make(options, 1), 7) == "t/0000007");
}

TEST_CASE("load: the shards' clients and the publishers' shares add up") {
    LoadOptions options{.mode = LoadMode::fanout, .publisher_count = 7, .subscriber_count = 10,
                        .shard_count = 3};
    const LoadPlan plan = LoadPlan::make(options, 1);
    for (uint32_t count = 0; count < 12; ++count) {
        uint32_t sum = 0;
        for (uint32_t shard = 0; shard < 3; ++shard) sum += plan.local_count(count, shard);
        CHECK(sum == count);
    }
    for (const uint64_t messages : {0u, 1u, 6u, 7u, 100u}) {
        uint64_t sum = 0;
        for (uint32_t publisher = 0; publisher < 7; ++publisher) {
            sum += plan.share(messages, publisher);
        }
        CHECK(sum == messages);
    }
}

TEST_CASE("load: a tenth of the run warms up unless a count is given") {
    LoadOptions options{.mode = LoadMode::fanout, .publisher_count = 1, .subscriber_count = 1,
                        .message_count = 1'000};
    CHECK(LoadPlan::make(options, 1).warmup_messages == 100);
    options.warmup_count = 0;
    CHECK(LoadPlan::make(options, 1).warmup_messages == 0);
    options.warmup_count.reset();
    options.message_count = 0;
    options.duration = Duration::s(20);
    CHECK(LoadPlan::make(options, 1).warmup_duration == Duration::s(2));
    options.warmup_count = 0;
    CHECK(LoadPlan::make(options, 1).warmup_duration == Duration::s(0));
}

TEST_CASE("load: what can't be run is refused in words") {
    const LoadOptions good{.mode = LoadMode::pair, .publisher_count = 2, .subscriber_count = 2,
                           .payload_bytes = 16, .message_count = 10};
    const auto refuses = [&](auto&& change) {
        LoadOptions options = good;
        change(options);
        return LoadPlan::make(options, 1).fault().has_value();
    };
    CHECK(!refuses([](LoadOptions&) {}));
    CHECK(refuses([](LoadOptions& options) { options.payload_bytes = 15; }));
    CHECK(refuses([](LoadOptions& options) { options.subscriber_count = 3; }));
    CHECK(refuses([](LoadOptions& options) { options.message_count = 0; }));
    CHECK(refuses([](LoadOptions& options) { options.window_count = 0; }));
    CHECK(refuses([](LoadOptions& options) { options.topic.clear(); }));
    CHECK(refuses([](LoadOptions& options) {
        options.publisher_count = options.subscriber_count = 70'000;
    }));
    CHECK(refuses([](LoadOptions& options) {
        options.mode = LoadMode::fanout;
        options.payload_bytes = 64;
        options.publisher_count = options.subscriber_count = 10'000;
    }));
}

TEST_CASE("load: the shards together send every message of a phase when it's due") {
    constexpr uint64_t messages = 17;
    constexpr uint32_t publishers = 5;
    constexpr uint32_t shards = 2;
    std::vector<uint32_t> sent(messages);
    for (uint32_t shard = 0; shard < shards; ++shard) {
        PublishSchedule schedule({.start = Instant::at_ms(1'000), .rate = 1'000,
                                  .message_count = messages, .publisher_count = publishers,
                                  .shard = shard, .shard_count = shards,
                                  .local_publisher_count = shard == 0 ? 3u : 2u});
        std::vector<uint64_t> own(publishers);
        Instant before{};
        while (!schedule.ended()) {
            const Instant due = schedule.next_due();
            CHECK(due > before);
            before = due;
            const uint32_t publisher = shard + schedule.take() * shards;
            CHECK(schedule.due_of(publisher, own[publisher]) == due);
            ++own[publisher];
            ++sent[static_cast<size_t>(due.to_ms() - 1'000)];
        }
    }
    for (const uint32_t count : sent) CHECK(count == 1);
}

TEST_CASE("load: a schedule without publishers or of nobody has ended") {
    CHECK(PublishSchedule().ended());
    CHECK(PublishSchedule().next_due() == Instant::never());
    CHECK(PublishSchedule({.message_count = 1, .publisher_count = 3, .shard = 1,
                           .shard_count = 2, .local_publisher_count = 1}).ended());
}

#include <doctest/doctest.h>

#include <array>
#include <list>
#include <map>
#include <vector>

#include "broker/session_table.h"
#include "broker/subscription_index.h"
#include "shard_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

Grant grant_of(uint8_t qos, uint32_t identifier = 0) {
    return Grant::of({.qos = static_cast<mqtt::Qos>(qos)}, identifier);
}

struct IndexFixture : ShardFixture {
    explicit IndexFixture(uint64_t bytes_max = shard_bytes_max)
        : ShardFixture(bytes_max), index(context) {}
    ~IndexFixture() {
        for (Session& session : sessions) {
            while (session.subscriptions != nullptr) index.remove(session, *session.subscriptions);
        }
    }

    Session& session() { return sessions.emplace_back(); }
    SubscriptionIndex::Added add(Session& session, std::string_view filter, uint8_t qos = 0) {
        return index.add(session, filter, grant_of(qos)).added;
    }
    uint32_t matched_subscribers(std::string_view topic) {
        uint32_t count = 0;
        if (const Filter* exact = index.find_exact(context.hash(topic), topic)) {
            count += exact->subscribers.count();
        }
        index.match(topic, [&](ReplicatedFilter& filter) { count += filter.subscribers.count(); });
        return count;
    }

    SubscriptionIndex index;
    std::list<Session> sessions;
};

}  // namespace

TEST_CASE("grant: keeps options and the whole range of identifiers in 32 bits") {
    const Grant grant = Grant::of({.qos = mqtt::Qos::exactly_once, .no_local = true,
                                   .retain_as_published = true}, 268'435'455);
    CHECK(grant.qos() == mqtt::Qos::exactly_once);
    CHECK(grant.no_local());
    CHECK(grant.retain_as_published());
    CHECK(grant.identifier() == 268'435'455);
    CHECK(Grant::of({}, 0).bits == 0);
}

TEST_CASE("subscriber array: every subscription knows its position through pushes and removals") {
    ShardFixture shard;
    SubscriberArray array;
    std::array<Subscription, 300> subscriptions{};
    std::array<Session, 300> sessions{};
    std::vector<uint32_t> present;
    Prng random(5);
    for (uint32_t index = 0; index < 300; ++index) {
        REQUIRE(array.push(shard.heap, {&sessions[index], &subscriptions[index]}));
        present.push_back(index);
        if (random.chance(0.3)) {
            const uint32_t victim = random.below(static_cast<uint32_t>(present.size()));
            array.remove(shard.heap, subscriptions[present[victim]].position);
            present.erase(present.begin() + victim);
        }
    }
    while (!present.empty()) {
        REQUIRE(array.count() == present.size());
        for (const uint32_t index : present) {
            const Subscriber& there = array.begin()[subscriptions[index].position];
            REQUIRE(there.subscription == &subscriptions[index]);
            REQUIRE(there.session == &sessions[index]);
        }
        const uint32_t victim = random.below(static_cast<uint32_t>(present.size()));
        array.remove(shard.heap, subscriptions[present[victim]].position);
        present.erase(present.begin() + victim);
    }
    CHECK(shard.heap_objects() == 0);
}

TEST_CASE("shared group: picks shards in the proportion of their connected members") {
    SharedGroup group;
    group.set_shard(0, 1, true);
    group.set_shard(5, 3, true);
    group.set_shard(63, 2, true);
    std::map<uint32_t, uint32_t> picked;
    for (uint32_t turn = 0; turn < 600; ++turn) ++picked[group.pick_shard()];
    CHECK(picked == std::map<uint32_t, uint32_t>{{0, 100}, {5, 300}, {63, 200}});
    group.set_shard(5, 0, true);
    picked.clear();
    for (uint32_t turn = 0; turn < 600; ++turn) ++picked[group.pick_shard()];
    CHECK(picked == std::map<uint32_t, uint32_t>{{0, 200}, {63, 400}});
}

TEST_CASE("shared group: with nobody connected any shard that has members is picked") {
    SharedGroup group;
    group.set_shard(2, 0, true);
    group.set_shard(7, 0, true);
    std::map<uint32_t, uint32_t> picked;
    for (uint32_t turn = 0; turn < 64; ++turn) ++picked[group.pick_shard()];
    CHECK(picked.size() == 2);
    CHECK(picked[2] + picked[7] == 64);
    group.set_shard(2, 0, false);
    for (uint32_t turn = 0; turn < 64; ++turn) REQUIRE(group.pick_shard() == 7);
}

TEST_CASE("subscription index: a second subscription to a filter replaces the grant") {
    IndexFixture fixture;
    Session& session = fixture.session();
    CHECK(fixture.add(session, "a/b", 0) == SubscriptionIndex::Added::created);
    CHECK(fixture.add(session, "a/b", 2) == SubscriptionIndex::Added::replaced);
    CHECK(session.subscription_count == 1);
    CHECK(fixture.counters.subscriptions.read() == 1);
    CHECK(fixture.index.find(session, "a/b")->grant.qos() == mqtt::Qos::exactly_once);
    CHECK(fixture.matched_subscribers("a/b") == 1);
}

TEST_CASE("subscription index: finds a session's subscription from the shorter side") {
    IndexFixture fixture;
    Session& many = fixture.session();
    for (uint32_t number = 0; number < 50; ++number) {
        fixture.add(many, "only/" + std::to_string(number));
    }
    Session& few = fixture.session();
    fixture.add(few, "popular");
    for (uint32_t number = 0; number < 50; ++number) fixture.add(fixture.session(), "popular");
    CHECK(fixture.index.find(many, "only/7") != nullptr);
    CHECK(fixture.index.find(few, "popular") != nullptr);
    CHECK(fixture.index.find(few, "only/7") == nullptr);
    CHECK(fixture.index.find(many, "popular") == nullptr);
}

TEST_CASE("subscription index: a filter goes with its last subscriber") {
    IndexFixture fixture;
    Session& one = fixture.session();
    Session& two = fixture.session();
    for (const std::string_view filter : {"a/b", "a/+", "#", "$share/g/a/b", "$share/g/#"}) {
        CAPTURE(filter);
        fixture.add(one, filter);
        fixture.add(two, filter);
        fixture.index.remove(one, *fixture.index.find(one, filter));
        CHECK(fixture.index.find_filter(filter) != nullptr);
        fixture.index.remove(two, *fixture.index.find(two, filter));
        CHECK(fixture.index.find_filter(filter) == nullptr);
        CHECK(fixture.objects("filters") == 0);
    }
    CHECK(fixture.objects("subscriptions") == 0);
    CHECK(fixture.heap_objects() == 0);
}

TEST_CASE("subscription index: a replicated filter stays while another shard has subscribers") {
    IndexFixture fixture;
    Session& session = fixture.session();
    REQUIRE(fixture.index.set_remote(3, "a/+", true));
    REQUIRE(fixture.index.set_remote(60, "a/+", true));
    fixture.add(session, "a/+");
    auto* filter = static_cast<ReplicatedFilter*>(fixture.index.find_filter("a/+"));
    CHECK(filter->shard_mask == (uint64_t{1} << 3 | uint64_t{1} << 60));
    fixture.index.remove(session, *session.subscriptions);
    CHECK(fixture.index.find_filter("a/+") == filter);
    fixture.index.set_remote(3, "a/+", false);
    CHECK(filter->shard_mask == uint64_t{1} << 60);
    fixture.index.set_remote(60, "a/+", false);
    CHECK(fixture.index.find_filter("a/+") == nullptr);
    CHECK(fixture.index.set_remote(60, "never/+", false));
    CHECK(fixture.objects("filters") == 0);
}

TEST_CASE("subscription index: groups of one inner filter are apart from each other") {
    IndexFixture fixture;
    Session& session = fixture.session();
    fixture.add(session, "$share/one/x/#");
    fixture.add(session, "$share/two/x/#");
    fixture.add(session, "x/#");
    auto* one = static_cast<SharedGroup*>(fixture.index.find_filter("$share/one/x/#"));
    auto* two = static_cast<SharedGroup*>(fixture.index.find_filter("$share/two/x/#"));
    CHECK(one != two);
    CHECK(one->filter == two->filter);
    CHECK(one->id != two->id);
    CHECK(fixture.matched_subscribers("x/y") == 1);
    std::string scratch;
    CHECK(SubscriptionIndex::text_of(*two, scratch) == "$share/two/x/#");
    fixture.index.remove(session, *fixture.index.find(session, "x/#"));
    CHECK(fixture.index.find_filter("$share/one/x/#") == one);
}

TEST_CASE("subscription index: knows the members of other shards") {
    IndexFixture fixture;
    REQUIRE(fixture.index.set_members(4, "$share/g/t", 2, true));
    auto* group = static_cast<SharedGroup*>(fixture.index.find_filter("$share/g/t"));
    REQUIRE(group != nullptr);
    CHECK(group->pick_shard() == 4);
    REQUIRE(fixture.index.set_members(4, "$share/g/t", 0, false));
    CHECK(fixture.index.find_filter("$share/g/t") == nullptr);
    CHECK(fixture.index.set_members(4, "$share/g/t", 0, false));
    CHECK(fixture.objects("filters") == 0);
}

TEST_CASE("subscription index: exact and wildcard filters match as the standard says") {
    IndexFixture fixture;
    Session& session = fixture.session();
    for (const std::string_view filter : {"a/b", "a/+", "a/#", "+/b", "#", "$SYS/#"}) {
        fixture.add(session, filter);
    }
    CHECK(fixture.matched_subscribers("a/b") == 5);
    CHECK(fixture.matched_subscribers("a") == 2);
    CHECK(fixture.matched_subscribers("c/b") == 2);
    CHECK(fixture.matched_subscribers("$SYS/x") == 1);
    CHECK(fixture.index.knows_hash(fixture.context.hash("a/b")));
    CHECK(!fixture.index.knows_hash(fixture.context.hash("a/c")));
}

TEST_CASE("subscription index: used-up memory refuses a subscription and leaves no trace of it") {
    IndexFixture fixture(uint64_t{1} << 20);
    Session& session = fixture.session();
    uint32_t created = 0;
    for (uint32_t number = 0; number < 60'000; ++number) {
        const std::string text = (number % 2 == 0 ? "exact/" : "wild/+/") + std::to_string(number);
        if (fixture.add(session, text) != SubscriptionIndex::Added::created) {
            REQUIRE(fixture.index.find(session, text) == nullptr);
            break;
        }
        ++created;
    }
    CHECK(created > 100);
    CHECK(session.subscription_count == created);
    CHECK(fixture.objects("subscriptions") == created);
    while (session.subscriptions != nullptr) {
        fixture.index.remove(session, *session.subscriptions);
    }
    CHECK(fixture.objects("filters") == 0);
    CHECK(fixture.add(session, "again/+") == SubscriptionIndex::Added::created);
}

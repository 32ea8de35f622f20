// What tasks of the admin side find in a shard, and do to it.
#include "broker/inspect/broadcast.h"
#include "broker/inspect/clients.h"
#include "broker/inspect/subscriptions.h"
#include "broker/inspect/topics.h"

#include <map>
#include <set>

#include <fmt/format.h>

#include "broker_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

// To its end, and how many steps that took.
uint32_t run(BrokerFixture& shard, ShardTask& task) {
    uint32_t steps = 1;
    while (!task.step(*shard.broker)) ++steps;
    shard.flush();
    return steps;
}

// Every page; change(page) is called between them.
template <class Change>
std::map<std::string, int> list_clients(BrokerFixture& shard, ClientsPage::Wanted wanted,
                                        Change&& change) {
    std::map<std::string, int> seen;
    for (int page = 0;; ++page) {
        ClientsPage task(wanted);
        run(shard, task);
        REQUIRE(task.rows().size() <= wanted.rows_max);
        for (const ClientRow& row : task.rows()) ++seen[row.client_id];
        if (!task.rest()) return seen;
        wanted.place = *task.rest();
        change(page);
    }
}

std::string client_name(int number) { return fmt::format("client-{}", number); }

std::multiset<std::string> filters_of(const std::vector<SubscriptionRow>& rows) {
    std::multiset<std::string> filters;
    for (const SubscriptionRow& row : rows) filters.insert(row.client_id + " " + row.filter);
    return filters;
}

}  // namespace

TEST_CASE("inspect: pages have every client that stays once, whoever comes and goes meanwhile") {
    BrokerFixture shard;
    for (int number = 0; number < 300; ++number) shard.connect(client_name(number));
    for (const uint32_t rows_max : {1u, 7u, 100u}) {
        int next = 1'000 * static_cast<int>(rows_max);
        const auto seen = list_clients(shard, {.rows_max = rows_max}, [&](int) {
            shard.drop(shard.connect(client_name(next++)));
            shard.connect(client_name(next++));
        });
        for (int number = 0; number < 300; ++number) CHECK(seen.at(client_name(number)) == 1);
        for (const auto& [name, times] : seen) CHECK(times == 1);
    }
}

TEST_CASE("inspect: a page may be of a prefix, and of those who are connected or away") {
    BrokerFixture shard;
    mqtt::Connect kept;
    kept.session_expiry_s = 100;
    for (const char* name : {"a-1", "a-2", "b-1"}) {
        kept.client_id = name;
        TestClient& client = shard.connect(kept);
        if (std::string(name) == "a-2") shard.drop(client);
    }
    const auto names = [&](ClientsPage::Wanted wanted) {
        std::string all;
        for (const auto& [name, times] : list_clients(shard, wanted, [](int) {})) all += name + " ";
        return all;
    };
    CHECK(names({}) == "a-1 a-2 b-1 ");
    CHECK(names({.prefix = "a"}) == "a-1 a-2 ");
    CHECK(names({.prefix = "a", .is_connected = true}) == "a-1 ");
    CHECK(names({.is_connected = false}) == "a-2 ");
    CHECK(names({.prefix = "c"}) == "");
}

TEST_CASE("inspect: a step looks at some sessions, however many there are") {
    BrokerFixture shard;
    for (int number = 0; number < 2'000; ++number) shard.connect(client_name(number));
    ClientsPage task({.rows_max = 1'000, .prefix = "nobody"});
    CHECK(run(shard, task) >= 2'000 / ShardTask::elements_per_step);
    CHECK(task.rows().empty());
}

TEST_CASE("inspect: long names make steps and pages shorter") {
    BrokerFixture shard;
    std::set<std::string> expected;
    for (int number = 0; number < 40; ++number) {
        std::string name = client_name(number) + std::string(60'000, 'x');
        shard.connect(name);
        expected.insert(std::move(name));
    }
    ClientsPage first({.rows_max = 1'000});
    const uint32_t steps = run(shard, first);
    CHECK(first.rows().size() == ShardTask::text_bytes_per_page / 60'000 + 1);
    CHECK(steps >= first.rows().size() / 2);
    const auto seen = list_clients(shard, {.rows_max = 1'000}, [](int) {});
    CHECK(seen.size() == expected.size());
    for (const auto& [name, times] : seen) CHECK(times == 1);
}

TEST_CASE("inspect: a row says how a client stands") {
    BrokerFixture shard;
    mqtt::Connect packet;
    packet.client_id = "phone";
    packet.keep_alive_s = 30;
    packet.session_expiry_s = 600;
    packet.receive_maximum = 1;
    TestClient& client = shard.connect(packet);
    shard.subscribe(client, "news/#", 1);
    shard.subscribe(client, "mail", 1);
    for (int number = 0; number < 3; ++number) {
        shard.publish(shard.connect("sender"), {.topic = "mail", .payload = "hello"});
        shard.publish(shard.connect("sender"), {.topic = "mail", .payload = "hello", .qos = 1});
    }
    shard.advance(Duration::ms(1'500));
    ClientLookup lookup("phone");
    run(shard, lookup);
    REQUIRE(lookup.row().has_value());
    const ClientRow& row = *lookup.row();
    CHECK(row.is_connected);
    CHECK(row.is_v5);
    CHECK(row.keep_alive_s == 30);
    CHECK(row.expiry_s == 600);
    CHECK(row.subscriptions == 2);
    CHECK(row.inflight == 1);
    CHECK(row.waiting_messages == 2);
    CHECK(row.waiting_bytes > 2 * 5);
    CHECK(row.silent_ms == 1'500);
    ClientLookup nobody("phon");
    run(shard, nobody);
    CHECK(!nobody.row());
}

TEST_CASE("inspect: a kicked client is told so; its session stays, or ends if that is wanted") {
    BrokerFixture shard;
    mqtt::Connect packet;
    packet.client_id = "phone";
    packet.session_expiry_s = 600;
    TestClient& client = shard.connect(packet);
    TestClient& bystander = shard.connect("bystander");
    ClientKick kick("phone", false);
    run(shard, kick);
    REQUIRE(kick.done().has_value());
    CHECK(kick.done()->was_connected);
    CHECK(!kick.done()->session_ended);
    CHECK(shard.take(client).disconnect().reason == mqtt::Reason::administrative_action);
    CHECK(client.closed);
    CHECK(!bystander.closed);
    CHECK(shard.counters.sessions.read() == 2);
    ClientKick end("phone", true);
    run(shard, end);
    CHECK(!end.done()->was_connected);
    CHECK(end.done()->session_ended);
    CHECK(shard.counters.sessions.read() == 1);
    ClientKick again("phone", true);
    run(shard, again);
    CHECK(!again.done());
}

TEST_CASE("inspect: subscriptions come in pages that may end within a session") {
    BrokerFixture shard;
    std::multiset<std::string> expected;
    for (int number = 0; number < 5; ++number) {
        TestClient& client = shard.connect(client_name(number));
        for (int filter = 0; filter < 150 * (number % 2); ++filter) {
            // One is too long to be carried in a cursor.
            const std::string text = filter == 20 ? std::string(5'000, 'x')
                                     : filter % 3 == 0 ? fmt::format("a/{}/#", filter)
                                     : filter % 3 == 1 ? fmt::format("$share/g/{}", filter)
                                                       : fmt::format("exact/{}", filter);
            shard.subscribe(client, text);
            expected.insert(client_name(number) + " " + text);
        }
    }
    for (const uint32_t rows_max : {1u, 10u, 64u, 1'000u}) {
        std::vector<SubscriptionRow> rows;
        SubscriptionsPage::Rest from{};
        for (;;) {
            SubscriptionsPage task(from, rows_max);
            run(shard, task);
            REQUIRE(!task.is_lost());
            REQUIRE(task.rows().size() <= rows_max);
            rows.insert(rows.end(), task.rows().begin(), task.rows().end());
            if (!task.rest()) break;
            from = *task.rest();
        }
        CHECK(filters_of(rows) == expected);
    }
    ClientSubscriptions one(client_name(1), {}, 1'000);
    run(shard, one);
    CHECK(one.rows().size() == 150);
    CHECK(!one.rest());
}

TEST_CASE("inspect: a page that goes on after a subscription that has gone says so") {
    BrokerFixture shard;
    TestClient& client = shard.connect("phone");
    for (int filter = 0; filter < 10; ++filter) shard.subscribe(client, fmt::format("a/{}", filter));
    ClientSubscriptions first("phone", {}, 4);
    run(shard, first);
    REQUIRE(first.rest().has_value());
    shard.unsubscribe(client, first.rest()->last);
    ClientSubscriptions second("phone", *first.rest(), 4);
    run(shard, second);
    CHECK(second.is_lost());
}

TEST_CASE("inspect: filters come in pages, each once, with how many subscribe") {
    BrokerFixture shard;
    std::map<std::string, uint32_t> expected;
    TestClient& first = shard.connect("first");
    TestClient& second = shard.connect("second");
    const auto subscribe = [&](TestClient& client, const std::string& filter) {
        shard.subscribe(client, filter);
        ++expected[filter];
    };
    for (int number = 0; number < 120; ++number) {
        subscribe(first, fmt::format("exact/{}", number));
        subscribe(first, fmt::format("wild/{}/+", number));
        if (number % 2 == 0) subscribe(second, fmt::format("exact/{}", number));
        if (number % 3 == 0) subscribe(second, fmt::format("$share/g{}/wild/{}/+", number % 7, number));
    }
    for (const char* filter : {"#", "+", "+/+", "+/#", "/", "+/+/#", "a/+/+", "a/#"}) {
        subscribe(second, filter);
    }
    for (const uint32_t rows_max : {1u, 9u, 1'000u}) {
        std::map<std::string, uint32_t> seen;
        TopicsPage::Rest from;
        for (;;) {
            TopicsPage task(from, std::nullopt, rows_max);
            run(shard, task);
            REQUIRE(task.rows().size() <= rows_max);
            for (const TopicRow& row : task.rows()) {
                CHECK(seen.emplace(row.filter, row.subscribers).second);
            }
            if (!task.rest()) break;
            from = *task.rest();
        }
        CHECK(seen == expected);
    }
    TopicsPage shared({}, Filter::Kind::shared, 1'000);
    run(shard, shared);
    CHECK(shared.rows().size() == 40);
}

TEST_CASE("inspect: what a topic would reach, and what is retained there") {
    BrokerFixture shard;
    TestClient& client = shard.connect("phone");
    shard.subscribe(client, "a/b");
    shard.subscribe(client, "a/+");
    shard.subscribe(client, "$share/g/a/#");
    shard.subscribe(client, "other/#");
    shard.publish(client, {.topic = "a/b", .payload = "12345", .qos = 1, .retain = true});
    TopicLookup lookup("a/b");
    run(shard, lookup);
    std::set<std::string> filters;
    for (const TopicRow& row : lookup.rows()) filters.insert(row.filter);
    CHECK(filters == std::set<std::string>{"a/b", "a/+", "$share/g/a/#"});
    REQUIRE(lookup.retained().has_value());
    CHECK(lookup.retained()->bytes == 5);
    CHECK(lookup.is_home());
}

TEST_CASE("inspect: a broadcast reaches each connected client once, subscribed or not") {
    BrokerFixture shard;
    mqtt::Connect kept;
    kept.client_id = "away";
    kept.session_expiry_s = 100;
    shard.drop(shard.connect(kept));
    std::vector<TestClient*> phones;
    for (int number = 0; number < 500; ++number) phones.push_back(&shard.connect(client_name(number)));
    TestClient& other = shard.connect("other", mqtt::Version::v3_1_1);
    Broadcast::Text text;
    text.topic = "alert";
    text.payload = {'h', 'i'};
    text.qos = mqtt::Qos::at_least_once;
    text.prefix = "client-";
    Broadcast task(std::make_shared<const Broadcast::Text>(text));
    CHECK(run(shard, task) > 500 / ShardTask::elements_per_step);
    CHECK(task.client_count() == 500);
    for (TestClient* phone : phones) {
        const ReceivedPacket packet = shard.take(*phone);
        CHECK(packet.publish().topic == "alert");
        CHECK(payload_of(packet) == "hi");
        CHECK(!shard.has_packet(*phone));
    }
    CHECK(!shard.has_packet(other));
}

TEST_CASE("inspect: tasks take turns, and who gave up is dropped") {
    struct Counting final : ShardTask {
        explicit Counting(int wanted) : wanted(wanted) {}
        bool step(Broker&) override { return ++steps == wanted; }
        int wanted;
        int steps = 0;
    };
    BrokerFixture shard;
    const auto past = std::chrono::steady_clock::time_point();
    TaskQueue queue;
    const auto longer = std::make_shared<Counting>(3);
    const auto shorter = std::make_shared<Counting>(1);
    CHECK(queue.empty());
    CHECK(queue.post(longer));
    CHECK(queue.post(shorter));
    queue.run_step(*shard.broker);
    CHECK(longer->steps == 1);
    queue.run_step(*shard.broker);
    CHECK(shorter->wait_until(past));
    CHECK(!longer->wait_until(past));  // and nobody waits any more
    queue.run_step(*shard.broker);
    CHECK(longer->steps == 1);
    CHECK(queue.empty());
    for (size_t count = 0; count < TaskQueue::count_max; ++count) {
        CHECK(queue.post(std::make_shared<Counting>(1)));
    }
    CHECK(!queue.post(std::make_shared<Counting>(1)));
    const auto last = std::make_shared<Counting>(1);
    queue.run_step(*shard.broker);
    CHECK(queue.post(last));
    queue.close();
    CHECK(!last->wait_until(past));
    CHECK(!queue.post(last));
}

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "broker/retained.h"
#include "shard_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

struct RetainedFixture : ShardFixture {
    explicit RetainedFixture(const Config& given = {}, uint64_t bytes_max = shard_bytes_max)
        : ShardFixture(bytes_max, given), store(heap, ledger), retained(context, store) {}

    bool set(std::string_view topic, std::string_view payload,
             Instant expires = Instant::never()) {
        Message message;
        message.topic = topic;
        message.payload = as_bytes(payload);
        message.retain = true;
        message.expires = expires;
        return retained.set(message);
    }
    std::set<std::string> match(std::string_view filter) {
        std::set<std::string> found;
        retained.for_each_match(filter, [&](const StoredMessage& stored) {
            const Message message = stored.read();
            found.insert(std::string(message.topic) + "=" + std::string(as_text(message.payload)));
        });
        return found;
    }

    MessageStore store;
    RetainedStore retained;
};

using Found = std::set<std::string>;

}  // namespace

TEST_CASE("retained: the newest message of a topic is kept, and an empty one clears it") {
    RetainedFixture fixture;
    CHECK(fixture.set("a", "1"));
    CHECK(fixture.set("a", "2"));
    CHECK(fixture.match("a") == Found{"a=2"});
    CHECK(fixture.counters.retained_messages.read() == 1);
    CHECK(fixture.set("a", ""));
    CHECK(fixture.match("a").empty());
    CHECK(fixture.counters.retained_messages.read() == 0);
    CHECK(fixture.counters.retained_bytes.read() == 0);
    CHECK(fixture.objects("stored messages") == 0);
}

TEST_CASE("retained: filters find topics by wildcards, but not hidden ones") {
    RetainedFixture fixture;
    for (const std::string_view topic : {"a", "a/b", "a/b/c", "x/b", "$SYS/v"}) {
        REQUIRE(fixture.set(topic, "1"));
    }
    CHECK(fixture.match("#") == Found{"a=1", "a/b=1", "a/b/c=1", "x/b=1"});
    CHECK(fixture.match("+/b") == Found{"a/b=1", "x/b=1"});
    CHECK(fixture.match("a/#") == Found{"a=1", "a/b=1", "a/b/c=1"});
    CHECK(fixture.match("$SYS/#") == Found{"$SYS/v=1"});
    CHECK(fixture.match("+/v").empty());
}

TEST_CASE("retained: an expired message is not found, and goes when it is met") {
    RetainedFixture fixture;
    const Instant start = fixture.context.now;
    REQUIRE(fixture.set("a", "1", start + Duration::s(1)));
    REQUIRE(fixture.set("b", "2"));
    CHECK(fixture.match("#") == Found{"a=1", "b=2"});
    fixture.context.now = start + Duration::s(1);
    CHECK(fixture.match("#") == Found{"b=2"});
    CHECK(fixture.objects("stored messages") == 1);
}

TEST_CASE("retained: the bound of messages holds, and replacing needs no further room") {
    Config config;
    config.queues.retained_messages_max = 3;
    RetainedFixture fixture(config);
    for (const std::string_view topic : {"a", "b", "c"}) REQUIRE(fixture.set(topic, "1"));
    CHECK(!fixture.set("d", "1"));
    CHECK(fixture.match("d").empty());
    CHECK(fixture.set("c", "2"));
    CHECK(fixture.match("#") == Found{"a=1", "b=1", "c=2"});
    CHECK(fixture.set("a", ""));
    CHECK(fixture.set("d", "1"));
}

TEST_CASE("retained: the bound of bytes holds") {
    Config config;
    config.queues.retained_bytes_max = 1'000;
    RetainedFixture fixture(config);
    CHECK(fixture.set("a", std::string(500, 'x')));
    CHECK(!fixture.set("b", std::string(500, 'x')));
    CHECK(fixture.set("b", std::string(400, 'x')));
    CHECK(fixture.counters.retained_bytes.read() <= 1'000);
}

TEST_CASE("retained: topics deeper than the index goes are not kept") {
    RetainedFixture fixture;
    std::string deep = "a";
    for (uint32_t level = 0; level < 500; ++level) deep += "/a";
    CHECK(!fixture.set(deep, "1"));
    CHECK(fixture.objects("stored messages") == 0);
}

TEST_CASE("retained: used-up memory is an answer") {
    RetainedFixture fixture({}, uint64_t{1} << 20);
    uint32_t kept = 0;
    const std::string payload(100, 'x');
    while (kept < 100'000 && fixture.set("t/" + std::to_string(kept), payload)) ++kept;
    CHECK(kept > 100);
    CHECK(kept < 100'000);
    CHECK(fixture.match("#").size() == kept);
}

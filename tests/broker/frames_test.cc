// Topic aliases and the frame cache.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "broker/frame_cache.h"
#include "broker/topic_aliases.h"
#include "codec/mqtt/decode.h"
#include "shard_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

struct CacheFixture : ShardFixture {
    CacheFixture() : cache(context, numbers) {
        message.topic = "some/topic";
        message.payload = as_bytes("payload");
        message.qos = mqtt::Qos::exactly_once;
    }

    PacketNumbers numbers;
    FrameCache cache;
    Message message;
};

mqtt::Publish decoded(Slice slice, mqtt::Version version) {
    const auto header = mqtt::read_fixed_header(slice.bytes());
    REQUIRE(header.has_value());
    const auto packet = mqtt::decode_publish(version, header->flags,
                                             slice.bytes().subspan(header->header_bytes));
    REQUIRE(packet.has_value());
    return *packet;
}

}  // namespace

TEST_CASE("topic aliases: a topic gets a number when it comes again, and keeps it") {
    TopicAliases aliases;
    CHECK(aliases.find_or_assign(1, "a/topic").number == 0);
    const auto alias = aliases.find_or_assign(1, "a/topic");
    CHECK(alias.number != 0);
    CHECK(alias.generation != 0);
    CHECK(aliases.find_or_assign(1, "a/topic").generation == alias.generation);
}

TEST_CASE("topic aliases: a reassigned number has a generation of its own") {
    TopicAliases aliases;
    aliases.find_or_assign(1, "topic/1");
    const auto first = aliases.find_or_assign(1, "topic/1");
    for (uint64_t hash = 2; hash < 2 + ClientLimits::outgoing_aliases_max; ++hash) {
        const std::string topic = "topic/" + std::to_string(hash);
        aliases.find_or_assign(hash, topic);
        const auto later = aliases.find_or_assign(hash, topic);
        REQUIRE(later.number >= 1);
        REQUIRE(later.number <= ClientLimits::outgoing_aliases_max);
        REQUIRE(later.generation > first.generation);
    }
    CHECK(aliases.find_or_assign(1, "topic/1").generation != first.generation);
}

TEST_CASE("topic aliases: very short and very long topics get none") {
    TopicAliases aliases;
    const std::string text(600, 'x');
    for (uint32_t time = 0; time < 3; ++time) {
        CHECK(aliases.find_or_assign(1, "abc").number == 0);
        CHECK(aliases.find_or_assign(2, text).number == 0);
    }
}

TEST_CASE("topic aliases: two topics of one hash are told apart") {
    TopicAliases aliases;
    aliases.find_or_assign(1, "topic/a");
    const auto a = aliases.find_or_assign(1, "topic/a");
    const auto b = aliases.find_or_assign(1, "topic/b");
    CHECK(b.generation != a.generation);
}

TEST_CASE("frame cache: receivers of one variant share bytes, packet identifier included") {
    CacheFixture fixture;
    for (const auto version : {mqtt::Version::v3_1_1, mqtt::Version::v5}) {
        for (const auto qos : {mqtt::Qos::at_most_once, mqtt::Qos::at_least_once,
                               mqtt::Qos::exactly_once}) {
            const FrameVariant variant{.version = version, .qos = qos};
            const Frame first = fixture.cache.find_or_encode(fixture.message, variant);
            const Frame again = fixture.cache.find_or_encode(fixture.message, variant);
            CHECK(first.slice.data() == again.slice.data());
            CHECK(first.slice.length == again.slice.length);
            CHECK(first.number.sequence == again.number.sequence);
            const mqtt::Publish packet = decoded(first.slice, version);
            CHECK(packet.topic == "some/topic");
            CHECK(packet.qos == qos);
            CHECK(packet.packet_id ==
                  (qos == mqtt::Qos::at_most_once ? 0 : first.number.packet_id()));
        }
    }
    fixture.cache.release();
}

TEST_CASE("frame cache: consecutive messages of one variant are adjacent") {
    CacheFixture fixture;
    for (const auto qos : {mqtt::Qos::at_most_once, mqtt::Qos::at_least_once}) {
        Slice before;
        for (uint32_t message = 0; message < 32; ++message) {
            const Frame frame = fixture.cache.find_or_encode(fixture.message, {.qos = qos});
            // Another variant between them doesn't part them.
            fixture.cache.find_or_encode(fixture.message,
                                         {.version = mqtt::Version::v3_1_1, .qos = qos});
            if (message > 0) {
                REQUIRE(frame.slice.block == before.block);
                REQUIRE(frame.slice.offset == before.offset + before.length);
            }
            before = frame.slice;
            fixture.cache.release();
        }
    }
}

TEST_CASE("frame cache: more variants than it holds are still right") {
    CacheFixture fixture;
    for (uint32_t round = 0; round < 2; ++round) {
        for (uint32_t id = 1; id <= 20; ++id) {
            const Frame frame = fixture.cache.find_or_encode(fixture.message,
                                                             {.subscription_id = id});
            uint32_t seen = 0;
            decoded(frame.slice, mqtt::Version::v5)
                .properties.subscription_ids.for_each([&](uint32_t value) { seen = value; });
            REQUIRE(seen == id);
        }
    }
    fixture.cache.release();
    fixture.cache.rewind();
}

TEST_CASE("frame cache: an alias replaces the topic or introduces it") {
    CacheFixture fixture;
    const Frame introduced = fixture.cache.find_or_encode(fixture.message, {.topic_alias = 3});
    CHECK(decoded(introduced.slice, mqtt::Version::v5).topic == "some/topic");
    CHECK(decoded(introduced.slice, mqtt::Version::v5).properties.topic_alias == 3);
    const Frame left_out = fixture.cache.find_or_encode(
        fixture.message, {.topic_left_out = true, .topic_alias = 3});
    CHECK(decoded(left_out.slice, mqtt::Version::v5).topic.empty());
    CHECK(left_out.slice.length < introduced.slice.length);
    fixture.cache.release();
}

TEST_CASE("frame cache: a single frame says that it is a duplicate and has its own identifiers") {
    CacheFixture fixture;
    const uint32_t ids[] = {5, 6};
    FrameCache::Single single;
    single.variant.qos = mqtt::Qos::at_least_once;
    single.subscription_ids = ids;
    single.packet_id = 777;
    single.duplicate = true;
    const mqtt::Publish packet =
        decoded(fixture.cache.encode_single(fixture.message, single), mqtt::Version::v5);
    CHECK(packet.duplicate);
    CHECK(packet.packet_id == 777);
    std::multiset<uint32_t> seen;
    packet.properties.subscription_ids.for_each([&](uint32_t id) { seen.insert(id); });
    CHECK(seen == std::multiset<uint32_t>{5, 6});
}

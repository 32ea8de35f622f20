#include <doctest/doctest.h>

#include "broker/subscribe_requests.h"

using namespace millrace;

namespace {

struct RequestFixture {
    RequestFixture() {
        suback->connection = &connection;
        suback->packet_id = 5;
    }
    uint32_t add(uint64_t shards, Session& to, const Subscription* created = nullptr) {
        const uint32_t number = requests.next_number();
        requests.add(number, {&to, created, {}, shards, suback});
        return number;
    }

    Connection connection{};
    Session session;
    std::shared_ptr<PendingSuback> suback = std::make_shared<PendingSuback>();
    Ledger ledger;
    SubscribeRequests requests{ledger};
};

}  // namespace

TEST_CASE("subscribe requests: the SUBACK goes with the last answer to the last filter") {
    RequestFixture fixture;
    const uint32_t first = fixture.add(0b110, fixture.session);
    const uint32_t second = fixture.add(0b010, fixture.session);
    CHECK(fixture.session.pending_count == 2);
    CHECK(fixture.requests.answered(first, 1) == nullptr);
    CHECK(fixture.requests.answered(second, 1) == nullptr);
    CHECK(fixture.requests.answered(first, 2) == fixture.suback);
    CHECK(fixture.session.pending_count == 0);
    CHECK(fixture.requests.answered(first, 2) == nullptr);
}

TEST_CASE("subscribe requests: no SUBACK for a connection that has gone") {
    RequestFixture fixture;
    const uint32_t number = fixture.add(0b010, fixture.session);
    fixture.requests.forget_connection(fixture.session);
    CHECK(fixture.requests.find(number) != nullptr);
    CHECK(fixture.requests.answered(number, 1) == nullptr);
    CHECK(fixture.requests.find(number) == nullptr);
}

TEST_CASE("subscribe requests: a session that ends takes its requests along, and no others") {
    RequestFixture fixture;
    Session other;
    const uint32_t number = fixture.add(0b010, fixture.session);
    const uint32_t kept = fixture.add(0b010, other);
    fixture.requests.forget(fixture.session);
    CHECK(fixture.session.pending_count == 0);
    CHECK(fixture.requests.find(number) == nullptr);
    CHECK(fixture.requests.find(kept) != nullptr);
    CHECK(fixture.requests.answered(number, 1) == nullptr);
    CHECK(fixture.ledger.line("subscribe requests").objects.read() == 1);
    CHECK(fixture.requests.answered(kept, 1) == nullptr);
    CHECK(fixture.ledger.line("subscribe requests").bytes.read() == 0);
}

TEST_CASE("subscribe requests: no request is numbered 0") {
    RequestFixture fixture;
    CHECK(fixture.requests.next_number() != 0);
}

TEST_CASE("subscribe requests: what an asked shard routed is early until it has answered") {
    RequestFixture fixture;
    const Subscription created{};
    const Subscription older{};
    const uint32_t first = fixture.add(0b110, fixture.session, &created);
    fixture.add(0b110, fixture.session);
    CHECK(fixture.requests.is_early(created, 1));
    CHECK(fixture.requests.is_early(created, 2));
    CHECK(!fixture.requests.is_early(created, 0));
    CHECK(!fixture.requests.is_early(older, 1));
    fixture.requests.answered(first, 1);
    CHECK(!fixture.requests.is_early(created, 1));
    CHECK(fixture.requests.is_early(created, 2));
    fixture.requests.answered(first, 2);
    CHECK(!fixture.requests.is_early(created, 2));
}

TEST_CASE("subscribe requests: nothing is early any more when the session has ended") {
    RequestFixture fixture;
    const Subscription created{};
    fixture.add(0b010, fixture.session, &created);
    fixture.requests.forget(fixture.session);
    CHECK(!fixture.requests.is_early(created, 1));
}

TEST_CASE("subscribe requests: a subscription that goes first isn't early when it comes again") {
    RequestFixture fixture;
    const Subscription created{};
    const uint32_t number = fixture.add(0b010, fixture.session, &created);
    fixture.requests.forget_created(created);
    CHECK(!fixture.requests.is_early(created, 1));
    CHECK(fixture.requests.answered(number, 1) == fixture.suback);
}

TEST_CASE("subscribe requests: a session has as many as it can count") {
    RequestFixture fixture;
    for (uint32_t count = 0; count < 65'535; ++count) fixture.add(0b010, fixture.session);
    CHECK(!fixture.requests.may_add(fixture.session));
    Session other;
    CHECK(fixture.requests.may_add(other));
}

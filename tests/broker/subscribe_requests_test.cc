#include <doctest/doctest.h>

#include "broker/subscribe_requests.h"

using namespace millrace;

namespace {

struct RequestFixture {
    RequestFixture() {
        suback->connection = &connection;
        suback->packet_id = 5;
    }
    uint32_t add(uint32_t answers, Session& to) {
        const uint32_t number = requests.next_number();
        requests.add(number, {&to, {}, answers, suback});
        return number;
    }

    Connection connection{};
    Session session;
    std::shared_ptr<PendingSuback> suback = std::make_shared<PendingSuback>();
    SubscribeRequests requests;
};

}  // namespace

TEST_CASE("subscribe requests: the SUBACK goes with the last answer to the last filter") {
    RequestFixture fixture;
    const uint32_t first = fixture.add(2, fixture.session);
    const uint32_t second = fixture.add(1, fixture.session);
    CHECK(fixture.session.pending_count == 2);
    CHECK(fixture.requests.answered(first) == nullptr);
    CHECK(fixture.requests.answered(second) == nullptr);
    CHECK(fixture.requests.answered(first) == fixture.suback);
    CHECK(fixture.session.pending_count == 0);
    CHECK(fixture.requests.answered(first) == nullptr);
}

TEST_CASE("subscribe requests: no SUBACK for a connection that has gone") {
    RequestFixture fixture;
    const uint32_t number = fixture.add(1, fixture.session);
    fixture.requests.forget_connection(fixture.session);
    CHECK(fixture.requests.find(number) != nullptr);
    CHECK(fixture.requests.answered(number) == nullptr);
    CHECK(fixture.requests.find(number) == nullptr);
}

TEST_CASE("subscribe requests: a session that ends takes its requests along, and no others") {
    RequestFixture fixture;
    Session other;
    const uint32_t number = fixture.add(1, fixture.session);
    const uint32_t kept = fixture.add(1, other);
    fixture.requests.forget(fixture.session);
    CHECK(fixture.session.pending_count == 0);
    CHECK(fixture.requests.find(number) == nullptr);
    CHECK(fixture.requests.find(kept) != nullptr);
    CHECK(fixture.requests.answered(number) == nullptr);
}

TEST_CASE("subscribe requests: no request is numbered 0") {
    RequestFixture fixture;
    CHECK(fixture.requests.next_number() != 0);
}

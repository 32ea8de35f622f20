#include "broker/terms.h"

#include <doctest/doctest.h>

#include <vector>

using namespace millrace;

namespace {

Terms terms_with(uint16_t receive_maximum) {
    MqttLimits limits;
    limits.receive_maximum = receive_maximum;
    return Terms::of(limits);
}

}  // namespace

TEST_CASE("terms: a holder keeps its own, a newcomer gets the newest") {
    TermsTable table(terms_with(1));
    const uint32_t first = table.join();
    CHECK(table.offer(terms_with(2)));
    const uint32_t second = table.join();
    CHECK(table.at(first).receive_maximum == 1);
    CHECK(table.at(second).receive_maximum == 2);
    // Back to what some still hold: one entry for both.
    CHECK(table.offer(terms_with(1)));
    CHECK(table.join() == first);
}

TEST_CASE("terms: an entry that nobody holds is used again, one that is held never") {
    TermsTable table(terms_with(1));
    const uint32_t kept = table.join();
    for (uint16_t value = 2; value < 1'000; ++value) {
        REQUIRE(table.offer(terms_with(value)));
        const uint32_t index = table.join();
        CHECK(table.at(index).receive_maximum == value);
        table.leave(index);
    }
    CHECK(table.at(kept).receive_maximum == 1);
}

TEST_CASE("terms: when all entries are held, the newest wait for one to become free") {
    TermsTable table(terms_with(1));
    std::vector<uint32_t> held{table.join()};
    for (uint16_t value = 2; value <= TermsTable::count_max; ++value) {
        REQUIRE(table.offer(terms_with(value)));
        held.push_back(table.join());
    }
    CHECK_FALSE(table.offer(terms_with(500)));
    CHECK(table.newest().receive_maximum == TermsTable::count_max);
    CHECK_FALSE(table.offer(terms_with(501)));  // the last one counts
    table.leave(held[7]);
    CHECK(table.newest().receive_maximum == 501);
    CHECK(table.at(table.join()).receive_maximum == 501);
    CHECK(table.at(held[6]).receive_maximum == 7);

    // What waits is forgotten when something else comes that can be had.
    CHECK_FALSE(table.offer(terms_with(502)));
    CHECK(table.offer(terms_with(3)));
    table.leave(held[9]);
    CHECK(table.newest().receive_maximum == 3);
}

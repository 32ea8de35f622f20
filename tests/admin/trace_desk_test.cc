#include "admin/api/trace_desk.h"

#include <string>

#include <doctest/doctest.h>

using namespace millrace;

namespace {

const Instant desk_start = Instant::at_ms(50'000);

TraceDesk::Moment moment(int64_t ms) {
    return {desk_start + Duration::ms(ms), 1'000.0 + static_cast<double>(ms) / 1'000};
}

// What a shard's tracer does.
bool write(const TraceList& list, uint32_t shard, uint32_t target, int64_t ms,
           std::string_view client_id, Bytes data = {}) {
    TraceEvent event;
    event.trace = list.targets[target].id;
    event.time = desk_start + Duration::ms(ms);
    event.kind = TraceKind::accepted;
    event.shard = static_cast<uint16_t>(shard);
    event.client_id = client_id;
    event.data = data;
    uint8_t* record = list.rings[shard]->try_append(record_bytes(event), list.targets[target].slot);
    if (record != nullptr) write_record(record, event);
    list.rings[shard]->publish();
    return record != nullptr;
}

std::string clients_of(const TraceDesk::Page& page) {
    std::string clients;
    for (const auto& event : page.events) clients += event.client_id;
    return clients;
}

TraceDesk::Wish wish_for(std::string client_id) { return {.text = std::move(client_id)}; }

}  // namespace

TEST_CASE("trace desk: a wish becomes a target for every shard until it ends or is taken away") {
    TraceDesk desk(2);
    CHECK(desk.list(moment(0))->targets.empty());
    const auto row = desk.start(moment(0), {TraceTarget::By::topic, "a/#", 60, 16});
    REQUIRE(row);
    CHECK(row->id == 1);
    CHECK(row->started_s == 1'000.0);
    const auto list = desk.list(moment(1));
    CHECK(list->rings.size() == 2);
    REQUIRE(list->targets.size() == 1);
    CHECK(list->targets[0].text == "a/#");
    CHECK(list->targets[0].by == TraceTarget::By::topic);
    CHECK(list->targets[0].data_bytes_max == 16);
    CHECK(list->targets[0].ends == desk_start + Duration::s(60));
    CHECK(desk.list(moment(60'000))->targets.empty());
    CHECK(desk.rows(moment(60'000))[0].ended);
    CHECK(desk.remove(moment(60'000), 1));
    CHECK(!desk.remove(moment(60'000), 1));
    CHECK(desk.rows(moment(60'000)).empty());
}

TEST_CASE("trace desk: eight run at once; one that has ended makes room, and numbers aren't used again") {
    TraceDesk desk(1);
    for (int index = 0; index < 8; ++index) {
        REQUIRE(desk.start(moment(0), {TraceTarget::By::client_id, "c", index == 3 ? 1u : 9u}));
    }
    CHECK(!desk.start(moment(500), wish_for("late")));
    const auto row = desk.start(moment(1'000), wish_for("late"));
    REQUIRE(row);
    CHECK(row->id == 9);
    CHECK(desk.rows(moment(1'000)).size() == 8);
    CHECK(!desk.page(moment(1'000), 4, 0, 10));
    uint32_t slots = 0;
    const auto list = desk.list(moment(1'001));
    for (const TraceTarget& target : list->targets) slots |= 1u << target.slot;
    CHECK(slots == 0xff);
}

TEST_CASE("trace desk: events of all shards come in the order of their times, page by page") {
    TraceDesk desk(2);
    const uint32_t id = desk.start(moment(0), wish_for("x"))->id;
    const auto list = desk.list(moment(0));
    write(*list, 0, 0, 10, "a");
    write(*list, 0, 0, 30, "c");
    write(*list, 1, 0, 20, "b");
    write(*list, 1, 0, 95, "d");
    auto page = desk.page(moment(100), id, 0, 2);
    REQUIRE(page);
    CHECK(clients_of(*page) == "ab");
    CHECK(page->events[0].time_s == doctest::Approx(1'000.01));
    CHECK(page->events[1].seen.shard == 1);
    CHECK(page->next == 2);
    page = desk.page(moment(100), id, page->next, 2);
    CHECK(clients_of(*page) == "c");   // another shard's may still come before the last
    write(*list, 0, 0, 90, "early");
    page = desk.page(moment(130), id, page->next, 9);
    CHECK(clients_of(*page) == "earlyd");
    CHECK(page->next == 5);
    CHECK(!page->ended);
    CHECK(desk.rows(moment(130))[0].events == 5);
    page = desk.page(moment(70'000), id, 5, 9);
    CHECK(page->events.empty());
    CHECK(page->next == 5);
    CHECK(page->ended);
    CHECK(!desk.page(moment(70'000), id, 2, 1)->ended);
    CHECK(!desk.page(moment(0), 99, 0, 1));
}

TEST_CASE("trace desk: what found no room, and what is too much to keep, is counted as lost") {
    TraceDesk desk(1);
    uint32_t id = desk.start(moment(0), wish_for("x"))->id;
    const auto list = desk.list(moment(0));
    uint64_t refused = 0;
    const std::string data(4'000, 'x');
    for (int index = 0; index < 100; ++index) {
        refused += write(*list, 0, 0, index, "c", as_bytes(data)) ? 0 : 1;
    }
    CHECK(refused > 0);
    auto page = desk.page(moment(1'000), id, 0, 1'000);
    CHECK(page->lost == refused);
    CHECK(page->events.size() == 100 - refused);
    for (int round = 0; round < 40; ++round) {
        for (int index = 0; index < 40; ++index) write(*list, 0, 0, 1'000, "c", as_bytes(data));
        desk.rows(moment(2'000));
    }
    page = desk.page(moment(3'000), id, 0, 10'000);
    const uint64_t all = page->events.back().number;
    CHECK(all == 100 - refused + 1'600);
    CHECK(page->lost == refused + all - page->events.size());
    CHECK(page->events.size() * data.size() <= TraceDesk::bytes_max);
    // The next trace in that place begins with none.
    desk.remove(moment(3'000), id);
    id = desk.start(moment(3'000), wish_for("y"))->id;
    CHECK(desk.rows(moment(3'000))[0].lost == 0);
}

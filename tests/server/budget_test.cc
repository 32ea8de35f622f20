#include "server/budget.h"

#include <doctest/doctest.h>

#include "port/memory_needed.h"
#include "server/dpdk_config.h"

using namespace millrace;

namespace {

using Kind = BudgetTerm::Kind;

constexpr ObjectSizes sizes{.connection_bytes = 104,
                            .session_bytes = 80,
                            .subscription_bytes = 24,
                            .filter_bytes = 48,
                            .retained_bytes = 40,
                            .queued_message_bytes = 16,
                            .inflight_bytes = 16};

const BudgetTerm& term_of(const Budget& budget, std::string_view name) {
    for (const BudgetTerm& term : budget.terms) {
        if (term.name == name) return term;
    }
    FAIL("no such term");
    return budget.terms[0];
}

}  // namespace

TEST_CASE("budget: connections cost their bound times their size") {
    Config config;
    config.shards.connections_max = 1'000;
    const Budget budget = make_budget(config, sizes, {.shard_count = 2});
    CHECK(term_of(budget, "connections").bytes() == 104'000);
    CHECK(term_of(budget, "TCP sockets").bytes() == 4'727'000);
}

TEST_CASE("budget: a total is the sum of its terms") {
    const Budget budget = make_budget({}, sizes, {.shard_count = 2});
    for (const Kind kind : {Kind::reserved, Kind::typical, Kind::bound, Kind::kernel}) {
        uint64_t sum = 0;
        for (const BudgetTerm& term : budget.terms) sum += term.kind == kind ? term.bytes() : 0;
        CHECK(budget.total(kind) == sum);
        CHECK(sum > 0);
    }
}

TEST_CASE("budget: one shard has no overflow to others, but the host's ring") {
    const Budget budget = make_budget({}, sizes, {.shard_count = 1});
    CHECK(term_of(budget, "mailbox overflow").bytes() == 0);
    CHECK(term_of(budget, "mailbox rings").count == 1);
}

TEST_CASE("budget: what doesn't fit in 64 bits is said, not wrapped around") {
    Config config;
    config.shards.connections_max = 1'048'000;
    config.queues.session_bytes_max = UINT64_MAX / 2;
    const Budget budget = make_budget(config, sizes, {.shard_count = 64});
    CHECK(budget.total(Kind::bound) == UINT64_MAX);
    CHECK(render_budget(budget).find("too much") != std::string::npos);
}

TEST_CASE("budget: the table says whether it fits under the cap") {
    Config config;
    config.shards.connections_max = 1'000'000;
    const auto table = [&](uint64_t cap) {
        return render_budget(
            make_budget(config, sizes, {.shard_count = 1, .memory_bytes_per_shard = cap}));
    };
    CHECK(table(1'048'576).find("idle connections alone do not fit") != std::string::npos);
    CHECK(table(1ull << 32).find("All bounds together") != std::string::npos);
    CHECK(table(1ull << 50).find("Even the bounds fit") != std::string::npos);
}

TEST_CASE("budget: every term of the table has a reason, and its columns line up") {
    const Budget budget = make_budget({}, sizes, {.shard_count = 2});
    for (const BudgetTerm& term : budget.terms) {
        CHECK(term.reason != "");
        CHECK(term.name.size() <= 18);
    }
}

TEST_CASE("budget: bytes are readable") {
    CHECK(readable_bytes(0) == "0 B");
    CHECK(readable_bytes(1'023) == "1023 B");
    CHECK(readable_bytes(1'536) == "1.5 KiB");
    CHECK(readable_bytes(3ull << 30) == "3.0 GiB");
}

TEST_CASE("budget: over our own TCP a connection is longer, and the kernel has none of it") {
    Config config;
    config.net = "dpdk";
    const ObjectSizes sizes{.connection_bytes = 100, .tcp_connection_bytes = 300};
    const Budget budget = make_budget(config, sizes, {1, uint64_t{1} << 30});
    CHECK(budget.total(BudgetTerm::Kind::kernel) == 0);
    bool found = false;
    for (const BudgetTerm& term : budget.terms) {
        CHECK(term.name != "submission queue");
        found = found || (term.name == "connections" && term.each_bytes == 300);
    }
    CHECK(found);
}

TEST_CASE("budget: what is reserved over dpdk is what the port will ask for") {
    Config config;
    config.net = "dpdk";
    const auto each = [&](uint32_t shard_count) {
        const Budget budget = make_budget(config, sizes, {.shard_count = shard_count});
        return term_of(budget, "DPDK's memory").bytes();
    };
    CHECK(each(1) > uint64_t{4} * config.dpdk.receive_descriptors * config.dpdk.mtu);
    CHECK(each(4) == memory_needed(port_options(config.dpdk, 4)) / 4);
    config.dpdk.memory_bytes = uint64_t{512} << 20;
    CHECK(each(4) == uint64_t{128} << 20);
}

// The memory bill of a configuration: what it asks for, a reason for each term.
// Owned by: values. Thread: any.
// Holds:    totals are sums of the printed terms; what can't be paid for is said, not hidden.
// Not here: the sizes of the broker's objects: the program that knows them hands them in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/config.h"

namespace millrace {

// sizeof() of what a shard keeps, with the overhead of its slab.
struct ObjectSizes {
    uint32_t connection_bytes = 0;
    uint32_t tcp_connection_bytes = 0;  // that, with our own TCP's part and its place in the table
    uint32_t time_wait_bytes = 0;       // our own TCP's
    uint32_t half_open_bytes = 0;
    uint32_t session_bytes = 0;         // client id not counted
    uint32_t subscription_bytes = 0;    // a session's place in a filter, both directions
    uint32_t filter_bytes = 0;          // an entry of the topic index, its text not counted
    uint32_t retained_bytes = 0;        // topic and payload not counted
    uint32_t queued_message_bytes = 0;  // a session's reference to a waiting message
    uint32_t inflight_bytes = 0;        // an unacknowledged message
};

// What the host decides when the configuration leaves it open (0).
struct BudgetHost {
    uint32_t shard_count = 1;
    uint64_t memory_bytes_per_shard = 0;  // the arena's cap
};

struct BudgetTerm {
    enum class Kind : uint8_t {
        reserved,  // taken at start
        typical,   // every connection open, one session and one subscription each, all idle
        bound,     // only when everything is at its bound at the same moment
        kernel,    // not ours: an estimate
    };
    Kind kind;
    std::string name;
    uint64_t count = 0;
    uint64_t each_bytes = 0;
    std::string reason;

    uint64_t bytes() const;  // count x each, at most UINT64_MAX
};

struct Budget {
    BudgetHost host;
    std::vector<BudgetTerm> terms;  // of one shard

    uint64_t total(BudgetTerm::Kind kind) const;
};

Budget make_budget(const Config& config, const ObjectSizes& sizes, const BudgetHost& host);

// A table for people.
std::string render_budget(const Budget& budget);

// "1.5 GiB", "104 B".
std::string readable_bytes(uint64_t bytes);

}  // namespace millrace

// What a run has found, and its two forms on standard output.
// Owned by: the coordinator fills it; a value.
// Holds:    succeeded() is what the exit status says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "base/latency_curve.h"
#include "base/time.h"
#include "load/options.h"
#include "load/totals.h"

namespace millrace {

struct LatencySummary {
    int64_t min_ns = 0;
    int64_t p50_ns = 0;
    int64_t p99_ns = 0;
    int64_t p999_ns = 0;
    int64_t max_ns = 0;
    std::vector<LatencyPoint> curve;

    static LatencySummary of(const Histogram& histogram);
};

struct LoadRound {
    uint64_t connected = 0;
    uint64_t sessions_resumed = 0;  // CONNACKs with the session of before
    Duration time_to_last_connack;
    LatencySummary connack_latency;
};

struct LoadMessages {
    uint64_t warmup_published = 0;
    // The measured phase
    uint64_t planned = 0;  // 0: bounded by time
    uint64_t published = 0;
    uint64_t expected = 0;  // deliveries
    uint64_t delivered = 0;
    Duration duration;  // from the first publish (or when it was due) to the last delivery
    LatencySummary latency;
    // The whole run
    uint64_t lost = 0;
    uint64_t unacknowledged = 0;
};

// The broker's process.
struct LoadServerUse {
    double user_seconds = 0;          // in the measured phase; connect and storm: connecting
    double system_seconds = 0;        // likewise
    double softirq_seconds = 0;       // likewise, of all cores of the machine
    int64_t memory_growth_bytes = 0;  // from before connecting until all were connected

    double processor_seconds() const { return user_seconds + system_seconds; }
};

struct LoadReport {
    LoadMode mode = LoadMode::connect;
    uint8_t qos = 0;
    uint32_t payload_bytes = 0;
    uint64_t connections_planned = 0;  // over all rounds
    LoadTotals totals;
    std::vector<LoadRound> rounds;
    std::optional<LoadMessages> messages;
    std::optional<LoadServerUse> server;
    bool interrupted = false;
    bool timed_out = false;  // the run's time-out, or no progress for too long

    bool succeeded() const;
    std::string to_text() const;
    std::string to_json() const;  // one line
};

}  // namespace millrace

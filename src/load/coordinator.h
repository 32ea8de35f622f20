// The order of a run: open, warm up, measure, drain, leave; and what comes out of it.
// Owned by: run_load, on the thread that called it, while the shards run on theirs.
// Holds:    every wait ends: by what it waits for, by the run's time-out, by a time without
//           progress, or by an interruption.
// Not here: clients (load_shard.h), threads and memory (run_load.h).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/time.h"
#include "load/load_shard.h"
#include "load/mail.h"
#include "load/plan.h"
#include "load/process_sample.h"
#include "load/report.h"
#include "runtime/mailbox.h"

namespace millrace {

class Coordinator {
public:
    // `interruptions` counts up from outside; 1 ends the run early, 2 without leaving cleanly.
    Coordinator(const LoadPlan& plan, MailMesh& mesh, const std::deque<LoadShardResult>& results,
                const std::atomic<uint32_t>& interruptions);

    // Everything up to the point where the shards leave their loops.
    void run();
    // Alone when a shard couldn't start; the last thing that run() does otherwise.
    void send_finish();
    // After the shards' threads have ended: their histograms are read now.
    LoadReport report();

private:
    enum class Wait : uint8_t { met, stalled, out_of_time, interrupted };
    // Measuring begins and ends once; in connect and storm it is the connecting.
    enum class Moment : uint8_t { connecting, connected, measuring, measured };
    static constexpr size_t moment_count = 4;

    void send(LoadCommand command);
    bool commands_are_done() const { return totals_.commands_done >= commands_sent_; }

    // Reads the totals again and again until `condition()`. Without progress (any change of
    // `progress()`) for `stall_max` it gives up.
    template <class Condition, class Progress>
    Wait wait_for(Condition&& condition, Progress&& progress, Duration stall_max);
    template <class Condition>
    Wait wait_until(Instant deadline, Condition&& condition);
    void look();
    void print_progress();
    // Notes why the run can't go on as planned; true when it can.
    bool accept(Wait wait);

    bool open_rounds();
    bool open_round(uint32_t round);
    bool cut();
    void hold();
    bool publish_phase(uint64_t messages, Duration duration);
    bool warm_up();
    void measure();
    void leave();
    // Takes the broker's figures where its process is here, and says so where progress is told:
    // whoever measures a broker on another machine goes by those lines.
    void mark(Moment moment);
    uint64_t unresolved() const;
    std::optional<LoadServerUse> server_use() const;

    const LoadPlan& plan_;
    MailMesh& mesh_;
    Mailbox mailbox_;
    const std::deque<LoadShardResult>& results_;
    const std::atomic<uint32_t>& interruptions_;
    std::vector<LoadTotals> shard_totals_;
    LoadTotals totals_;             // of all shards, as of the last look()
    uint64_t commands_sent_ = 0;
    uint32_t phase_ = 0;            // publish phases begun
    Instant started_at_;
    Instant run_deadline_;
    Instant now_;

    Instant progress_printed_at_;
    uint64_t progress_delivered_ = 0;

    LoadReport report_;
    LoadTotals before_measured_;    // totals when the warm-up had ended
    std::array<std::optional<ProcessSample>, moment_count> server_;  // by Moment
};

}  // namespace millrace

#include "load/coordinator.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include <fmt/format.h>

#include "runtime/clock.h"

namespace millrace {
namespace {

// The shards note the instants that count themselves; this is only how soon the coordinator sees.
constexpr Duration look_interval = Duration::ms(2);
constexpr Duration open_stall_max = Duration::s(30);
constexpr Duration leave_timeout = Duration::s(10);
constexpr Duration progress_interval = Duration::s(1);

void sleep_for(Duration span) {
    const timespec wanted{span.nanoseconds / 1'000'000'000, span.nanoseconds % 1'000'000'000};
    ::nanosleep(&wanted, nullptr);  // an interruption may end it early: the caller looks again
}

}  // namespace

Coordinator::Coordinator(const LoadPlan& plan, MailMesh& mesh,
                         const std::deque<LoadShardResult>& results,
                         const std::atomic<uint32_t>& interruptions)
    : plan_(plan),
      mesh_(mesh),
      mailbox_(mesh, mesh.host_index()),
      results_(results),
      interruptions_(interruptions),
      shard_totals_(results.size()) {}

void Coordinator::send(LoadCommand command) {
    for (uint32_t shard = 0; shard < mesh_.shard_count(); ++shard) {
        write_mail(mailbox_.reserve(shard, sizeof(command)), command);
        mailbox_.post();
    }
    mailbox_.flush(monotonic_now());
    ++commands_sent_;
}

void Coordinator::look() {
    now_ = monotonic_now();
    for (size_t shard = 0; shard < results_.size(); ++shard) {
        shard_totals_[shard] = results_[shard].totals.load();
    }
    totals_ = add_up(shard_totals_);
    if (plan_.options.progress && now_ - progress_printed_at_ >= progress_interval) {
        print_progress();
    }
}

void Coordinator::print_progress() {
    const Duration since = now_ - progress_printed_at_;
    const uint64_t delivered = totals_.delivered - progress_delivered_;
    fmt::print(stderr, "{:.0f} s: connected {} of {}", (now_ - started_at_).seconds(),
               totals_.ready, report_.connections_planned);
    if (totals_.refused + totals_.lost > 0) {
        fmt::print(stderr, " (refused {}, lost {})", totals_.refused, totals_.lost);
    }
    if (plan_.has_messages()) {
        fmt::print(stderr, ", published {}, delivered {} ({:.0f}/s)", totals_.published,
                   totals_.delivered, static_cast<double>(delivered) / since.seconds());
    }
    fmt::print(stderr, "\n");
    progress_printed_at_ = now_;
    progress_delivered_ = totals_.delivered;
}

template <class Condition, class Progress>
Coordinator::Wait Coordinator::wait_for(Condition&& condition, Progress&& progress,
                                        Duration stall_max) {
    look();
    uint64_t seen = progress();
    Instant seen_at = now_;
    const uint32_t interruptions = interruptions_.load(std::memory_order_relaxed);
    while (!(commands_are_done() && condition())) {
        if (interruptions_.load(std::memory_order_relaxed) != interruptions) {
            return Wait::interrupted;
        }
        if (now_ >= run_deadline_) return Wait::out_of_time;
        if (progress() != seen) {
            seen = progress();
            seen_at = now_;
        } else if (now_ - seen_at > stall_max) {
            return Wait::stalled;
        }
        sleep_for(look_interval);
        look();
    }
    return Wait::met;
}

template <class Condition>
Coordinator::Wait Coordinator::wait_until(Instant deadline, Condition&& condition) {
    const auto ended = [&] { return now_ >= deadline || condition(); };
    return wait_for(ended, [&] { return static_cast<uint64_t>(now_.nanoseconds); },
                    Duration::s(1));
}

bool Coordinator::accept(Wait wait) {
    switch (wait) {
    case Wait::met: return true;
    case Wait::interrupted: report_.interrupted = true; return false;
    case Wait::stalled:
    case Wait::out_of_time: report_.timed_out = true; return false;
    }
    MR_UNREACHABLE();
}

void Coordinator::run() {
    started_at_ = monotonic_now();
    progress_printed_at_ = started_at_;
    run_deadline_ = started_at_ + plan_.run_timeout;
    const uint32_t rounds =
        plan_.options.mode == LoadMode::storm ? plan_.options.storm_round_count : 1;
    report_.connections_planned = uint64_t{plan_.client_count()} * rounds;
    report_.rounds.resize(rounds);

    if (open_rounds()) {
        if (!plan_.has_messages()) hold();
        else if (warm_up()) measure();
    }
    look();
    report_.totals = totals_;  // before leaving: what closes then isn't lost
    leave();
    send_finish();
}

void Coordinator::send_finish() { send({.kind = LoadCommandKind::finish}); }

void Coordinator::mark(Moment moment) {
    static constexpr std::array<const char*, moment_count> names{"connecting", "connected",
                                                                 "measuring", "measured"};
    const auto index = static_cast<size_t>(moment);
    const std::optional<uint32_t>& pid = plan_.options.server_pid;
    if (pid) server_[index] = ProcessSample::take(*pid);
    if (plan_.options.progress) fmt::print(stderr, "phase: {}\n", names[index]);
}

bool Coordinator::open_rounds() {
    mark(Moment::connecting);
    if (!plan_.has_messages()) mark(Moment::measuring);
    for (uint32_t round = 0; round < report_.rounds.size(); ++round) {
        if (round > 0 && !cut()) return false;
        if (!open_round(round)) return false;
        if (round == 0) mark(Moment::connected);
    }
    // Without all receivers a closed loop would stand still, and nothing else would be complete.
    if (plan_.has_messages()) return totals_.ready == report_.connections_planned;
    mark(Moment::measured);
    return true;
}

bool Coordinator::open_round(uint32_t round) {
    look();
    const uint64_t ready_before = totals_.ready;
    const uint64_t tried = uint64_t{plan_.client_count()} * (round + 1);
    const Instant begin = monotonic_now();
    send({.kind = LoadCommandKind::open, .phase = round, .instant_ns = begin.nanoseconds});
    const Wait wait = wait_for(
        [&] { return totals_.ready + totals_.refused >= tried; },
        [&] { return totals_.opened + totals_.accepted + totals_.ready + totals_.refused; },
        open_stall_max);
    LoadRound& result = report_.rounds[round];
    result.connected = totals_.ready - ready_before;
    if (result.connected > 0) {
        result.time_to_last_connack =
            Instant{static_cast<int64_t>(totals_.last_accepted_ns)} - begin;
    }
    return accept(wait);
}

// Closes every connection without a DISCONNECT.
bool Coordinator::cut() {
    send({.kind = LoadCommandKind::cut});
    return accept(wait_for([&] { return totals_.closed == totals_.opened; },
                           [&] { return totals_.closed; }, open_stall_max));
}

void Coordinator::hold() {
    look();
    accept(wait_until(now_ + plan_.options.duration, [] { return false; }));
}

// Deliveries and acknowledgements that are still to come for what has been published.
uint64_t Coordinator::unresolved() const {
    const uint64_t expected = totals_.published * plan_.receivers();
    const uint64_t open_flows =
        plan_.options.qos == 0 ? 0 : totals_.published - totals_.acknowledged;
    return expected - std::min(expected, totals_.resolved) + open_flows;
}

bool Coordinator::publish_phase(uint64_t messages, Duration duration) {
    const LoadOptions& options = plan_.options;
    const Instant begin = monotonic_now() + Duration::ms(1);
    send({.kind = LoadCommandKind::publish,
          .phase = ++phase_,
          .messages = messages,
          .instant_ns = begin.nanoseconds});
    const auto progress = [&] {
        return totals_.published + totals_.resolved + totals_.acknowledged;
    };
    // At a low rate there's nothing to be seen between two messages.
    Duration stall_max = options.drain_timeout;
    if (options.rate > 0) {
        stall_max = stall_max + Duration::s(2) / static_cast<int64_t>(options.rate);
    }
    const bool timed = duration > Duration::s(0);
    const Wait published = wait_for(
        [&] {
            const bool all_sent = totals_.phase == phase_ &&
                                  totals_.publishers_finished == plan_.publisher_count;
            return all_sent || (timed && now_ - begin >= duration);
        },
        progress, stall_max);
    const bool go_on = accept(published);
    send({.kind = LoadCommandKind::stop});
    const Wait drained =
        wait_for([&] { return unresolved() == 0; }, progress, options.drain_timeout);
    // Messages that never come are counted as lost: that's a result, not a time-out.
    if (drained == Wait::met || drained == Wait::stalled) return go_on && drained == Wait::met;
    accept(drained);
    return false;
}

bool Coordinator::warm_up() {
    bool clean = true;
    if (plan_.warmup_messages > 0 || plan_.warmup_duration > Duration::s(0)) {
        clean = publish_phase(plan_.warmup_messages, plan_.warmup_duration);
    }
    before_measured_ = totals_;
    report_.messages.emplace().warmup_published = totals_.published;
    if (!clean && !report_.interrupted) {
        fmt::print(stderr, "load: messages were lost while warming up\n");
    }
    return clean;
}

void Coordinator::measure() {
    send({.kind = LoadCommandKind::measure});
    if (!accept(wait_for([] { return true; }, [] { return uint64_t{0}; }, open_stall_max))) return;
    mark(Moment::measuring);
    const LoadOptions& options = plan_.options;
    report_.messages->planned =
        options.duration > Duration::s(0) ? 0 : options.message_count;
    publish_phase(options.message_count, options.duration);
    mark(Moment::measured);
}

void Coordinator::leave() {
    if (interruptions_.load(std::memory_order_relaxed) > 1) return;
    send({.kind = LoadCommandKind::leave});
    // The result stands; connections that don't end in time are dropped with the rings.
    run_deadline_ = std::max(run_deadline_, monotonic_now() + leave_timeout);
    wait_for([&] { return totals_.closed == totals_.opened; }, [&] { return totals_.closed; },
             leave_timeout);
}

std::optional<LoadServerUse> Coordinator::server_use() const {
    for (const std::optional<ProcessSample>& sample : server_) {
        if (!sample) return std::nullopt;
    }
    const auto at = [&](Moment moment) -> const ProcessSample& {
        return *server_[static_cast<size_t>(moment)];
    };
    const ProcessSample& from = at(Moment::measuring);
    const ProcessSample& to = at(Moment::measured);
    return LoadServerUse{to.user_seconds - from.user_seconds,
                         to.system_seconds - from.system_seconds,
                         to.softirq_seconds - from.softirq_seconds,
                         static_cast<int64_t>(at(Moment::connected).memory_bytes) -
                             static_cast<int64_t>(at(Moment::connecting).memory_bytes)};
}

LoadReport Coordinator::report() {
    const LoadOptions& options = plan_.options;
    report_.mode = options.mode;
    report_.qos = options.qos;
    report_.payload_bytes = options.payload_bytes;
    for (size_t round = 0; round < report_.rounds.size(); ++round) {
        Histogram latency;
        uint64_t resumed = 0;
        for (const LoadShardResult& result : results_) {
            latency.merge(result.rounds[round].connack_latency);
            resumed += result.rounds[round].sessions_resumed;
        }
        report_.rounds[round].sessions_resumed = resumed;
        report_.rounds[round].connack_latency = LatencySummary::of(latency);
    }
    const LoadTotals& totals = report_.totals;
    if (report_.messages) {
        LoadMessages& messages = *report_.messages;
        Histogram latency;
        for (const LoadShardResult& result : results_) latency.merge(result.delivery_latency);
        messages.latency = LatencySummary::of(latency);
        messages.published = totals.published - before_measured_.published;
        messages.expected = messages.published * plan_.receivers();
        messages.delivered = totals.delivered - before_measured_.delivered;
        const uint64_t all_expected = totals.published * plan_.receivers();
        messages.lost = all_expected - std::min(all_expected, totals.delivered);
        if (options.qos > 0) messages.unacknowledged = totals.published - totals.acknowledged;
        if (messages.delivered > 0) {
            messages.duration = Instant{static_cast<int64_t>(totals.last_delivered_ns)} -
                                Instant{static_cast<int64_t>(totals.first_published_ns)};
        }
    }
    report_.server = server_use();
    return report_;
}

}  // namespace millrace

#include "load/run_load.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <deque>
#include <latch>
#include <thread>

#include <fmt/format.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "load/coordinator.h"
#include "runtime/clock.h"
#include "runtime/placement.h"

namespace millrace {
namespace {

constexpr uint32_t mail_ring_bytes = 64 * 1024;
constexpr uint64_t shard_bytes_max = uint64_t{24} << 30;  // reserved; used as needed

// Written by the signal handler, read by the coordinator: a count that orders nothing else.
std::atomic<uint32_t> interruptions{0};
static_assert(std::atomic<uint32_t>::is_always_lock_free);

void on_interruption(int) { interruptions.fetch_add(1, std::memory_order_relaxed); }

// While it lives SIGINT and SIGTERM end the run early, instead of the process.
class InterruptionCatcher {
public:
    InterruptionCatcher() {
        interruptions.store(0, std::memory_order_relaxed);
        struct sigaction action {};
        action.sa_handler = on_interruption;
        sigemptyset(&action.sa_mask);
        ::sigaction(SIGINT, &action, &before_int_);
        ::sigaction(SIGTERM, &action, &before_term_);
    }
    ~InterruptionCatcher() {
        ::sigaction(SIGINT, &before_int_, nullptr);
        ::sigaction(SIGTERM, &before_term_, nullptr);
    }
    InterruptionCatcher(const InterruptionCatcher&) = delete;
    InterruptionCatcher& operator=(const InterruptionCatcher&) = delete;

private:
    struct sigaction before_int_ {};
    struct sigaction before_term_ {};
};

// The signals of an interruption go to the coordinator, so that no shard's wait ends early. The
// caller's own mask, which may have blocked them for signals.h, comes back at the end.
class SignalMask {
public:
    explicit SignalMask(int how) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        ::pthread_sigmask(how, &set, &before_);
    }
    ~SignalMask() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalMask(const SignalMask&) = delete;
    SignalMask& operator=(const SignalMask&) = delete;

private:
    sigset_t before_;
};

// One shard's memory, in the order in which it may go.
struct LoadShardMemory {
    Ledger ledger;
    std::unique_ptr<Arena> arena;
    std::unique_ptr<Heap> heap;
    std::unique_ptr<BlockPool> blocks;
};

class LoadRun {
public:
    LoadRun(const LoadPlan& plan, MailMesh& mesh, const LoadShardBody& body,
            const std::function<void()>& before_memory_goes)
        : plan_(plan), mesh_(mesh), body_(body), before_memory_goes_(before_memory_goes),
          started_(plan.options.shard_count), errors_(plan.options.shard_count),
          memory_(plan.options.shard_count) {
        for (uint32_t shard = 0; shard < plan.options.shard_count; ++shard) {
            results_.emplace_back().rounds.resize(
                std::max<uint32_t>(1, plan.options.storm_round_count));
        }
    }

    int run() {
        std::vector<std::thread> threads;
        {
            const SignalMask blocked(SIG_BLOCK);
            for (uint32_t shard = 0; shard < plan_.options.shard_count; ++shard) {
                threads.emplace_back([this, shard] { run_shard_thread(shard); });
            }
        }
        started_.wait();
        Coordinator coordinator(plan_, mesh_, results_, interruptions);
        const std::optional<Error> error = first_error();
        if (error) {
            coordinator.send_finish();
        } else {
            const SignalMask open(SIG_UNBLOCK);
            coordinator.run();
        }
        for (std::thread& thread : threads) thread.join();
        if (before_memory_goes_) before_memory_goes_();
        if (error) {
            fmt::print(stderr, "load: {}\n", error->message);
            return 1;
        }
        const LoadReport report = coordinator.report();
        const std::string text = plan_.options.json ? report.to_json() : report.to_text();
        std::fputs(text.c_str(), stdout);
        std::fflush(stdout);
        return report.succeeded() ? 0 : 1;
    }

private:
    std::optional<Error> first_error() const {
        for (const std::optional<Error>& error : errors_) {
            if (error) return error;
        }
        return std::nullopt;
    }

    void run_shard_thread(uint32_t shard) {
        bool told = false;
        const auto tell_started = [&] {
            told = true;
            started_.count_down();
        };
        errors_[shard] = try_run_shard(shard, tell_started);
        if (!told) started_.count_down();
    }

    std::optional<Error> try_run_shard(uint32_t shard, std::function<void()> tell_started) {
        name_this_thread(fmt::format("load-{}", shard));
        // Sleeps of less than the default slack of 50 us are what an open loop is made of.
        ::prctl(PR_SET_TIMERSLACK, 1'000UL, 0UL, 0UL, 0UL);
        const std::vector<uint32_t>& cpus = plan_.options.cpus;
        if (!cpus.empty()) {
            const Outcome<void> pinned = pin_this_thread(cpus[shard % cpus.size()]);
            if (!pinned) return pinned.error();
        }
        // Plain pages: huge ones are left to the broker on the same machine.
        Outcome<std::unique_ptr<Arena>> arena =
            Arena::create({.bytes_max = shard_bytes_max, .huge_pages = HugePages::off});
        if (!arena) return arena.error();
        LoadShardMemory& memory = memory_[shard];
        memory.arena = std::move(*arena);
        memory.heap = std::make_unique<Heap>(*memory.arena, memory.ledger);
        memory.blocks = std::make_unique<BlockPool>(*memory.heap, memory.ledger);
        Mailbox mailbox(mesh_, shard);
        TimerWheel wheel(monotonic_now());
        const uint32_t clients = plan_.local_count(plan_.subscriber_count, shard) +
                                 plan_.local_count(plan_.publisher_count, shard);
        const LoadShardRoom room{shard,        clients + 16,   *memory.arena,      memory.ledger,
                                 *memory.heap, *memory.blocks, mesh_.waker(shard)};
        LoadShardSeat seat{room, plan_, mailbox, wheel, results_[shard], std::move(tell_started)};
        return body_(seat);
    }

    const LoadPlan& plan_;
    MailMesh& mesh_;
    const LoadShardBody& body_;
    const std::function<void()>& before_memory_goes_;
    std::latch started_;
    std::vector<std::optional<Error>> errors_;  // written before `started_`, read after
    std::deque<LoadShardResult> results_;
    std::deque<LoadShardMemory> memory_;        // each its shard's, until the threads have ended
};

}  // namespace

int run_load_with(const LoadOptions& options, const LoadShardBody& body,
                  const std::function<void()>& before_memory_goes) {
    const auto run_id = static_cast<uint32_t>(monotonic_now().nanoseconds / 1'000);
    const LoadPlan plan = LoadPlan::make(options, run_id);
    if (const std::optional<Error> fault = plan.fault()) {
        fmt::print(stderr, "load: {}\n", fault->message);
        return 2;
    }
    Outcome<std::unique_ptr<MailMesh>> mesh =
        MailMesh::create(plan.options.shard_count, mail_ring_bytes);
    if (!mesh) {
        fmt::print(stderr, "load: {}\n", mesh.error().message);
        return 1;
    }
    const InterruptionCatcher catcher;
    return LoadRun(plan, **mesh, body, before_memory_goes).run();
}

}  // namespace millrace

// One shard as the server sees it: memory, broker and transport behind an interface that is called
// at start and stop only; the loop inside is compiled for its transport.
// Owned by: the server. run() is the body of the shard's thread; everything else is called before
//           it starts, but for counters, which any thread may read.
// Not here: which transport: assemble_uring.cc (and later its sisters) make them.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "broker/broker.h"
#include "broker/shard_task.h"
#include "net/transport.h"
#include "runtime/shard_loop.h"
#include "server/live_settings.h"
#include "server/state_log.h"

namespace millrace {

// What every shard is to do; it only ever goes on.
enum class ShardOrder : uint8_t {
    serve,
    drain,  // let the clients go one by one, then stop
    stop,   // let all go at once
};

// What a shard works with. Everything borrows from the server, which outlives the shard.
struct ShardSeat {
    const Config& config;  // as it was at the start: only what is fixed is taken from it
    LiveBoard& live;
    uint32_t connections_max;
    Arena& arena;
    Ledger& ledger;
    Heap& heap;
    BlockPool& blocks;
    Waker& waker;
    MailMesh& mesh;
    uint32_t index;
    BrokerCounters& counters;
    LoopFigures& loop;
    DurationHistogram& delivery;
    Pressure& pressure;
    HashKey hash_key;
    uint64_t seed;
    const std::atomic<ShardOrder>& order;
    const std::atomic<uint32_t>& drain_rate;  // connections a second of all shards; with the order
    std::atomic<uint32_t>& shards_shedding;  // that have clients to let go; each counts down once
    std::atomic<uint32_t>& shards_left;  // that still have something to send; each counts down once
    const std::atomic<uint32_t>& state_requests;
    const std::atomic<uint32_t>& pulse_requests;
    std::atomic<uint32_t>& pulse;        // this shard's answer: the last request that it saw
    TaskQueue& tasks;
};

class ShardHost {
public:
    virtual ~ShardHost() = default;
    virtual Outcome<uint16_t> listen(const Endpoint& local) = 0;
    // Until `order` isn't to serve any more and every connection is closed, of this shard and of
    // all others, or the time that they have for it has passed. Says what ends with it.
    virtual LeftBehind run(const SystemTopics* system_topics) = 0;
    // They stay when run() has ended.
    virtual const TransportCounters& counters() const = 0;
    virtual std::string describe() const = 0;
};

using MakeShardHost = Outcome<std::unique_ptr<ShardHost>> (*)(const ShardSeat& seat);

// The shard loop's application: the broker, and the way out.
template <Transport Net>
class ShardApp {
public:
    // The broker works with `live` already.
    ShardApp(Net& net, Broker& broker, TimerWheel& wheel, const ShardSeat& seat,
             const LiveSettings& live)
        : net_(net), broker_(broker), wheel_(wheel), index_(seat.index), order_(seat.order),
          drain_rate_(seat.drain_rate), state_requests_(seat.state_requests),
          pulse_requests_(seat.pulse_requests), pulse_(seat.pulse), tasks_(seat.tasks),
          shards_shedding_(seat.shards_shedding), shards_left_(seat.shards_left),
          board_(seat.live), live_(&live), idle_(live.idle) {}

    // The loop reads it anew each turn.
    const IdleOptions& idle() const { return idle_; }

    bool begin_turn(Instant now) {
        now_ = now;
        if (const LiveSettings& newest = board_.newest(); &newest != live_) adopt(newest);
        broker_.begin_turn(now);
        answer_pulse();
        if (state_requests_.load(std::memory_order_relaxed) != states_logged_) log_state();
        const bool has_tasks = !tasks_.empty();
        if (has_tasks) tasks_.run_step(broker_);
        if (!is_closing_) follow_order(now);
        return has_tasks;
    }
    void on_event(const Event& event) { broker_.on_event(event); }
    void on_mail(uint32_t from, Bytes mail) {
        last_mail_ = now_;
        broker_.on_mail(from, mail);
    }
    void on_timer(TimerEntry& entry) {
        if (&entry != &quiet_timer_ && &entry != &task_timer_) broker_.on_timer(entry);
    }
    void end_turn(Instant now) {
        broker_.end_turn(now);
        // What is left of a task comes with the next turn, which doesn't sleep before.
        if (!tasks_.empty()) wheel_.start(task_timer_, now);
        if (!is_closing_) return;
        if (!is_done_ && (net_.connection_count() == 0 || now >= drained_by_)) {
            is_done_ = true;
            shards_left_.fetch_sub(1, std::memory_order_acq_rel);
        }
        if (is_done_) wheel_.start(quiet_timer_, now + done_look);
    }
    void turn_ended(Instant end) { broker_.turn_ended(end); }
    // Others may send through this shard's queue of a device, so all leave together.
    bool finished() const {
        return is_done_ && shards_left_.load(std::memory_order_acquire) == 0;
    }

private:
    // Goes on from serving to draining to stopping, as it's told.
    void follow_order(Instant now) {
        const ShardOrder order = order_.load(std::memory_order_acquire);
        if (order == ShardOrder::serve) return;
        if (!is_listening_stopped_) net_.stop_listening();
        is_listening_stopped_ = true;
        if (order == ShardOrder::drain && !have_all_shed(now)) return;
        if (!is_stopping_) {
            is_stopping_ = true;
            last_mail_ = now;
            drain_ = Duration::ms(live_->broker.timeouts.drain.count());
            drained_by_ = now + drain_;
        }
        // What was accepted is still on its way between shards: goes out before the goodbye.
        if (now - last_mail_ < mail_quiet && now + drain_ / 2 < drained_by_) {
            wheel_.start(quiet_timer_, last_mail_ + mail_quiet);
            return;
        }
        is_closing_ = true;
        broker_.begin_shutdown();
    }
    // This shard serves as a home of topics until the last client of any shard has gone.
    bool have_all_shed(Instant now) {
        if (!is_shedding_) broker_.begin_drain(drain_rate_.load(std::memory_order_relaxed));
        is_shedding_ = true;
        if (!has_shed_ && broker_.has_shed_all()) {
            has_shed_ = true;
            shards_shedding_.fetch_sub(1, std::memory_order_acq_rel);
        }
        if (shards_shedding_.load(std::memory_order_acquire) == 0) return true;
        wheel_.start(quiet_timer_, now + shed_look);
        return false;
    }
    void answer_pulse() {
        const uint32_t asked = pulse_requests_.load(std::memory_order_relaxed);
        if (asked == pulse_answered_) return;
        pulse_answered_ = asked;
        pulse_.store(asked, std::memory_order_relaxed);
    }
    void adopt(const LiveSettings& newest) {
        if (!broker_.adopt(newest.broker)) {
            log_warning("new limits wait", field("sets_max", TermsTable::count_max));
        }
        net_.set_send_timeout(Duration::ms(newest.broker.timeouts.send_stall.count()));
        idle_ = newest.idle;
        live_ = &newest;
        board_.took(index_, newest);
    }
    void log_state() {
        ++states_logged_;
        std::string text;
        net_.dump(text);
        log_network_state(text);
    }

    Net& net_;
    Broker& broker_;
    TimerWheel& wheel_;
    const uint32_t index_;
    const std::atomic<ShardOrder>& order_;
    const std::atomic<uint32_t>& drain_rate_;
    const std::atomic<uint32_t>& state_requests_;
    const std::atomic<uint32_t>& pulse_requests_;
    std::atomic<uint32_t>& pulse_;
    TaskQueue& tasks_;
    std::atomic<uint32_t>& shards_shedding_;
    std::atomic<uint32_t>& shards_left_;
    LiveBoard& board_;
    const LiveSettings* live_;
    IdleOptions idle_;
    static constexpr Duration mail_quiet = Duration::ms(20);
    static constexpr Duration done_look = Duration::ms(2);
    static constexpr Duration shed_look = Duration::ms(20);

    TimerEntry quiet_timer_;         // wakes the loop to look again
    TimerEntry task_timer_;          // likewise
    Instant now_{};
    Instant last_mail_{};
    Duration drain_{};               // valid while `is_stopping_`, as the next
    Instant drained_by_{};
    uint32_t states_logged_ = 0;
    uint32_t pulse_answered_ = 0;
    bool is_listening_stopped_ = false;   // no new connection is accepted
    bool is_shedding_ = false;       // clients are told one by one
    bool has_shed_ = false;          // all of them, here
    bool is_stopping_ = false;       // what is on its way between shards settles
    bool is_closing_ = false;        // clients have been told
    bool is_done_ = false;           // nothing is left to send
};

template <Transport Net>
class ShardHostOf final : public ShardHost {
public:
    ShardHostOf(const ShardSeat& seat, std::unique_ptr<Net> net)
        : seat_(seat), net_(std::move(net)), counters_(net_->share_counters()) {}

    Outcome<uint16_t> listen(const Endpoint& local) override { return net_->listen(local); }
    const TransportCounters& counters() const override { return *counters_; }
    std::string describe() const override { return net_->describe(); }

    LeftBehind run(const SystemTopics* system_topics) override {
        const LiveSettings& live = seat_.live.newest();
        seat_.live.took(seat_.index, live);
        net_->set_send_timeout(Duration::ms(live.broker.timeouts.send_stall.count()));
        TimerWheel wheel(monotonic_now());
        Mailbox mailbox(seat_.mesh, seat_.index);
        Broker broker({live.broker, seat_.heap, seat_.blocks, net_->outbox(), wheel, mailbox,
                       seat_.ledger, seat_.counters, seat_.pressure, system_topics, seat_.hash_key,
                       seat_.seed, &seat_.delivery, monotonic_now});
        ShardApp<Net> app(*net_, broker, wheel, seat_, live);
        run_shard(*net_, app, mailbox, wheel, app.idle(),
                  LoopWatch(seat_.loop, monotonic_now(), processor_ticks()));
        seat_.tasks.close();
        const LeftBehind left_behind = broker.left_behind();
        net_.reset();  // its connections' rings refer to blocks that go after it
        return left_behind;
    }

private:
    ShardSeat seat_;
    std::unique_ptr<Net> net_;
    const std::shared_ptr<const TransportCounters> counters_;
};

}  // namespace millrace

#include "random_run.h"

#include <algorithm>

#include <fmt/format.h>

namespace millrace::sim {

namespace {

Config draw_config(Prng& setup) {
    Config config;
    // Nothing may be dropped here, and nobody is closed for being slow.
    config.queues.send_bytes_max = setup.below(2) == 0 ? 1u << 30 : 600;
    config.queues.inflight_max = setup.below(3) == 0 ? 1 + setup.below(20) : 1'024;
    config.queues.session_messages_max = 1'000'000;
    config.queues.session_bytes_max = 1u << 30;
    config.timeouts.connect = config.timeouts.send_stall = std::chrono::hours(10);
    config.timeouts.sys_interval = std::chrono::milliseconds(0);
    config.timeouts.drain = std::chrono::hours(10);   // whoever leaves acknowledges everything
    config.drain.server_reference = drain_reference;
    config.shards.mailbox_ring_bytes = 4'096u << setup.below(3);
    const uint32_t rate = setup.below(3);
    config.drain.rate = rate == 0 ? 2 + setup.below(10) : rate == 1 ? 50 : 100'000;
    return config;
}

// Another configuration while the brokers run. Clients do the same whatever they are promised, so
// that promises only grow.
LiveConfig draw_live(const LiveConfig& former, Prng& random) {
    LiveConfig live = former;
    live.queues.send_bytes_max = random.below(2) == 0 ? 1u << 30 : 600;
    live.queues.inflight_max = 1 + random.below(30);
    live.mqtt.receive_maximum = static_cast<uint16_t>(1'024 + random.below(1'000));
    live.mqtt.topic_alias_maximum = static_cast<uint16_t>(32 + random.below(3));
    return live;
}

Habits draw_habits(Prng& setup) {
    Habits habits;
    habits.drop_percent = setup.below(12);
    habits.subscribe_percent = 4 + setup.below(20);
    habits.lazy_ack_percent = setup.below(80);
    habits.payload_bytes_max = setup.below(4) == 0 ? 1'500 : setup.below(60);
    return habits;
}

}  // namespace

RandomRun::RandomRun(uint64_t seed, uint32_t steps, Sabotage sabotage)
    : RandomRun(Prng(seed ^ 0x5eed), seed, steps, sabotage) {}

RandomRun::RandomRun(Prng setup, uint64_t seed, uint32_t steps, Sabotage sabotage)
    : steps_(steps),
      habits_(draw_habits(setup)),
      world_(seed, 1 + setup.below(4), draw_config(setup)),
      checkers_(world_, 9),
      client_share_percent_(20 + setup.below(50)) {
    checkers_.set_sabotage(sabotage);
    const uint32_t client_count = 2 + setup.below(7);
    for (uint32_t index = 0; index < client_count; ++index) {
        clients_.push_back(std::make_unique<Client>(world_, checkers_, habits_, index));
    }
}

void RandomRun::run() {
    for (uint32_t done = 0; done < steps_; ++done) step();
    world_.calm_down();
    settle();
    checkers_.finish();
    look_at_retained();
    check_nothing_dropped();
    end_sessions();
    check_nothing_left();
}

void RandomRun::run_drain() {
    const uint32_t drain_at = world_.random().below(steps_);
    for (uint32_t done = 0; done < steps_ && !world_.has_shed_all(); ++done) {
        if (done == drain_at) {
            for (const auto& client : clients_) client->begin_drain();
            world_.begin_drain();
        }
        step();
        look_at_drain();
    }
    world_.calm_down();
    finish_drain();
    checkers_.finish();
    check_nothing_dropped();
}

void RandomRun::look_at_drain() {
    for (const auto& client : clients_) client->look_at_drain();
    for (const auto& client : clients_) client->read_at_once();
}

// Nobody does anything new, and all are told.
void RandomRun::finish_drain() {
    for (uint32_t rounds = 0;; ++rounds) {
        const bool has_ended =
            world_.has_shed_all() && world_.connection_count() == 0 &&
            std::none_of(clients_.begin(), clients_.end(),
                         [](const auto& client) { return client->is_online(); });
        if (has_ended) break;
        if (rounds == 20'000) throw Failure("the drain doesn't end");
        settle_once();
        look_at_drain();
    }
    if (world_.total(&BrokerCounters::sheds_late) != 0) throw Failure("told to go too early");
}

void RandomRun::step() {
    Prng& random = world_.random();
    const uint32_t drawn = random.below(100);
    if (drawn < client_share_percent_) {
        clients_[random.below(static_cast<uint32_t>(clients_.size()))]->act();
    } else {
        world_.turn(random.below(world_.shard_count()));
    }
    if (random.below(20) == 0) world_.advance(Duration::ms(random.below(10)));
    if (random.below(400) == 0) world_.advance(Duration::ms(random.below(4'000)));
    if (random.below(150) == 0) world_.settle_mail();
    if (random.below(300) == 0) world_.reload(draw_live(world_.live(), random));
}

// True when nothing happened.
bool RandomRun::settle_once() {
    for (const auto& client : clients_) client->settle();
    bool is_idle = true;
    for (uint32_t shard = 0; shard < world_.shard_count(); ++shard) {
        is_idle &= !world_.turn(shard);
    }
    world_.advance(Duration::ms(1));
    return is_idle;
}

void RandomRun::settle() {
    for (uint32_t pass = 0; pass < 3; ++pass) {   // time for wills and sessions that end
        uint32_t rounds = 0;
        for (uint32_t idle = 0; idle < 5; ++rounds) {
            if (rounds == 20'000) throw Failure("does not settle");
            idle = settle_once() ? idle + 1 : 0;
            if (idle > 0) world_.settle_mail();
        }
        world_.advance(Duration::s(5));
    }
    check_settled();
}

void RandomRun::check_settled() const {
    for (const auto& client : clients_) {
        if (client->has_open_ghosts()) throw Failure("a connection stays open after its end");
        if (!client->has_ended() && !client->is_quiet()) {
            throw Failure("a client waits for something that never comes");
        }
    }
    const uint64_t online = static_cast<uint64_t>(
        std::count_if(clients_.begin(), clients_.end(), [](const auto& client) {
            return client->is_online();
        }));
    if (world_.total(&BrokerCounters::connections) != online || world_.connection_count() != online) {
        throw Failure("more or fewer connections than clients that are online");
    }
}

void RandomRun::look_at_retained() {
    clients_.push_back(std::make_unique<Client>(world_, checkers_, habits_,
                                                static_cast<uint32_t>(clients_.size())));
    Client& looking = *clients_.back();
    settle();
    const uint64_t dropped_before = world_.total(&BrokerCounters::dropped_slow_receiver);
    looking.subscribe_to_retained();
    settle();
    checkers_.check_retained(looking.retained(),
                             world_.total(&BrokerCounters::dropped_slow_receiver) != dropped_before);
    for (const std::string& topic : checkers_.retained_topics()) {
        looking.publish_clear(topic);
        settle();
    }
}

void RandomRun::end_sessions() {
    for (const auto& client : clients_) client->begin_end();
    settle();
    for (const auto& client : clients_) {
        if (!client->has_ended()) throw Failure("a session doesn't end");
    }
}

void RandomRun::check_nothing_dropped() const {
    const auto none = [&](Counter BrokerCounters::*counter, std::string_view name) {
        const uint64_t count = world_.total(counter);
        if (count != 0) throw Failure(fmt::format("{} {}", count, name));
    };
    none(&BrokerCounters::dropped_queue_full, "messages past a full queue");
    none(&BrokerCounters::dropped_too_large, "messages too large");
    none(&BrokerCounters::dropped_expired, "messages expired");
    none(&BrokerCounters::dropped_exhausted, "messages without memory");
    none(&BrokerCounters::refused_quota, "publishes refused");
    none(&BrokerCounters::protocol_errors, "protocol errors");
    if (world_.has_shed_all()) return;   // sessions stay, and newcomers were sent away
    none(&BrokerCounters::connects_refused, "connects refused");
    none(&BrokerCounters::waiting_messages, "messages still waiting");
}

void RandomRun::check_nothing_left() const {
    for (const std::string_view line :
         {"sessions", "session extras", "wills", "subscriptions", "filters", "stored messages",
          "session holders", "interest of shards", "waiting connects", "held input",
          "session claims", "subscribe requests"}) {
        const uint64_t count = world_.objects(line);
        if (count != 0) throw Failure(fmt::format("{} {} are left over", count, line));
    }
    // Each stream of frames keeps the block that it writes into.
    constexpr uint64_t streams_a_shard = 8;
    if (world_.objects("blocks") > streams_a_shard * world_.shard_count()) {
        throw Failure("blocks are left over");
    }
}

std::string RandomRun::summary() const {
    uint64_t copies = 0;
    for (const SentMessage& message : checkers_.messages()) {
        copies += message.former_copies;
        for (const uint32_t count : message.copies) copies += count;
    }
    return fmt::format("{} shards, {} clients, {} messages, {} copies, {} takeovers, {} moves",
                       world_.shard_count(), clients_.size() - 1, checkers_.messages().size(),
                       copies, world_.total(&BrokerCounters::takeovers),
                       world_.total(&BrokerCounters::session_moves));
}

}  // namespace millrace::sim

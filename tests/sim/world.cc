#include "world.h"

#include <algorithm>
#include <utility>

namespace millrace::sim {

namespace {

std::unique_ptr<Arena> make_arena() {
    auto arena = Arena::create({.bytes_max = uint64_t{64} << 20, .huge_pages = HugePages::off});
    if (!arena) throw Failure("no memory for an arena");
    return std::move(*arena);
}

std::unique_ptr<MailMesh> make_mesh(uint32_t shard_count, uint32_t ring_bytes) {
    auto mesh = MailMesh::create(shard_count, ring_bytes);
    if (!mesh) throw Failure("no memory for mailboxes");
    return std::move(*mesh);
}

}  // namespace

struct World::Shard {
    Shard(World& world, uint32_t self)
        : arena(make_arena()),
          heap(*arena, ledger),
          blocks(heap, ledger),
          net(heap, blocks, world.random_),
          wheel(world.now_),
          mailbox(*world.mesh_, self),
          live(&world.live()),
          broker({*live, heap, blocks, net.outbox(), wheel, mailbox, ledger, counters,
                  world.pressure_, nullptr, HashKey{77}, world.random_.next(), &delivery}) {}

    std::unique_ptr<Arena> arena;
    Ledger ledger;
    Heap heap;
    BlockPool blocks;
    FakeTransport net;
    TimerWheel wheel;
    Mailbox mailbox;
    BrokerCounters counters;
    DurationHistogram delivery;
    const LiveConfig* live;   // that the broker works with
    Broker broker;
    bool is_draining = false;
};

World::World(uint64_t seed, uint32_t shard_count, const Config& config)
    : versions_{live_config_of(config)},
      random_(seed),
      mesh_(make_mesh(shard_count, config.shards.mailbox_ring_bytes)) {
    for (uint32_t self = 0; self < shard_count; ++self) {
        shards_.push_back(std::make_unique<Shard>(*this, self));
    }
}

World::~World() = default;

bool World::turn(uint32_t index) {
    Shard& shard = *shards_[index];
    const auto events = shard.net.poll(now_);
    // A small bound leaves mail for a later turn: the shards' mail is delayed unequally.
    const uint32_t mail_bytes_max = calm_ || random_.below(3) == 0 ? 262'144 : 1 + random_.below(300);
    return turn_of(shard, events, mail_bytes_max);
}

bool World::turn_of(Shard& shard, std::span<const Event> events, uint32_t mail_bytes_max) {
    begin_turn(shard);
    if (is_draining_ && !std::exchange(shard.is_draining, true)) {
        shard.broker.begin_drain(live().drain.rate);
    }
    for (const Event& event : events) shard.broker.on_event(event);
    const uint32_t mails = shard.mailbox.drain(
        mail_time(), mail_bytes_max,
        [&](uint32_t from, Bytes mail) { shard.broker.on_mail(from, mail); });
    uint32_t fired = 0;
    shard.wheel.advance(now_, [&](TimerEntry& entry) {
        shard.broker.on_timer(entry);
        ++fired;
    });
    shard.broker.end_turn(now_);
    shard.mailbox.flush(mail_time());
    shard.net.flush(now_);
    shard.broker.turn_ended(now_);
    return !events.empty() || shard.net.did_something() || mails > 0 || fired > 0;
}

void World::begin_turn(Shard& shard) {
    if (shard.live != &live()) {
        shard.live = &live();
        // Whether newcomers have to wait for the new promises is all the same here.
        static_cast<void>(shard.broker.adopt(live()));
    }
    shard.broker.begin_turn(now_);
}

void World::settle_mail() {
    for (uint32_t idle = 0; idle < 2;) {
        uint32_t mails = 0;
        for (const auto& shard : shards_) {
            begin_turn(*shard);
            mails += shard->mailbox.drain(
                mail_time(), 262'144,
                [&](uint32_t from, Bytes mail) { shard->broker.on_mail(from, mail); });
            shard->broker.end_turn(now_);
            shard->mailbox.flush(mail_time());
            shard->net.flush(now_);
            shard->broker.turn_ended(now_);
        }
        idle = mails == 0 ? idle + 1 : 0;
    }
    ++epoch_;
}

void World::open(uint32_t shard, std::shared_ptr<Pipe> pipe) {
    shards_[shard]->net.open(std::move(pipe));
}

void World::calm_down() {
    calm_ = true;
    for (const auto& shard : shards_) shard->net.calm_down();
}

bool World::has_shed_all() const {
    return std::all_of(shards_.begin(), shards_.end(),
                       [](const auto& shard) { return shard->broker.has_shed_all(); });
}

bool World::is_leaving(const Pipe& pipe) const {
    for (const auto& shard : shards_) {
        Connection* connection = shard->net.find(pipe);
        if (connection == nullptr) continue;
        return mqtt_of(*connection).state >= MqttConnection::State::leaving;
    }
    return true;
}

uint64_t World::objects(std::string_view name) const {
    uint64_t sum = 0;
    for (const auto& shard : shards_) {
        for (const LedgerLine& line : shard->ledger.lines()) {
            if (line.name == name) sum += line.objects.read();
        }
    }
    return sum;
}

uint64_t World::total(Counter BrokerCounters::*counter) const {
    uint64_t sum = 0;
    for (const auto& shard : shards_) sum += (shard->counters.*counter).read();
    return sum;
}

uint32_t World::connection_count() const {
    uint32_t sum = 0;
    for (const auto& shard : shards_) sum += shard->net.connection_count();
    return sum;
}

}  // namespace millrace::sim

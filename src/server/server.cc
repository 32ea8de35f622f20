#include "millrace/server.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "admin/listener.h"
#include "base/log.h"
#include "broker/mail.h"
#include "broker/message.h"
#include "codec/mqtt/topic_name.h"
#include "runtime/clock.h"
#include "runtime/placement.h"
#include "runtime/thread_clock.h"
#include "server/assemble_dpdk.h"
#include "server/assemble_uring.h"
#include "server/budget.h"
#include "server/config_changes.h"
#include "server/config_keys.h"
#include "server/host_facts.h"
#include "server/kernel_memory.h"
#include "server/port_probe.h"
#include "server/random_word.h"

namespace millrace {

namespace {

// One shard's memory, in the order in which it may go.
struct ShardMemory {
    Ledger ledger;
    std::unique_ptr<Arena> arena;
    std::unique_ptr<Heap> heap;
    std::unique_ptr<BlockPool> blocks;
    BrokerCounters counters;
    LoopFigures loop;
    DurationHistogram delivery;      // of messages; written and read as the counters are
    std::atomic<uint32_t> pulse{0};  // the last question answered: the shard writes, any thread reads
    TaskQueue tasks;
    std::unique_ptr<ShardHost> host;
    ThreadClock clock;  // of the next
    std::thread thread;
};

// What holds for messages of the host program.
struct HostLimits {
    uint32_t packet_bytes_max;
    uint64_t mailbox_bytes_max;

    static HostLimits of(const Config& config) {
        return {config.mqtt.maximum_packet_bytes, config.queues.mailbox_bytes_max};
    }
};

class ServerOfShards final : public Server, private AdminSubject {
public:
    explicit ServerOfShards(const Config& config)
        : config_(config), facts_(read_host_facts()), plan_(plan_shards(config, facts_)),
          live_(config, plan_.count), in_force_(config), host_limits_(HostLimits::of(config)) {}
    ~ServerOfShards() override;

    std::optional<Error> set_up();
    std::optional<Error> start() override;
    void drain() override;
    bool wait_until_drained(std::chrono::milliseconds timeout) override;
    void stop() override;
    std::vector<uint16_t> ports() const override { return ports_; }
    std::string description() const override;
    std::optional<Error> publish(std::string_view topic, std::span<const uint8_t> payload,
                                 uint8_t qos, bool retain) override;
    Stats stats() const override;
    ReloadResult reload(const Config& wanted) override;
    void log_state() override;
    void ask_shards() override;
    std::vector<uint32_t> silent_shards() const override;

private:
    // What the admin listener asks, on its own thread.
    ServiceState state() const override;
    const std::vector<ShardFigures>& shards() const override { return figures_; }
    std::optional<Duration> processor_time(uint32_t shard) const override {
        return shards_[shard]->clock.read();
    }
    std::vector<SharedMemoryLine> shared_memory() const override;
    KernelMemory kernel_memory() const override;
    uint64_t shard_memory_bytes_max() const override { return plan_.memory_bytes_each; }
    uint64_t shard_connections_max() const override { return plan_.connections_max_each; }
    std::string_view network() const override { return config_.net; }
    uint32_t ask() override;
    bool post(uint32_t shard, std::shared_ptr<ShardTask> task) override;
    std::vector<uint32_t> silent_since(uint32_t question) const override;

    bool is_dpdk() const { return config_.net == "dpdk"; }
    std::optional<Error> set_up_shard(uint32_t index);
    std::optional<Error> listen();
    std::optional<Error> start_admin();
    void wake_shards();
    void run_shard_thread(uint32_t index);
    void post_live(const Config& config);
    uint32_t drain_rate_in_force();
    void log_drain_begin() const;
    void log_drain_end() const;

    const Config config_;            // as it was at create(): what is fixed is read from it
    const HostFacts facts_;
    const ShardPlan plan_;
    const HashKey hash_key_{random_word()};
    std::mutex reload_mutex_;        // held for the next two; taken by start(), too
    LiveBoard live_;                 // its shards' side needs no lock
    Config in_force_;
    Pressure pressure_;
    std::unique_ptr<MailMesh> mesh_;
    std::vector<std::unique_ptr<ShardMemory>> shards_;
    std::unique_ptr<Port> port_;     // with net = "dpdk"; goes between the hosts and their memory
    std::vector<ShardFigures> figures_;
    std::unique_ptr<SystemTopics> system_topics_;
    std::unique_ptr<Mailbox> host_mailbox_;
    std::mutex publish_mutex_;       // held for `host_mailbox_` and the next
    HostLimits host_limits_;
    std::vector<uint16_t> ports_;
    // Raised by drain() and stop(), read by every shard: release and acquire.
    std::atomic<ShardOrder> order_{ShardOrder::serve};
    std::atomic<uint32_t> state_requests_{0};  // counts up; each shard answers each once
    std::atomic<uint32_t> drain_rate_{0};       // valid with ShardOrder::drain, ordered by it
    std::atomic<uint32_t> shards_shedding_{0};  // counted down by each shard when it has no clients
    std::atomic<uint32_t> pulse_requests_{0};  // counts up; each shard copies it to its `pulse`
    std::atomic<uint32_t> pulse_question_{0};  // the last one of ask_shards()
    std::atomic<uint32_t> shards_left_{0};  // counted down by each shard when it has drained
    std::atomic<bool> is_running_{false};   // from start() until stop() has joined
    std::mutex threads_mutex_;
    std::condition_variable thread_ended_;
    uint32_t threads_running_ = 0;          // under threads_mutex_
    Instant drain_began_{};                 // likewise; zero without a drain
    LeftBehind left_behind_;                // likewise; of the shards that have ended
    std::optional<LogKeeping> log_keeping_; // while somebody may ask for the log's last lines
    std::unique_ptr<AdminListener> admin_;  // from start() to stop(); reads what stands above
};

// What a host of a shard sent may still be in the device's hands, so the memory goes last.
ServerOfShards::~ServerOfShards() {
    stop();
    admin_.reset();  // when start() failed
    for (const auto& shard : shards_) shard->host.reset();
    port_.reset();
}

std::optional<Error> ServerOfShards::set_up() {
    if (is_dpdk()) {
        auto port = open_dpdk_port(config_.dpdk, plan_.count);
        if (!port) return port.error();
        port_ = std::move(*port);
    }
    auto mesh = MailMesh::create(plan_.count, config_.shards.mailbox_ring_bytes);
    if (!mesh) return mesh.error();
    mesh_ = std::move(*mesh);
    host_mailbox_ = std::make_unique<Mailbox>(*mesh_, mesh_->host_index());
    for (uint32_t index = 0; index < plan_.count; ++index) {
        if (auto error = set_up_shard(index)) return error;
    }
    for (const auto& shard : shards_) {
        figures_.push_back({&shard->counters, &shard->host->counters(), &shard->ledger,
                            &shard->loop, &shard->delivery});
    }
    system_topics_ = std::make_unique<SystemTopics>(figures_, monotonic_now());
    return std::nullopt;
}

std::optional<Error> ServerOfShards::set_up_shard(uint32_t index) {
    auto shard = std::make_unique<ShardMemory>();
    const bool huge = config_.shards.huge_pages == HugePagesMode::when_available;
    auto arena = Arena::create(
        {plan_.memory_bytes_each, huge ? HugePages::when_any : HugePages::off});
    if (!arena) return arena.error();
    shard->arena = std::move(*arena);
    shard->heap = std::make_unique<Heap>(*shard->arena, shard->ledger);
    shard->blocks = std::make_unique<BlockPool>(*shard->heap, shard->ledger);
    const ShardSeat seat{config_, live_, plan_.connections_max_each, *shard->arena, shard->ledger,
                         *shard->heap,    *shard->blocks,  mesh_->waker(index), *mesh_, index,
                         shard->counters, shard->loop, shard->delivery, pressure_, hash_key_,
                         random_word(), order_, drain_rate_, shards_shedding_, shards_left_,
                         state_requests_, pulse_requests_, shard->pulse, shard->tasks};
    auto host = is_dpdk() ? make_dpdk_shard(seat, *port_) : make_uring_shard(seat);
    if (!host) return host.error();
    shard->host = std::move(*host);
    shards_.push_back(std::move(shard));
    return std::nullopt;
}

std::optional<Error> ServerOfShards::listen() {
    for (const ListenAddress& address : config_.listen) {
        Endpoint local{address.host, address.port};
        if (!is_dpdk()) {
            if (auto error = probe_port(local)) return error;
        }
        for (const auto& shard : shards_) {
            auto port = shard->host->listen(local);
            if (!port) return port.error();
            local.port = *port;  // the first shard may have picked it
        }
        ports_.push_back(local.port);
    }
    return std::nullopt;
}

std::optional<Error> ServerOfShards::start() {
    MR_ASSERT(!is_running_);
    // Who waits for the clients' port may ask at once.
    if (auto error = start_admin()) return error;
    if (auto error = listen()) {
        admin_.reset();
        return error;
    }
    is_running_ = true;
    shards_shedding_.store(plan_.count, std::memory_order_release);
    shards_left_.store(plan_.count, std::memory_order_release);
    {
        const std::lock_guard<std::mutex> lock(reload_mutex_);
        live_.seat_shards();
    }
    {
        // drain() may be called from another thread: from here on it finds shards that will follow.
        const std::lock_guard<std::mutex> lock(threads_mutex_);
        threads_running_ = plan_.count;
    }
    for (uint32_t index = 0; index < plan_.count; ++index) {
        shards_[index]->thread = std::thread([this, index] { run_shard_thread(index); });
    }
    return std::nullopt;
}

std::optional<Error> ServerOfShards::start_admin() {
    if (config_.admin.listen.empty()) return std::nullopt;
    log_keeping_.emplace(log_ring);
    auto listener = AdminListener::start(config_.admin, *this);
    if (!listener) return listener.error();
    admin_ = std::move(*listener);
    for (size_t index = 0; index < config_.admin.listen.size(); ++index) {
        const ListenAddress bound{config_.admin.listen[index].host, admin_->ports()[index]};
        log_info("admin listens", field("listen", to_text(bound)),
                 field("token", !config_.admin.token_file.empty()));
    }
    return std::nullopt;
}

std::vector<SharedMemoryLine> ServerOfShards::shared_memory() const {
    const MailMesh::Rings rings = mesh_->rings();
    std::vector<SharedMemoryLine> lines{
        {"mail rings", rings.count, rings.waiting_bytes, rings.bytes}};
    if (!is_dpdk()) return lines;
    for (const PortBuffers& buffers : port_->buffers()) {
        lines.push_back({buffers.name, buffers.in_use, buffers.in_use_bytes, buffers.pool_bytes});
    }
    return lines;
}

KernelMemory ServerOfShards::kernel_memory() const {
    KernelMemory kernel;
    if (is_dpdk()) return kernel;
    kernel.socket_bytes_estimate = stats().connections * kernel_socket_bytes;
    kernel.rings_bytes_estimate =
        ring_bytes(config_.uring, plan_.connections_max_each) * plan_.count;
    kernel.host_tcp_buffer_bytes = read_tcp_buffer_bytes();
    return kernel;
}

ServiceState ServerOfShards::state() const {
    switch (order_.load(std::memory_order_relaxed)) {
    case ShardOrder::serve:
        return is_running_.load(std::memory_order_relaxed) ? ServiceState::serving
                                                           : ServiceState::starting;
    case ShardOrder::drain: return ServiceState::draining;
    case ShardOrder::stop:  return ServiceState::stopping;
    }
    MR_UNREACHABLE();
}

void ServerOfShards::run_shard_thread(uint32_t index) {
    name_this_thread(fmt::format("millrace-{}", index));
    log_shard = static_cast<int32_t>(index);
    shards_[index]->clock.begin();
    if (auto pinned = pin_this_thread(plan_.cpus[index]); !pinned) {
        log_warning("shard not pinned", field("core", plan_.cpus[index]),
                    field("error", pinned.error().message));
    }
    const LeftBehind left_behind =
        shards_[index]->host->run(index == 0 ? system_topics_.get() : nullptr);
    live_.left(index);
    log_shard = -1;  // what the last one has to tell is the whole server's
    shards_[index]->clock.end();
    const std::lock_guard<std::mutex> lock(threads_mutex_);
    left_behind_.messages += left_behind.messages;
    left_behind_.sessions += left_behind.sessions;
    if (--threads_running_ > 0) return;
    if (drain_began_ != Instant{}) log_drain_end();
    thread_ended_.notify_all();
}

void ServerOfShards::drain() {
    const uint32_t rate = drain_rate_in_force();
    const std::lock_guard<std::mutex> lock(threads_mutex_);
    if (threads_running_ == 0) return;
    drain_rate_.store(rate, std::memory_order_relaxed);  // the order's release comes after it
    ShardOrder serving = ShardOrder::serve;
    if (!order_.compare_exchange_strong(serving, rate != 0 ? ShardOrder::drain : ShardOrder::stop,
                                        std::memory_order_acq_rel)) {
        return;   // a drain is under way, or stop() was faster
    }
    if (rate != 0) {
        drain_began_ = monotonic_now();
        log_drain_begin();
    }
    wake_shards();
}

uint32_t ServerOfShards::drain_rate_in_force() {
    const std::lock_guard<std::mutex> lock(reload_mutex_);
    return in_force_.drain.rate;
}

bool ServerOfShards::wait_until_drained(std::chrono::milliseconds timeout) {
    // The longest that a clock can count is "for ever", too.
    constexpr std::chrono::milliseconds timeout_max = std::chrono::years(100);
    std::unique_lock<std::mutex> lock(threads_mutex_);
    return thread_ended_.wait_for(
        lock, std::clamp(timeout, std::chrono::milliseconds(0), timeout_max),
        [&] { return threads_running_ == 0; });
}

void ServerOfShards::stop() {
    if (!is_running_) return;
    order_.store(ShardOrder::stop, std::memory_order_release);
    wake_shards();
    for (const auto& shard : shards_) shard->thread.join();
    admin_.reset();  // who asks hears "stopping" until now
    log_keeping_.reset();
    is_running_ = false;
}

// Each shard sheds its part of the rate, so the fullest one is the last.
void ServerOfShards::log_drain_begin() const {
    const uint32_t rate = drain_rate_.load(std::memory_order_relaxed);
    uint64_t most = 0;
    for (const auto& shard : shards_) most = std::max(most, shard->counters.connections.read());
    log_info("drain started", field("connections", stats().connections),
             field("rate", rate), field("expected_s", most * plan_.count / rate));
}

void ServerOfShards::log_drain_end() const {
    BrokerCounters sum;
    for (const auto& shard : shards_) {
        const BrokerCounters& counters = shard->counters;
        sum.sheds.add(counters.sheds.read());
        sum.sheds_late.add(counters.sheds_late.read());
    }
    log_info("drain ended",
             field("cut_short", order_.load(std::memory_order_relaxed) == ShardOrder::stop),
             field("took_ms", (monotonic_now() - drain_began_).to_ms()),
             field("told", sum.sheds.read()), field("told_late", sum.sheds_late.read()),
             field("messages_left_behind", left_behind_.messages),
             field("sessions_left_behind", left_behind_.sessions));
}

void ServerOfShards::log_state() {
    state_requests_.fetch_add(1, std::memory_order_relaxed);
    wake_shards();
}

void ServerOfShards::wake_shards() {
    for (uint32_t index = 0; index < plan_.count; ++index) mesh_->waker(index).wake();
}

// Relaxed: a number that says no more than that the shard came by.
void ServerOfShards::ask_shards() {
    pulse_question_.store(ask(), std::memory_order_relaxed);
}

std::vector<uint32_t> ServerOfShards::silent_shards() const {
    return silent_since(pulse_question_.load(std::memory_order_relaxed));
}

uint32_t ServerOfShards::ask() {
    const uint32_t question = pulse_requests_.fetch_add(1, std::memory_order_relaxed) + 1;
    wake_shards();
    return question;
}

bool ServerOfShards::post(uint32_t shard, std::shared_ptr<ShardTask> task) {
    if (!shards_[shard]->tasks.post(std::move(task))) return false;
    mesh_->waker(shard).wake();
    return true;
}

// Who has answered a later question has answered this one. The numbers may go round.
std::vector<uint32_t> ServerOfShards::silent_since(uint32_t question) const {
    std::vector<uint32_t> silent;
    for (uint32_t index = 0; index < plan_.count; ++index) {
        const uint32_t answered = shards_[index]->pulse.load(std::memory_order_relaxed);
        if (static_cast<int32_t>(answered - question) >= 0) continue;
        if (!shards_[index]->clock.has_ended()) silent.push_back(index);
    }
    return silent;
}

ReloadResult ServerOfShards::reload(const Config& wanted) {
    ReloadResult result;
    result.error = wanted.validate();
    if (result.error) return result;
    const std::lock_guard<std::mutex> lock(reload_mutex_);
    ConfigChanges changes = compare_configs(in_force_, wanted);
    // Live values beside fixed ones that they weren't written for.
    result.error = changes.merged.validate();
    if (result.error) return result;
    if (!changes.changed.empty()) post_live(changes.merged);
    in_force_ = std::move(changes.merged);
    result.changed = std::move(changes.changed);
    result.refused = std::move(changes.refused);
    return result;
}

void ServerOfShards::post_live(const Config& config) {
    live_.post(config);
    wake_shards();
    {
        const std::lock_guard<std::mutex> lock(publish_mutex_);
        host_limits_ = HostLimits::of(config);
    }
    // A turn is short. One that isn't, because the host is overloaded, holds nobody up here.
    for (int attempt = 0; !live_.is_taken_by_all() && attempt < 2'000; ++attempt) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

std::string ServerOfShards::description() const {
    std::string cores;
    for (const uint32_t cpu : plan_.cpus) cores += fmt::format("{}{}", cores.empty() ? "" : ",", cpu);
    const uint64_t connections = uint64_t{plan_.connections_max_each} * plan_.count;
    const std::string pages =
        config_.shards.huge_pages == HugePagesMode::off ? "off"
        : facts_.huge_pages_free == 0
            ? "none free, plain pages"
            : fmt::format("{} x {} free", facts_.huge_pages_free,
                          readable_bytes(facts_.huge_page_bytes));
    const std::string open_files =
        is_dpdk() ? "" : fmt::format("open-file limit {}: ", facts_.open_files_max);
    return fmt::format(
        "{}; {} shard{} on core{} {}; memory {} a shard (huge pages: {}); {}up to "
        "{} connections a shard, {} in all",
        shards_[0]->host->describe(), plan_.count, plan_.count == 1 ? "" : "s",
        plan_.count == 1 ? "" : "s", cores, readable_bytes(plan_.memory_bytes_each), pages,
        open_files, plan_.connections_max_each, connections);
}

std::optional<Error> ServerOfShards::publish(std::string_view topic,
                                             std::span<const uint8_t> payload, uint8_t qos,
                                             bool retain) {
    if (topic.size() > UINT16_MAX || !mqtt::is_valid_utf8(topic) || !mqtt::is_valid_topic(topic)) {
        return Error{Errc::invalid_argument,
                     fmt::format("'{}' is not a topic name: 1 to 65535 bytes of UTF-8 without "
                                 "'+', '#' and U+0000",
                                 topic.substr(0, 100))};
    }
    if (qos > 2) {
        return Error{Errc::invalid_argument, fmt::format("quality of service {}: 0 to 2", qos)};
    }
    Message message;
    message.topic = topic;
    message.payload = payload;
    message.qos = static_cast<mqtt::Qos>(qos);
    message.retain = retain;
    message.topic_hash = hash_text(topic, hash_key_) >> 8;
    const uint32_t home = static_cast<uint32_t>(message.topic_hash % plan_.count);

    const std::lock_guard<std::mutex> lock(publish_mutex_);
    if (payload.size() + topic.size() + 16 > host_limits_.packet_bytes_max) {
        return Error{Errc::too_large,
                     fmt::format("a payload of {} bytes is over mqtt.maximum_packet_bytes = {}",
                                 payload.size(), host_limits_.packet_bytes_max)};
    }
    if (host_mailbox_->overflow_bytes(home) > host_limits_.mailbox_bytes_max) {
        host_mailbox_->flush(monotonic_now());
        return Error{Errc::exhausted, "the shard is too far behind: publish again later"};
    }
    const PublishMail mail{MailKind::publish, 0, 0, canonical_bytes(message), message.expires,
                           message.topic_hash, 0, monotonic_now()};
    write_canonical(begin_mail(*host_mailbox_, home, mail, mail.canonical_bytes), message);
    host_mailbox_->post();
    host_mailbox_->flush(monotonic_now());
    // Nobody wakes this sender when there's room again, so what doesn't fit is waited for here.
    for (int attempt = 0; host_mailbox_->overflow_bytes_total() != 0 && attempt < 1'000; ++attempt) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        host_mailbox_->flush(monotonic_now());
    }
    if (host_mailbox_->overflow_bytes_total() != 0) {
        return Error{Errc::exhausted,
                     "the shard takes no messages; this one goes out with the next publish"};
    }
    return std::nullopt;
}

Stats ServerOfShards::stats() const {
    Stats sum;
    for (const auto& shard : shards_) {
        const BrokerCounters& counters = shard->counters;
        const TransportCounters& transport = shard->host->counters();
        sum.connections += counters.connections.read();
        sum.sessions += counters.sessions.read();
        sum.subscriptions += counters.subscriptions.read();
        sum.retained_messages += counters.retained_messages.read();
        sum.publishes_received += counters.publishes_received.read();
        sum.publishes_sent += counters.publishes_sent.read();
        sum.publishes_dropped += counters.dropped_slow_receiver.read() +
                                 counters.dropped_queue_full.read() +
                                 counters.dropped_exhausted.read();
        sum.connects_refused += counters.connects_refused.read();
        sum.protocol_errors += counters.protocol_errors.read();
        sum.bytes_received += transport.bytes_received.read();
        sum.bytes_sent += transport.bytes_sent.read();
        shard->ledger.for_each(
            [&](const LedgerLine& line) { sum.memory_bytes += line.reserved_bytes.read(); });
    }
    return sum;
}

}  // namespace

std::unique_ptr<Server> Server::create(const Config& config, Error& error) {
    if (auto fault = config.validate()) {
        error = *fault;
        return nullptr;
    }
    auto server = std::make_unique<ServerOfShards>(config);
    if (auto fault = server->set_up()) {
        error = *fault;
        return nullptr;
    }
    return server;
}

}  // namespace millrace

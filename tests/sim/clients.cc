#include "clients.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace millrace::sim {

namespace {

constexpr std::array<std::string_view, 17> filters{
    "t/0", "t/1", "t/2", "t/3", "t/+", "t/#", "u/+/x", "u/a/x", "u/#", "r/+", "r/0", "w/+", "w/1",
    "$share/g0/s/+", "$share/g1/s/+", "$share/g0/s/0", "$share/g2/s/1"};

uint32_t index_of(std::string_view filter) {
    return static_cast<uint32_t>(std::find(filters.begin(), filters.end(), filter) -
                                 filters.begin());
}

}  // namespace

Client::Client(World& world, Checkers& checkers, const Habits& habits, uint32_t index)
    : world_(world),
      checkers_(checkers),
      habits_(habits),
      random_(world.random()),
      index_(index),
      version_(world.random().below(3) == 0 ? mqtt::Version::v3_1_1 : mqtt::Version::v5) {}

void Client::fail(const std::string& what) const {
    throw Failure(fmt::format("client {}: {}", index_, what));
}

template <class... Parts>
void Client::send(const Parts&... parts) {
    std::vector<uint8_t> bytes(mqtt::encoded_bytes(parts...));
    ByteWriter out(bytes);
    mqtt::encode(out, parts...);
    pipe_->to_server.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void Client::send_ack(mqtt::PacketType type, uint16_t packet_id) {
    send(version_, type, mqtt::Ack{.packet_id = packet_id});
}

void Client::act() {
    if (!ghosts_.empty() && chance(50)) {
        std::string& ignored = ghosts_[random_.below(static_cast<uint32_t>(ghosts_.size()))]->to_client;
        ignored.erase(0, random_.below(500));
        std::erase_if(ghosts_, [](const auto& ghost) {
            return ghost->server_closed || (ghost->server_finished && ghost->client_finished);
        });
    }
    switch (state_) {
    case State::offline: return act_offline();
    case State::connecting:
        read(1 + random_.below(200));
        if (state_ == State::connecting && chance(1)) drop();
        return;
    case State::online: return act_online();
    }
}

void Client::act_offline() {
    if (has_left_) return;
    if (wait_for_pipe_ != nullptr) {
        if (!wait_for_pipe_->server_closed) return;
        wait_for_pipe_ = nullptr;
        wait_for_epoch_ = world_.epoch() + 1;
    }
    if (world_.epoch() < wait_for_epoch_) return;
    if (ending_ || settling_ || chance(30)) connect(!settling_ && chance(20));
}

void Client::act_online() {
    if (chance(60)) {
        read(1 + random_.below(chance(20) ? 20 : 2'000));
        if (state_ == State::online && !chance(habits_.lazy_ack_percent)) answer(1 + random_.below(8));
        return;
    }
    if (chance(habits_.drop_percent)) {
        switch (random_.below(4)) {
        case 0: return drop();
        case 1: return disconnect();
        default: return leave_behind();
        }
    }
    if (chance(habits_.subscribe_percent)) {
        if (chance(25)) return unsubscribe();
        return subscribe(std::string(filters[random_.below(filters.size())]));
    }
    publish();
}

void Client::connect(bool clean_start) {
    after_connection();
    connection_ = ++connection_count_;
    pipe_ = std::make_shared<Pipe>();
    pipe_->to_client_bytes_max = chance(20) ? 64 + random_.below(1'000) : 65'536;
    world_.open(random_.below(world_.shard_count()), pipe_);
    state_ = State::connecting;
    // Both sides forget the session (3.1.2.4). Until the server has said so the client insists:
    // it couldn't go on with a session that it has forgotten.
    insists_on_clean_start_ |= clean_start || ending_;
    clean_start_ = insists_on_clean_start_;
    if (clean_start_) forget_session();

    mqtt::Connect packet;
    packet.version = version_;
    packet.clean_start = clean_start_;
    const std::string client_id = fmt::format("c{}", index_);
    packet.client_id = client_id;
    const bool is_v5 = version_ == mqtt::Version::v5;
    expiry_ = is_v5 && chance(15) ? Expiry::short_one
              : chance(25)        ? Expiry::with_connection
                                  : Expiry::long_one;
    if (settling_ && session_is_kept_) expiry_ = Expiry::long_one;
    if (ending_) expiry_ = Expiry::with_connection;
    // In 3.1.1 the clean flag says both.
    if (!is_v5) expiry_ = clean_start_ ? Expiry::with_connection : Expiry::long_one;
    if (is_v5) {
        packet.session_expiry_s = expiry_ == Expiry::with_connection ? 0
                                  : expiry_ == Expiry::short_one     ? 1 + random_.below(3)
                                                                     : 0xffff'ffff;
        receive_maximum_ = static_cast<uint16_t>(chance(50) ? 1 + random_.below(6) : 65'535);
        alias_maximum_ = static_cast<uint16_t>(chance(50) ? 1 + random_.below(20) : 0);
        packet.receive_maximum = receive_maximum_;
        packet.topic_alias_maximum = alias_maximum_;
    }
    std::string will_topic;
    std::string will_payload;
    if (!settling_ && !ending_ && chance(30)) add_will(packet, will_topic, will_payload);
    if (clean_start_ || expiry_ != Expiry::long_one || !session_is_kept_) {
        checkers_.on_session_in_doubt(index_);
    }
    checkers_.trace(index_, "connects{}, kind of expiry {}", clean_start_ ? " clean" : "",
                    static_cast<int>(expiry_));
    send(packet);
}

void Client::add_will(mqtt::Connect& packet, std::string& topic, std::string& payload) {
    topic = fmt::format("w/{}", index_ % 4);
    SentMessage message;
    message.publisher = index_;
    message.connection = connection_;
    message.topic = topic;
    message.qos = static_cast<mqtt::Qos>(random_.below(3));
    mqtt::Will will;
    will.qos = message.qos;
    will_ = checkers_.add_message(std::move(message));
    checkers_.on_sent(will_);
    payload = Checkers::payload_of(will_, 0);
    will.topic = topic;
    will.payload = as_bytes(payload);
    if (version_ == mqtt::Version::v5 && chance(30)) will.properties.delay_interval_s = random_.below(4);
    will_is_delayed_ = will.properties.delay_interval_s != 0;
    packet.will = will;
}

// The parts that don't outlive a connection.
void Client::after_connection() {
    if (pipe_ != nullptr) ghosts_.push_back(pipe_);
    pipe_ = nullptr;
    incoming_.clear();
    aliases_in_.clear();
    aliases_out_.clear();
    open_.clear();
    owed_.clear();
    due_acks_.clear();
    subscribes_.clear();
    unsubscribes_.clear();
    will_ = UINT32_MAX;
    receive_maximum_ = 65'535;
    alias_maximum_ = 0;
    has_had_turn_ = false;
    is_told_ = false;
    state_ = State::offline;
}

void Client::forget_session() {
    outgoing_.clear();
    received_qos2_.clear();
    seen_qos1_.clear();
    unfinished_.clear();
    filters_.clear();
}

void Client::begin_drain() {
    draining_ = true;
    if (state_ != State::online) checkers_.on_session_in_doubt(index_);
}

void Client::look_at_drain() {
    if (!draining_ || has_had_turn_ || state_ != State::online || !world_.is_leaving(*pipe_)) return;
    has_had_turn_ = true;
    owed_ = open_;
    checkers_.trace(index_, "has its turn to leave");
    checkers_.on_turn_to_leave(index_);
}

void Client::read_at_once() {
    if (!draining_ || state_ == State::offline) return;
    read(SIZE_MAX);
    if (state_ == State::online && chance(70)) answer(SIZE_MAX);
}

void Client::drop() {
    if (draining_) checkers_.on_session_in_doubt(index_);   // it won't be let in again
    if (state_ == State::connecting) {
        wait_for_pipe_ = pipe_;
        // The session may have ended and this CONNECT made a new one: nobody could tell later.
        insists_on_clean_start_ |= !session_is_kept_;
    }
    if (state_ == State::online && will_ != UINT32_MAX && !will_is_delayed_) {
        checkers_.on_will_due(will_);
    }
    if (expiry_ != Expiry::long_one || state_ == State::connecting) {
        checkers_.on_session_in_doubt(index_);
        session_is_kept_ = false;
    }
    checkers_.trace(index_, "drops its connection");
    std::string& unsent = pipe_->to_server;
    if (chance(50)) unsent.resize(random_.below(static_cast<uint32_t>(unsent.size()) + 1));
    pipe_->client_finished = true;
    pipe_->client_reset = chance(50);
    after_connection();
}

void Client::leave_behind() {
    if (draining_) checkers_.on_session_in_doubt(index_);
    if (will_ != UINT32_MAX && !will_is_delayed_) checkers_.on_will_due(will_);
    if (expiry_ != Expiry::long_one) checkers_.on_session_in_doubt(index_);
    connect(chance(10));
}

void Client::disconnect() {
    checkers_.trace(index_, "disconnects");
    if (draining_) checkers_.on_session_in_doubt(index_);
    mqtt::Disconnect packet;
    if (expiry_ != Expiry::long_one) checkers_.on_session_in_doubt(index_);
    send(version_, packet);
    pipe_->client_finished = chance(50);
    after_connection();
}

void Client::begin_end() {
    ending_ = true;
    if (state_ == State::online) leave_behind();
}

bool Client::is_quiet() const {
    return due_acks_.empty() && outgoing_.empty() && subscribes_.empty() && unsubscribes_.empty() &&
           state_ == State::online;
}

bool Client::has_open_ghosts() const {
    return std::any_of(ghosts_.begin(), ghosts_.end(),
                       [](const auto& ghost) { return !ghost->server_closed; });
}

void Client::settle() {
    settling_ = true;
    for (const auto& ghost : ghosts_) {
        ghost->to_client.clear();
        // A client that has been told of the end closes too. In a drain nobody takes it over.
        if (ghost->server_finished || draining_) ghost->client_finished = true;
    }
    if (pipe_ != nullptr) pipe_->to_client_bytes_max = 65'536;
    if (state_ == State::offline) {
        if (!ending_ || session_is_kept_) act_offline();
        return;
    }
    read(SIZE_MAX);
    if (state_ != State::online) return;
    answer(SIZE_MAX);
    if (ending_ && clean_start_) disconnect();
}

std::string Client::draw_topic(bool& retain) {
    switch (random_.below(8)) {
    case 0: case 1: return fmt::format("s/{}", random_.below(2));
    case 2:
        retain = true;
        return fmt::format("r/{}", index_);
    case 3: return random_.below(2) == 0 ? "u/a/x" : "u/b/x";
    default: return fmt::format("t/{}", random_.below(4));
    }
}

void Client::publish() {
    SentMessage message;
    message.publisher = index_;
    message.connection = connection_;
    message.qos = static_cast<mqtt::Qos>(random_.below(3));
    message.topic = draw_topic(message.retain);
    message.is_clear = message.retain && chance(20);
    if (message.qos != mqtt::Qos::at_most_once && outgoing_.size() >= 8) return;
    Outgoing outgoing{0, 0, false, 0, message.is_clear};
    if (habits_.payload_bytes_max > 0) outgoing.extra_bytes = random_.below(habits_.payload_bytes_max);
    if (message.qos != mqtt::Qos::at_most_once) outgoing.packet_id = free_packet_id();
    const bool is_kept = message.qos != mqtt::Qos::at_most_once;
    outgoing.message = checkers_.add_message(std::move(message));
    send_publish(outgoing, false);
    if (is_kept) outgoing_.push_back(outgoing);
}

void Client::publish_clear(const std::string& topic) {
    SentMessage message;
    message.publisher = index_;
    message.connection = connection_;
    message.qos = mqtt::Qos::at_least_once;
    message.topic = topic;
    message.retain = message.is_clear = true;
    const uint32_t id = checkers_.add_message(std::move(message));
    const Outgoing outgoing{id, free_packet_id(), false, 0, true};
    send_publish(outgoing, false);
    outgoing_.push_back(outgoing);
}

void Client::send_publish(const Outgoing& outgoing, bool duplicate) {
    checkers_.on_sent(outgoing.message);
    checkers_.trace(index_, "sends message {} as packet {}{}", outgoing.message,
                    outgoing.packet_id, duplicate ? ", again" : "");
    const SentMessage& message = checkers_.messages()[outgoing.message];
    const std::string payload =
        outgoing.is_clear ? "" : Checkers::payload_of(outgoing.message, outgoing.extra_bytes);
    mqtt::Publish packet;
    packet.topic = message.topic;
    packet.payload = as_bytes(payload);
    packet.packet_id = outgoing.packet_id;
    packet.qos = message.qos;
    packet.retain = message.retain;
    packet.duplicate = duplicate;
    if (version_ == mqtt::Version::v5 && chance(40)) {
        const auto known = aliases_out_.find(message.topic);
        if (known != aliases_out_.end()) {
            packet.topic = {};
            packet.properties.topic_alias = known->second;
        } else if (aliases_out_.size() < 30) {
            packet.properties.topic_alias = static_cast<uint16_t>(aliases_out_.size() + 1);
            aliases_out_.emplace(message.topic, packet.properties.topic_alias);
        }
    }
    send(version_, packet);
}

uint16_t Client::free_packet_id() {
    for (;;) {
        last_packet_id_ = static_cast<uint16_t>(last_packet_id_ % 40 + 1);   // soon used again
        const bool is_used =
            subscribes_.count(last_packet_id_) + unsubscribes_.count(last_packet_id_) > 0 ||
            std::any_of(outgoing_.begin(), outgoing_.end(), [&](const Outgoing& outgoing) {
                return outgoing.packet_id == last_packet_id_;
            });
        if (!is_used) return last_packet_id_;
    }
}

void Client::subscribe(const std::string& filter) {
    if (subscribes_.size() + unsubscribes_.size() > 6) return;
    mqtt::SubscribeEntry entry;
    entry.filter = filter;
    // The last look at retained messages may lose nothing in a full send ring.
    const bool wants_all = settling_ || chance(70);
    entry.options.qos = static_cast<mqtt::Qos>(wants_all ? 2 : random_.below(3));
    const bool is_shared = filter.starts_with("$share/");
    mqtt::Subscribe packet;
    packet.packet_id = free_packet_id();
    if (version_ == mqtt::Version::v5) {
        entry.options.no_local = !is_shared && !settling_ && chance(20);
        if (!settling_) {
            entry.options.retain_handling = static_cast<mqtt::RetainHandling>(random_.below(3));
        }
        if (chance(40)) packet.subscription_id = index_of(filter) + 1;
    }
    packet.entries = {&entry, 1};
    Span span;
    span.filter = filter;
    span.qos = entry.options.qos;
    span.no_local = entry.options.no_local;
    span.wants_retained = entry.options.retain_handling != mqtt::RetainHandling::do_not_send;
    span.identifier = packet.subscription_id.value_or(0);
    subscribes_[packet.packet_id] = {filter, checkers_.on_subscribe(index_, std::move(span))};
    filters_.insert(filter);
    checkers_.trace(index_, "subscribes to {}, qos {}", filter, static_cast<int>(entry.options.qos));
    send(version_, packet);
}

void Client::subscribe_to_retained() {
    subscribe("r/+");
}

void Client::unsubscribe() {
    if (filters_.empty() || subscribes_.size() + unsubscribes_.size() > 6) return;
    const std::string filter =
        *std::next(filters_.begin(), random_.below(static_cast<uint32_t>(filters_.size())));
    filters_.erase(filter);
    mqtt::Unsubscribe packet;
    packet.packet_id = free_packet_id();
    const std::string_view text = filter;
    packet.filters = {&text, 1};
    checkers_.on_unsubscribe(index_, filter);
    checkers_.trace(index_, "unsubscribes from {}", filter);
    unsubscribes_[packet.packet_id] = {filter, world_.next_moment()};
    send(version_, packet);
}

void Client::answer(size_t count_max) {
    for (; count_max > 0 && !due_acks_.empty(); --count_max) {
        const DueAck ack = due_acks_.front();
        due_acks_.pop_front();
        checkers_.trace(index_, "answers {} to packet {}", static_cast<int>(ack.type), ack.packet_id);
        send_ack(ack.type, ack.packet_id);
        if (ack.type == mqtt::PacketType::pubrec) continue;
        open_.erase(ack.packet_id);
        owed_.erase(ack.packet_id);
        unfinished_.erase(ack.packet_id);
    }
}

}  // namespace millrace::sim

#include "stack_peer_app.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "base/json_text.h"
#include "peer_reports.h"
#include "tcp/tcp_connection.h"

namespace millrace::test {

StackPeerApp::StackPeerApp(StackTransport& net, BlockPool& blocks, bool notices_half_open)
    : net_(net), stream_(blocks), notices_half_open_(notices_half_open) {}

// ---- commands ----

void StackPeerApp::on_command(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    if (verb == "listen") return listen(words);
    if (verb == "connect") return connect(words);
    if (verb == "counters") return report_counters();
    if (verb == "dump") return report_dump();
    if (verb == "quit") {
        finished_ = true;
        return;
    }
    std::string whom;
    if (words >> whom) return act_on(verb, whom);
    report_error("no such command: " + line);
}

void StackPeerApp::listen(std::istringstream& words) {
    Endpoint local;
    std::string role_name;
    uint64_t bytes = 0;
    words >> local.host >> local.port >> role_name;
    const auto role = role_of(role_name);
    if (!role) return report_error("listen: no such role: " + role_name);
    words >> bytes;
    const auto port = net_.listen(local);
    if (!port) return report_error(port.error().message);
    listeners_[*port] = {*role, bytes};
    print_line(fmt::format(R"({{"event":"listening","port":{}}})", *port));
}

void StackPeerApp::connect(std::istringstream& words) {
    ConnectOptions options;
    std::string role_name;
    uint64_t bytes = 0;
    uint32_t count = 1;
    words >> options.remote.host >> options.remote.port >> role_name;
    const auto role = role_of(role_name);
    if (!role) return report_error("connect: no such role: " + role_name);
    if (words >> bytes) words >> count;
    for (uint32_t index = 0; index < std::max(count, 1u); ++index) {
        Connection* connection = net_.connect(options);
        if (connection == nullptr) return report_error("connect: refused by the transport");
        const Conversation& conversation = begin(*connection, *role, bytes);
        report("connecting", conversation, fmt::format(R"(,"port":{})", options.remote.port));
    }
}

void StackPeerApp::act_on(const std::string& verb, const std::string& whom) {
    if (whom == "all") {
        for (auto& [id, conversation] : conversations_) act(verb, *conversation);
        return;
    }
    const auto found = conversations_.find(static_cast<uint32_t>(std::strtoul(whom.c_str(),
                                                                              nullptr, 10)));
    if (found == conversations_.end()) return report_error(verb + ": no connection " + whom);
    act(verb, *found->second);
}

void StackPeerApp::act(const std::string& verb, Conversation& conversation) {
    Connection& connection = *conversation.connection;
    if (verb == "abort") {
        net_.outbox().close_now(connection, CloseReason::local);
    } else if (verb == "close") {
        finish(conversation);
    } else if (verb == "pause" || verb == "resume") {
        conversation.is_paused = verb == "pause";
        net_.outbox().set_receive_paused(connection, conversation.is_paused);
        report(conversation.is_paused ? "paused" : "resumed", conversation);
    } else if (verb == "status") {
        report("status", conversation);
    } else {
        report_error("no such command: " + verb);
    }
}

void StackPeerApp::report_counters() { print_line(counters_line(net_)); }

void StackPeerApp::report_dump() {
    std::string text;
    net_.dump(text);
    print_line(fmt::format(R"({{"event":"dump","text":{}}})", json_text(text)));
}

// ---- events ----

void StackPeerApp::on_event(const Event& event, Instant now) {
    if (event.kind == Event::Kind::accepted) return on_accepted(*event.connection, now);
    Conversation& conversation = Conversation::of(*event.connection);
    switch (event.kind) {
    case Event::Kind::accepted: return;
    case Event::Kind::connected: return on_connected(conversation, now);
    case Event::Kind::received: return on_received(conversation, event.bytes, now);
    case Event::Kind::drained: return on_drained(conversation);
    case Event::Kind::closed: return on_closed(conversation);
    }
}

Conversation& StackPeerApp::begin(Connection& connection, Role role, uint64_t bytes) {
    const uint32_t id = next_id_++;
    auto& place = conversations_[id];
    place = std::make_unique<Conversation>(id, role, bytes);
    place->connection = &connection;
    new (connection.user) Conversation*(place.get());
    return *place;
}

void StackPeerApp::on_accepted(Connection& connection, Instant now) {
    const uint16_t port = TcpConnection::of(connection).flow.key.local_port;
    const Listener& listener = listeners_.at(port);
    Conversation& conversation = begin(connection, listener.role, listener.bytes);
    conversation.is_open = true;
    conversation.opened = now;
    const FlowKey& key = TcpConnection::of(connection).flow.key;
    report("accepted", conversation,
           fmt::format(R"(,"port":{},"remote":"{}","remote_port":{})", port, key.remote.text(),
                       key.remote_port));
    if (listener.role == Role::source) pump(conversation);
}

void StackPeerApp::on_connected(Conversation& conversation, Instant now) {
    conversation.is_open = true;
    conversation.opened = now;
    report("connected", conversation);
    if (conversation.role == Role::source || conversation.role == Role::probe) pump(conversation);
}

void StackPeerApp::on_received(Conversation& conversation, Bytes bytes, Instant now) {
    conversation.received.add(bytes);
    conversation.last_received = now;
    switch (conversation.role) {
    case Role::echo: return send_back(conversation, bytes);
    case Role::serve: return on_request(conversation, bytes);
    case Role::probe:
        if (conversation.received.bytes() >= conversation.bytes_wanted) finish(conversation);
        return;
    case Role::sink:
    case Role::source:
    case Role::hold: return;
    }
}

void StackPeerApp::on_request(Conversation& conversation, Bytes bytes) {
    const std::string_view text = as_text(bytes);
    const size_t end = text.find('\n');
    conversation.request += text.substr(0, end);
    if (end == std::string_view::npos || conversation.bytes_wanted != 0) return;
    conversation.bytes_wanted = std::strtoull(conversation.request.c_str(), nullptr, 10);
    pump(conversation);
}

void StackPeerApp::send_back(Conversation& conversation, Bytes bytes) {
    Connection& connection = *conversation.connection;
    while (!bytes.empty()) {
        const uint32_t piece = std::min<uint32_t>(static_cast<uint32_t>(bytes.size()), piece_bytes);
        const std::span<uint8_t> room = stream_.try_reserve(piece);
        if (room.empty()) break;
        std::memcpy(room.data(), bytes.data(), piece);
        conversation.sent.add(bytes.first(piece));
        if (!net_.outbox().send(connection, stream_.commit(piece))) break;
        bytes = bytes.subspan(piece);
    }
    if (!bytes.empty()) return net_.outbox().close_now(connection, CloseReason::exhausted);
    if (connection.out.bytes_queued() < queued_bytes_max) return;
    net_.outbox().set_receive_paused(connection, true);
    connection.tell_when_drained = true;
}

void StackPeerApp::on_drained(Conversation& conversation) {
    if (conversation.role != Role::echo) return pump(conversation);
    net_.outbox().set_receive_paused(*conversation.connection, conversation.is_paused);
}

void StackPeerApp::on_closed(Conversation& conversation) {
    const std::string_view reason = name_of(conversation.connection->close_reason);
    const Duration took = conversation.last_received - conversation.opened;
    const double seconds = conversation.received.bytes() == 0 ? 0 : took.seconds();
    report("closed", conversation,
           fmt::format(R"(,"reason":"{}","receive_seconds":{:.6f})", reason, seconds));
    conversations_.erase(conversation.id);
}

// ---- output ----

void StackPeerApp::pump(Conversation& conversation) {
    Connection& connection = *conversation.connection;
    if (conversation.is_finishing || conversation.bytes_wanted == 0) return;
    while (connection.out.bytes_queued() < queued_bytes_max) {
        const uint64_t missing = conversation.bytes_wanted - conversation.sent.bytes();
        if (missing == 0) break;
        const auto bytes = static_cast<uint32_t>(std::min<uint64_t>(missing, piece_bytes));
        if (send_piece(conversation, bytes)) continue;
        return net_.outbox().close_now(connection, CloseReason::exhausted);
    }
    const bool is_complete = conversation.sent.bytes() == conversation.bytes_wanted;
    if (!is_complete) connection.tell_when_drained = true;
    else if (conversation.role != Role::probe) finish(conversation);
}

bool StackPeerApp::send_piece(Conversation& conversation, uint32_t bytes) {
    const std::span<uint8_t> room = stream_.try_reserve(bytes);
    if (room.empty()) return false;
    for (uint32_t at = 0; at < bytes; at += sizeof(uint64_t)) {
        const uint64_t word = conversation.pattern.next();
        std::memcpy(&room[at], &word, std::min<uint32_t>(sizeof(word), bytes - at));
    }
    conversation.sent.add(room.first(bytes));
    return net_.outbox().send(*conversation.connection, stream_.commit(bytes));
}

void StackPeerApp::finish(Conversation& conversation) {
    if (conversation.is_finishing) return;
    conversation.is_finishing = true;
    net_.outbox().close_when_sent(*conversation.connection, CloseReason::local);
}

void StackPeerApp::end_turn() {
    if (notices_half_open_) look_for_finished_peers();
    stream_.rewind_if_unused();
}

// A transport has no event for a FIN that doesn't close, since nothing but this program wants one.
void StackPeerApp::look_for_finished_peers() {
    for (auto& [id, conversation] : conversations_) {
        if (!conversation->connection->peer_finished || conversation->peer_finish_told) continue;
        conversation->peer_finish_told = true;
        report("peer_finished", *conversation);
        const Role role = conversation->role;
        if (role == Role::echo || role == Role::sink) finish(*conversation);
    }
}

void StackPeerApp::report(const char* event, const Conversation& conversation,
                          const std::string& more) {
    print_line(fmt::format(
        R"({{"event":"{}","id":{},"received":{},"received_hash":"{}","sent":{},"sent_hash":"{}"{}}})",
        event, conversation.id, conversation.received.bytes(), conversation.received.hash(),
        conversation.sent.bytes(), conversation.sent.hash(), more));
}

}  // namespace millrace::test

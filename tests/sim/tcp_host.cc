#include "tcp_host.h"

#include <algorithm>
#include <new>

#include <fmt/format.h>

namespace millrace::sim {

namespace {

constexpr uint16_t port = 1883;
// A host that always has something to do still lets time pass.
constexpr Duration turn_interval_min = Duration::us(20);
// A program writes no more while so much waits, and asks to be told.
constexpr uint32_t queued_bytes_max = 100'000;

// Byte `index` of what end `id` writes.
uint8_t pattern(uint32_t id, uint64_t index) {
    const uint64_t mixed = (index / 8 + (uint64_t{id} << 40) + 1) * 0x9e3779b97f4a7c15u;
    return static_cast<uint8_t>((mixed ^ mixed >> 29) >> index % 8 * 7);
}

std::string host_address(const HostDraws& draws, uint32_t host) {
    const bool is_ipv4 = draws.stack.interface.addresses[0].address.is_ipv4();
    return fmt::format("{}{}", is_ipv4 ? "10.0.0." : "fd00::", host + 1);
}

}  // namespace

End* EndBook::client_of(const FlowKey& server_key) const {
    const FlowKey key{server_key.remote, server_key.local, server_key.remote_port,
                      server_key.local_port};
    for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
        if ((*end)->is_client && (*end)->key == key) return end->get();
    }
    return nullptr;
}

Host::Host(uint32_t index, const HostDraws& draws, Network& network, EndBook& book, Prng& random)
    : index_(index), draws_(draws), book_(book), random_(random), now_(network.now()),
      to_connect_(draws.to_connect), next_turn_(network.now()) {
    auto arena = Arena::create({.bytes_max = draws.arena_bytes, .huge_pages = HugePages::off});
    if (!arena) throw Failure("no memory for an arena");
    arena_ = std::move(*arena);
    heap_ = std::make_unique<Heap>(*arena_, ledger_);
    blocks_ = std::make_unique<BlockPool>(*heap_, ledger_);
    stream_ = std::make_unique<BlockStream>(*blocks_);
    auto waker = Waker::create();
    if (!waker) throw Failure("no waker");
    waker_ = std::make_unique<Waker>(std::move(*waker));
    StackOptions options = draws.stack;
    options.clock.context = &network;
    options.clock.read = [](void* context) { return static_cast<Network*>(context)->now(); };
    options.idle.mode = IdlePolicy::Mode::never_wait;
    auto net = StackTransport::create(
        options, std::make_unique<SimLink>(network, index, draws.link, *blocks_), *arena_, ledger_,
        *heap_, *blocks_, *waker_);
    if (!net) throw Failure("no stack: " + net.error().message);
    net_ = std::move(*net);
    if (!net_->listen({host_address(draws_, index), port})) throw Failure("it doesn't listen");
    unused_wheel_ = std::make_unique<TimerWheel>(now_);
    verifier_ =
        std::make_unique<Tcp>(options.tcp, *heap_, *blocks_, *unused_wheel_, unused_counters_);
}

Host::~Host() { relieve(); }

void Host::fail(const End& end, const std::string& what) const {
    throw Failure(fmt::format(
        "{:.3f} ms, host {}, end {} (port {}, {}): {}; written {}, received {}, {}; peer {}",
        static_cast<double>(now_.nanoseconds) / 1e6, index_, end.id,
        end.is_client ? end.key.local_port : end.key.remote_port,
        end.is_client ? "client" : "server", what, end.written, end.received,
        end.asked_now ? "asked to close now"
                      : end.asked_when_sent ? "asked to close when sent" : "didn't ask to close",
        end.peer == nullptr
            ? std::string("unknown")
            : fmt::format("{}: written {}, received {}, {}, {}", end.peer->id, end.peer->written,
                          end.peer->received,
                          end.peer->asked_now ? "now"
                                              : end.peer->asked_when_sent ? "when sent" : "unasked",
                          end.peer->is_closed ? name_of(end.peer->reason) : "open")));
}

void Host::note(const End& end, const std::string& what) const {
    if (!traced_) return;
    fmt::print("{:>12.3f} ms    host {}, end {}, port {}: {}\n",
               static_cast<double>(now_.nanoseconds) / 1e6, index_, end.id,
               end.is_client ? end.key.local_port : end.key.remote_port, what);
}

void Host::turn(Instant now) {
    now_ = now;
    for (const Event& event : net_->poll(now)) handle(event);
    if (next_action_ <= now_) act();
    stream_->rewind_if_unused();
    net_->flush(now_);
    net_->verify();
    for (const End* end : open_) verifier_->verify(TcpConnection::of(*end->connection));
    next_turn_ = std::max(now_ + turn_interval_min, net_->next_deadline());
    if (phase_ == Phase::busy || !open_.empty()) next_turn_ = std::min(next_turn_, next_action_);
}

void Host::set_phase(Phase phase) {
    phase_ = phase;
    next_action_ = now_;
    wake_at(now_);
}

// --- What the stack tells. ---

End& Host::make_end(Connection& connection, bool is_client) {
    End& end = *book_.ends.emplace_back(std::make_unique<End>());
    end.id = static_cast<uint32_t>(book_.ends.size());
    end.host = index_;
    end.connection = &connection;
    end.key = TcpConnection::of(connection).flow.key;
    end.is_client = is_client;
    end.to_write = random_.below(8) == 0 ? 0 : random_.below(draws_.write_bytes_max);
    const uint32_t plan = random_.below(20);
    end.plan = plan < 10   ? End::Plan::close_when_sent
               : plan < 12 ? End::Plan::close_now
                           : End::Plan::wait_for_peer;
    new (connection.user) End*(&end);
    open_.push_back(&end);
    return end;
}

End& Host::end_of(Connection& connection) { return *connection.as<End*>(); }

void Host::handle(const Event& event) {
    if (event.kind == Event::Kind::accepted) return on_accepted(*event.connection);
    End& end = end_of(*event.connection);
    if (end.connection != event.connection) throw Failure("an event of a forgotten connection");
    switch (event.kind) {
    case Event::Kind::accepted: return;
    case Event::Kind::connected:
        note(end, "connected");
        if (end.was_opened || !end.is_client) fail(end, "`connected` at the wrong time");
        end.was_opened = true;
        return;
    case Event::Kind::received: return on_received(end, event.bytes);
    case Event::Kind::drained:
        note(end, "drained");
        if (!end.awaits_drained) fail(end, "`drained` without being asked for");
        end.awaits_drained = false;
        return;
    case Event::Kind::closed: return on_closed(end);
    }
}

void Host::on_accepted(Connection& connection) {
    End& end = make_end(connection, false);
    end.was_opened = true;
    note(end, "accepted");
    End* client = book_.client_of(end.key);
    if (client == nullptr) fail(end, "nobody has opened this connection");
    // A client whose first server end has ended may be let in once more by a cookie.
    if (client->peer != nullptr) {
        end.is_repeated = client->is_repeated = true;
        if (!client->peer->is_closed) fail(end, "accepted twice");
        if (net_->stack_counters().cookies_accepted.read() == 0) fail(end, "accepted again");
    }
    end.peer = client;
    client->peer = &end;
}

void Host::on_received(End& end, Bytes bytes) {
    note(end, fmt::format("received {} bytes", bytes.size()));
    if (!end.was_opened) fail(end, "`received` before the beginning");
    if (bytes.empty()) fail(end, "`received` of nothing");
    if (end.peer == nullptr) fail(end, "bytes from nobody");
    if (end.is_repeated) {
        end.received += bytes.size();
        return;
    }
    if (end.received + bytes.size() > end.peer->written) fail(end, "more bytes than were written");
    for (const uint8_t byte : bytes) {
        if (byte != pattern(end.peer->id, end.received)) {
            fail(end, fmt::format("a wrong byte at {}", end.received));
        }
        ++end.received;
    }
}

void Host::on_closed(End& end) {
    end.reason = end.connection->close_reason;
    end.is_closed = true;
    note(end, fmt::format("closed: {}", name_of(end.reason)));
    end.connection = nullptr;
    std::erase(open_, &end);
    switch (end.reason) {
    case CloseReason::peer_closed:
        return check_end_of_stream(end);
    case CloseReason::connect_failed:
        if (end.was_opened) fail(end, "connect failed after `connected`");
        return;
    case CloseReason::local:
        if (!end.has_asked()) fail(end, "closed by itself");
        return;
    case CloseReason::peer_reset:
        return;  // judged when all has ended (tcp_run.cc)
    case CloseReason::none:
    case CloseReason::handshake_timeout:
    case CloseReason::slow_receiver:
    case CloseReason::exhausted:
    case CloseReason::shutdown:
        fail(end, "closed for a reason that nobody gave");
    }
}

// After a FIN: all that the peer wrote has come, and the peer meant it.
void Host::check_end_of_stream(const End& end) const {
    if (end.has_asked() || end.is_repeated) return;
    if (end.peer == nullptr) fail(end, "a FIN from nobody");
    if (!end.peer->asked_when_sent) fail(end, "a FIN that the peer didn't ask for");
    if (end.received != end.peer->written) fail(end, "a FIN before all bytes have come");
}

// --- What the programs do. ---

void Host::act() {
    const auto interval_us = static_cast<uint32_t>(draws_.action_interval.to_us());
    next_action_ = now_ + Duration::us(1 + random_.below(2 * interval_us));
    if (phase_ == Phase::busy && to_connect_ > 0 && random_.below(3) == 0) {
        try_connect();
    }
    const std::vector<End*> ends = open_;
    for (End* end : ends) {
        if (phase_ != Phase::busy) end_in_peace(*end);
        else if (random_.below(2) == 0) act_on(*end);
    }
}

void Host::try_connect() {
    Connection* connection =
        net_->connect({.remote = {host_address(draws_, 1 - index_), port}, .source_host = {}});
    if (connection == nullptr) return;  // a limit, or memory: later
    --to_connect_;
    note(make_end(*connection, true), "connects");
}

void Host::act_on(End& end) {
    if (end.asked_now) return;
    if (!end.was_opened) {
        if (random_.below(200) == 0) {
            end.plan = End::Plan::close_now;
            close(end);
        }
        return;
    }
    if (end.asked_when_sent) {
        if (random_.below(300) == 0) {  // patience ends
            end.plan = End::Plan::close_now;
            close(end);
        }
        return;
    }
    if (random_.chance(draws_.pause_chance)) toggle_pause(end);
    look_for_half_close(end);
    if (end.written < end.to_write) return write(end);
    const bool waits = end.plan == End::Plan::wait_for_peer && !end.connection->peer_finished;
    if (!waits && random_.below(4) == 0) close(end);
}

void Host::end_in_peace(End& end) {
    if (!end.was_opened || end.asked_now) return;
    if (end.connection->receive_paused) toggle_pause(end);
    look_for_half_close(end);
    if (phase_ != Phase::closing) return;
    end.plan = End::Plan::close_when_sent;
    close(end);
}

void Host::write(End& end) {
    if (end.awaits_drained) return;
    if (end.connection->out.bytes_queued() > queued_bytes_max) {
        end.connection->tell_when_drained = true;
        end.awaits_drained = true;
        return;
    }
    const uint64_t left = end.to_write - end.written;
    const auto bytes = static_cast<uint32_t>(
        std::min<uint64_t>(left, 1 + random_.below(draws_.write_part_max)));
    const std::span<uint8_t> room = stream_->try_reserve(bytes);
    if (room.empty()) return;  // no memory: later
    for (uint32_t index = 0; index < bytes; ++index) {
        room[index] = pattern(end.id, end.written + index);
    }
    if (!net_->outbox().send(*end.connection, stream_->commit(bytes))) return;
    end.written += bytes;
    note(end, fmt::format("writes {} bytes", bytes));
}

void Host::close(End& end) {
    if (end.plan == End::Plan::close_now) {
        note(end, "closes now");
        end.asked_now = true;
        net_->outbox().close_now(*end.connection, CloseReason::local);
    } else if (!end.asked_when_sent) {
        note(end, "closes when sent");
        end.asked_when_sent = true;
        net_->outbox().close_when_sent(*end.connection, CloseReason::local);
    }
}

void Host::toggle_pause(End& end) {
    note(end, end.connection->receive_paused ? "resumes" : "pauses");
    net_->outbox().set_receive_paused(*end.connection, !end.connection->receive_paused);
}

// Where half-closed connections live on, nothing is told: the connection knows.
void Host::look_for_half_close(End& end) {
    const TcpConnection& connection = TcpConnection::of(*end.connection);
    if (draws_.stack.close_on_peer_fin || !connection.peer_finished) return;
    if (connection.receive_paused || connection.reassembly.has_ready(connection.rcv_nxt)) return;
    check_end_of_stream(end);
}

// --- What must be so at the end. ---

bool Host::is_drained() const {
    return std::all_of(open_.begin(), open_.end(), [](const End* end) {
        const End* peer = end->peer;
        if (peer == nullptr || peer->is_closed || peer->peer != end) return true;
        if (end->asked_now || peer->asked_now || end->is_repeated) return true;
        return end->asked_when_sent || end->received == peer->written;
    });
}

bool Host::is_empty() const {
    return open_.empty() && net_->tcp_connection_count() == 0 && net_->half_open_count() == 0 &&
           net_->time_wait_count() == 0 && net_->next_deadline() == Instant::never();
}

std::string Host::open_ends() const {
    std::string text;
    for (const End* end : open_) {
        const TcpConnection& connection = TcpConnection::of(*end->connection);
        text += fmt::format("\n  end {}, state {}, queued {}, written {}, received {}", end->id,
                            static_cast<int>(connection.state()), connection.out.bytes_queued(),
                            end->written, end->received);
    }
    return text + fmt::format("\n  host {}: {} connections, {} handshakes, {} in TIME-WAIT",
                              index_, net_->tcp_connection_count(), net_->half_open_count(),
                              net_->time_wait_count());
}

// Chunks first: what the heap's classes get they keep, and nobody else has it afterwards.
void Host::exhaust() {
    stream_->close();
    while (std::byte* chunk = arena_->try_take_chunk()) taken_chunks_.push_back(chunk);
    for (uint32_t bytes = 32'768; bytes >= 16; bytes -= bytes > 512 ? bytes / 2 : 16) {
        while (void* memory = heap_->try_allocate(bytes)) taken_.push_back({memory, bytes});
    }
}

void Host::relieve() {
    for (const Taken& taken : taken_) heap_->free(taken.memory, taken.bytes);
    taken_.clear();
    for (std::byte* chunk : taken_chunks_) arena_->give_back_chunk(chunk);
    taken_chunks_.clear();
}

void Host::check_memory() {
    relieve();
    stream_->close();
    net_.reset();
    for (const LedgerLine& line : ledger_.lines()) {
        if (line.objects.read() != 0) {
            throw Failure(fmt::format("host {}: {} objects of '{}' were never given back", index_,
                                      line.objects.read(), line.name));
        }
    }
}

}  // namespace millrace::sim

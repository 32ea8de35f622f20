#include "tcp_run.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace millrace::sim {

namespace {

// Backed-off timers of a minute, handshakes of two, TIME-WAIT.
constexpr Duration settling_max = Duration::s(900);
// Backed-off timers of a minute, and the slowest line.
// Where each slot of a ring is a segment of its own, a burst of small messages costs a receiver more
// than it may keep out of order: much comes one timeout at a time.
constexpr Duration draining_max = Duration::s(240);
constexpr Duration draining_slot_by_slot_max = Duration::s(2'400);
// More than that in one run is a loop without progress.
constexpr uint64_t steps_max = 3'000'000;

}  // namespace

TcpRun::TcpRun(uint64_t seed, Sabotage sabotage)
    : random_(seed), network_(random_, sabotage), is_ipv4_(random_.below(4) != 0),
      half_close_(random_.below(4) == 0) {
    // Clocks of 32 bits wrap in some runs.
    if (random_.below(4) == 0) {
        now_ = Instant::at_ms((int64_t{1} << 32) - random_.below(20'000));
    }
    network_.set_now(now_);
    network_.path(0) = draw_path();
    network_.path(1) = draw_path();
    change_interval_ = draw_duration(Duration::ms(100), Duration::s(3));
    next_change_ = now_ + change_interval_;
    exhaust_chance_ = draw_rate(0.3);
    cut_chance_ = draw_rate(0.3);
    mtu_chance_ = draw_rate(0.2);
    time_wait_ = draw_duration(Duration::ms(10), Duration::s(60));
    for (uint32_t host = 0; host < 2; ++host) {
        hosts_[host] =
            std::make_unique<Host>(host, draw_host(host), network_, book_, random_);
    }
}

double TcpRun::draw_rate(double most) {
    if (random_.below(2) == 0) return 0;
    // As many runs between a tenth and all as between a hundredth and a tenth.
    const double exponent = 3.0 * static_cast<double>(random_.below(1'000)) / 1'000.0;
    return most * std::pow(10.0, -exponent);
}

Duration TcpRun::draw_duration(Duration least, Duration most) {
    const auto span_us = static_cast<uint32_t>((most - least).to_us());
    return least + Duration::us(random_.below(span_us + 1));
}

PathFaults TcpRun::draw_path() {
    PathFaults faults;
    faults.loss = draw_rate(0.2);
    faults.duplicate = draw_rate(0.2);
    faults.damage = draw_rate(0.2);
    faults.overtake = draw_rate(0.3);
    faults.forge = draw_rate(0.1);
    faults.delay = draw_duration({}, random_.below(3) == 0 ? Duration::ms(200) : Duration::ms(5));
    faults.jitter = draw_duration({}, random_.below(3) == 0 ? Duration::ms(50) : Duration::ms(1));
    faults.keeps_order = random_.below(2) == 0;
    if (random_.below(3) == 0) {
        faults.bytes_a_second = 50'000 + random_.below(5'000'000);
        faults.queue_bytes_max = 5'000 + random_.below(200'000);
    }
    return faults;
}

LinkDraws TcpRun::draw_link() {
    LinkDraws draws;
    draws.device_frames_max = 1 + random_.below(random_.below(3) == 0 ? 8 : 500);
    draws.device_delay_max = draw_duration({}, Duration::us(500));
    draws.offloads_checksum = random_.below(2) == 0;
    draws.offloads_segmentation = draws.offloads_checksum && random_.below(2) == 0;
    draws.slices_max = 1 + random_.below(OutFrame::slices_max);
    has_single_slices_ = has_single_slices_ || draws.slices_max == 1;
    constexpr uint32_t mtus[] = {1'500, 1'500, 1'500, 9'000, 1'280, 4'000};
    draws.mtu = mtus[random_.below(6)];
    return draws;
}

TcpSettings TcpRun::draw_tcp(bool keepalive) {
    TcpSettings tcp;
    tcp.congestion =
        random_.below(2) == 0 ? CongestionAlgorithm::cubic : CongestionAlgorithm::reno;
    constexpr uint32_t windows[] = {256 * 1024, 256 * 1024, 3'000, 20'000, 65'535, 1 << 20};
    tcp.receive_window_bytes = windows[random_.below(6)];
    tcp.ack_delay = draw_duration({}, Duration::ms(100));
    tcp.fin_wait_2 = Duration::s(20);
    if (keepalive) {
        tcp.keepalive_idle = draw_duration(Duration::s(1), Duration::s(5));
        tcp.keepalive_interval = Duration::s(1);
    }
    return tcp;
}

HostDraws TcpRun::draw_host(uint32_t host) {
    const bool keepalive = random_.below(4) == 0;
    has_keepalive_ = has_keepalive_ || keepalive;
    HostDraws draws;
    draws.link = draw_link();
    draws.stack.tcp = draw_tcp(keepalive);
    const std::string address =
        is_ipv4_ ? fmt::format("10.0.0.{}/24", host + 1) : fmt::format("fd00::{}/64", host + 1);
    draws.stack.interface.addresses = {*IpPrefix::parse(address)};
    draws.stack.interface.mtu = draws.link.mtu;
    draws.stack.time_wait = time_wait_;
    if (random_.below(4) == 0) draws.stack.half_open = {.count_max = 4, .cookies_from = 1};
    if (random_.below(8) == 0) {
        draws.stack.connections_max = 1 + random_.below(10);
        has_connection_limit_ = true;
    }
    if (random_.below(8) == 0) draws.stack.time_wait_count_max = 2;
    draws.stack.seed = random_.next();
    draws.stack.close_on_peer_fin = !half_close_;
    draws.arena_bytes = random_.below(4) == 0 ? uint64_t{4} << 20 : uint64_t{32} << 20;
    draws.to_connect = random_.below(12) + (host == 0 ? 1 : 0);
    draws.write_bytes_max = 1 + random_.below(random_.below(2) == 0 ? 1'000'000 : 40'000);
    draws.write_part_max = 1 + random_.below(random_.below(2) == 0 ? 200 : 20'000);
    draws.action_interval = draw_duration(Duration::us(100), Duration::ms(50));
    draws.pause_chance = draw_rate(0.3);
    return draws;
}

void TcpRun::trace() {
    traced_ = true;
    network_.trace();
    for (const auto& host : hosts_) host->trace();
}

void TcpRun::step(Instant until) {
    if (++steps_ > steps_max) throw Failure("it never ends");
    Instant next = std::min(until, network_.next_event());
    for (const auto& host : hosts_) next = std::min(next, host->next_turn());
    now_ = std::max(now_, next);
    network_.set_now(now_);
    const std::array<bool, 2> got = network_.advance();
    const uint32_t first = random_.below(2);
    for (const uint32_t index : {first, 1 - first}) {
        Host& host = *hosts_[index];
        // Some turns come late, with more frames then.
        if (got[index]) host.wake_at(now_ + Duration::us(random_.below(4) * 50));
        if (host.next_turn() <= now_) host.turn(now_);
    }
}

void TcpRun::change_faults() {
    next_change_ = now_ + change_interval_;
    for (uint32_t index = 0; index < 2; ++index) {
        PathFaults& faults = network_.path(index);
        faults.is_cut = random_.chance(cut_chance_);
        if (random_.chance(mtu_chance_)) {
            faults.mtu = (is_ipv4_ ? 600 : 1'280) + random_.below(1'500);
            faults.tells_mtu = random_.below(2) == 0;
            has_black_hole_ = has_black_hole_ || !faults.tells_mtu;
        }
        if (random_.chance(exhaust_chance_)) hosts_[index]->exhaust();
        else hosts_[index]->relieve();
    }
}

void TcpRun::run() {
    const Instant end = now_ + draw_duration(Duration::ms(500), Duration::s(20));
    while (now_ < end) {
        step(std::min(end, next_change_));
        if (next_change_ <= now_) change_faults();
    }
    drain();
    settle();
    check_ends();
    check_counters();
    check_memory();
}

bool TcpRun::is_settled() const {
    return network_.next_event() == Instant::never() && hosts_[0]->is_empty() &&
           hosts_[1]->is_empty();
}

// The faults stop; then everything that was written must arrive.
void TcpRun::drain() {
    if (traced_) {
        fmt::print("{:>12.3f} ms faults stop\n", static_cast<double>(now_.nanoseconds) / 1e6);
    }
    network_.calm_down();
    for (const auto& host : hosts_) {
        host->relieve();
        host->begin_draining();
    }
    const Instant limit = now_ + (has_single_slices_ ? draining_slot_by_slot_max : draining_max);
    while (!hosts_[0]->is_drained() || !hosts_[1]->is_drained()) {
        if (now_ >= limit) {
            throw Failure("not everything arrived:" + hosts_[0]->open_ends() +
                          hosts_[1]->open_ends());
        }
        step(limit);
    }
}

// Everybody closes, and nothing may be left.
void TcpRun::settle() {
    for (const auto& host : hosts_) host->begin_closing();
    const Instant limit = now_ + settling_max;
    while (!is_settled()) {
        if (now_ >= limit) {
            throw Failure("it didn't settle:" + hosts_[0]->open_ends() + hosts_[1]->open_ends());
        }
        step(limit);
    }
}

// A reset needs a cause: somebody who closed now, or who had no end there; or who closed when sent,
// all of which has come, and didn't want to wait for ever in FIN-WAIT-2. Keep-alives may give up,
// and data that overtakes the ACK of a cookie isn't known to anybody.
bool TcpRun::may_be_reset(const End& end) const {
    bool refused = false;
    for (const auto& host : hosts_) {
        refused = refused || host->stack().stack_counters().cookies_refused.read() > 0;
    }
    if (has_keepalive_ || refused || end.has_asked() || end.is_repeated) return true;
    if (end.peer == nullptr || end.peer->asked_now) return true;
    return end.peer->asked_when_sent && end.received == end.peer->written;
}

void TcpRun::check_ends() const {
    for (const auto& end : book_.ends) {
        if (!end->is_closed) throw Failure(fmt::format("end {} was never closed", end->id));
        if (end->reason != CloseReason::peer_reset || may_be_reset(*end)) continue;
        throw Failure(fmt::format(
            "end {} was reset without a cause; written {}, received {} of {} from {}", end->id,
            end->written, end->received, end->peer->written, end->peer->id));
    }
}

// No fault lasts as long as the patience of a connection. A server that takes no more goes beyond
// it, and two ends that are strangers to each other; and a black hole can, which takes several
// timeouts to be found, behind a cut, which makes round trips and so timeouts long.
void TcpRun::check_counters() const {
    if (has_connection_limit_ || has_black_hole_) return;
    for (const auto& end : book_.ends) {
        if (end->is_repeated) return;
    }
    for (const auto& host : hosts_) {
        if (host->counters().send_timeouts.read() != 0) {
            throw Failure("a connection was given up for lack of progress");
        }
    }
}

void TcpRun::check_memory() {
    for (const auto& host : hosts_) host->check_memory();
}

std::string TcpRun::dump() const {
    std::string text;
    for (const auto& host : hosts_) host->stack().dump(text);
    return text;
}

std::string TcpRun::summary() const {
    uint64_t written = 0;
    uint64_t received = 0;
    for (const auto& end : book_.ends) {
        written += end->written;
        received += end->received;
    }
    const NetworkCounters& net = network_.counters();
    return fmt::format(
        "{} ends, {} of {} bytes arrived, {} steps, frames: {} sent, {} lost, {} doubled, "
        "{} damaged, {} forged, {} overflowed, {} too big, {} cut",
        book_.ends.size(), received, written, steps_, net.sent, net.lost, net.duplicated,
        net.damaged, net.forged, net.overflowed, net.too_big, net.cut);
}

}  // namespace millrace::sim

#include "tcp_network.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace millrace::sim {

SimLink::SimLink(Network& network, uint32_t host, const LinkDraws& draws, BlockPool& blocks)
    : network_(network), host_(host), draws_(draws), blocks_(blocks) {
    facts_.mac = {{0x02, 0, 0, 0, 0, static_cast<uint8_t>(host + 1)}};
    facts_.mtu = draws.mtu;
    facts_.tx_ipv4_checksum = draws.offloads_checksum;
    facts_.tx_tcp_checksum = draws.offloads_checksum;
    facts_.tcp_segmentation = draws.offloads_segmentation;
    facts_.slices_max = draws.slices_max;
    facts_.name = "simulated";
    network.links_[host] = this;
}

SimLink::~SimLink() {
    for (Leaving& leaving : leaving_) drop_references(leaving.frame);
    network_.links_[host_] = nullptr;
}

void SimLink::drop_references(OutFrame& frame) {
    for (uint32_t part = 0; part < frame.slice_count; ++part) {
        if (network_.sabotage_ == Sabotage::keep_reference && !network_.was_altered_ &&
            network_.random_.below(50) == 0) {
            network_.was_altered_ = true;
            continue;
        }
        blocks_.release(*frame.slices[part].block);
    }
}

std::span<const InFrame> SimLink::receive() {
    views_.clear();
    constexpr size_t burst_max = 64;
    while (!inbox_.empty() && views_.size() < burst_max) {
        lent_.push_back(std::move(inbox_.front()));
        inbox_.pop_front();
        InFrame& view = views_.emplace_back();
        view.bytes = {lent_.back().bytes.get(), lent_.back().count};
        counters_.frames_in.add();
    }
    return views_;
}

void SimLink::release_received() { lent_.clear(); }

uint32_t SimLink::transmit(std::span<const OutFrame> frames) {
    uint32_t taken = 0;
    for (const OutFrame& frame : frames) {
        if (leaving_.size() >= draws_.device_frames_max) {
            counters_.transmit_full.add();
            break;
        }
        const auto delay_us = static_cast<uint32_t>(draws_.device_delay_max.to_us());
        Instant at = network_.now() + Duration::us(network_.random_.below(delay_us + 1));
        if (!leaving_.empty()) at = std::max(at, leaving_.back().at);
        leaving_.push_back({frame, at});
        counters_.frames_out.add();
        ++taken;
    }
    return taken;
}

void Network::note(const char* what, uint32_t from, Bytes frame) const {
    if (!traced_) return;
    fmt::print("{:>12.3f} ms {} {:<9} {}\n", static_cast<double>(now_.nanoseconds) / 1e6,
               from == 0 ? ">>" : "<<", what, frame_as_text(frame));
}

void Network::calm_down() {
    is_calm_ = true;
    for (Path& path : paths_) {
        PathFaults& faults = path.faults;
        faults.loss = faults.duplicate = faults.damage = faults.overtake = faults.forge = 0;
        faults.is_cut = false;
    }
}

Instant Network::next_event() const {
    Instant next = flying_.empty() ? Instant::never() : flying_.front().at;
    for (const SimLink* link : links_) {
        if (link != nullptr && !link->leaving_.empty()) {
            next = std::min(next, link->leaving_.front().at);
        }
    }
    return next;
}

std::array<bool, 2> Network::advance() {
    for (SimLink* link : links_) leave(*link);
    std::array<bool, 2> got{};
    while (!flying_.empty() && flying_.front().at <= now_) {
        std::pop_heap(flying_.begin(), flying_.end(), std::greater<>{});
        Flying flying = std::move(flying_.back());
        flying_.pop_back();
        note("arrives", 1 - flying.to, flying.bytes);
        const auto count = static_cast<uint32_t>(flying.bytes.size());
        auto exact = std::make_unique<uint8_t[]>(count);
        std::copy(flying.bytes.begin(), flying.bytes.end(), exact.get());
        links_[flying.to]->inbox_.push_back({std::move(exact), count});
        ++counters_.arrived;
        got[flying.to] = true;
    }
    return got;
}

void Network::leave(SimLink& link) {
    while (!link.leaving_.empty() && link.leaving_.front().at <= now_) {
        OutFrame& frame = link.leaving_.front().frame;
        for (FrameBytes& bytes : frames_of_device(frame)) send(link.host_, std::move(bytes));
        link.drop_references(frame);
        link.leaving_.pop_front();
    }
}

void Network::sabotage(FrameBytes& bytes) {
    if (was_altered_ || !is_tcp(bytes) || tcp_payload_bytes(bytes) == 0) return;
    if (sabotage_ != Sabotage::alter_bytes && sabotage_ != Sabotage::early_fin) return;
    if (random_.below(50) != 0) return;
    was_altered_ = true;
    if (sabotage_ == Sabotage::alter_bytes) alter_payload(bytes, random_);
    else add_fin(bytes);
}

void Network::send(uint32_t from, FrameBytes bytes) {
    Path& path = paths_[from];
    const PathFaults& faults = path.faults;
    note("leaves", from, bytes);
    ++counters_.sent;
    sabotage(bytes);
    if (is_calm_ && sabotage_ == Sabotage::deaf) return;
    if (faults.is_cut) {
        ++counters_.cut;
        return note("cut", from, bytes);
    }
    if (ip_packet_bytes(bytes) > faults.mtu) {
        ++counters_.too_big;
        note("too big", from, bytes);
        if (faults.tells_mtu && is_tcp(bytes)) {
            arrive_at(from, now_ + faults.delay, packet_too_big(bytes, faults.mtu));
        }
        return;
    }
    if (random_.chance(faults.loss)) {
        ++counters_.lost;
        return note("lost", from, bytes);
    }
    if (random_.chance(faults.forge) && is_tcp(bytes)) {
        ++counters_.forged;
        fly(from, forge(bytes, random_));
    }
    if (random_.chance(faults.duplicate)) {
        ++counters_.duplicated;
        fly(from, bytes);
    }
    if (random_.chance(faults.damage)) {
        ++counters_.damaged;
        damage(bytes, random_);
    }
    fly(from, std::move(bytes));
}

// A queue of so many bytes before a line of so many a second.
bool Network::passes_bottleneck(Path& path, uint32_t bytes) {
    const PathFaults& faults = path.faults;
    if (faults.bytes_a_second == 0) return true;
    path.free_at = std::max(path.free_at, now_);
    const Duration waits = path.free_at - now_;
    const double queued = waits.seconds() * static_cast<double>(faults.bytes_a_second);
    if (queued + bytes > faults.queue_bytes_max) return false;
    path.free_at = path.free_at + Duration::ns(static_cast<int64_t>(
        uint64_t{bytes} * 1'000'000'000 / faults.bytes_a_second));
    return true;
}

void Network::fly(uint32_t from, FrameBytes bytes) {
    Path& path = paths_[from];
    const PathFaults& faults = path.faults;
    if (!passes_bottleneck(path, static_cast<uint32_t>(bytes.size()))) {
        ++counters_.overflowed;
        return note("overflows", from, bytes);
    }
    Instant at = std::max(path.free_at, now_) + faults.delay;
    const auto jitter_us = static_cast<uint32_t>(faults.jitter.to_us());
    if (jitter_us > 0) at = at + Duration::us(random_.below(jitter_us));
    if (random_.chance(faults.overtake)) {
        at = at + Duration::us(random_.below(20'000)) + faults.delay;
    } else if (faults.keeps_order) {
        at = std::max(at, path.last_arrival);
        path.last_arrival = at;
    }
    arrive_at(1 - from, at, std::move(bytes));
}

void Network::arrive_at(uint32_t to, Instant at, FrameBytes bytes) {
    flying_.push_back({at, order_++, to, std::move(bytes)});
    std::push_heap(flying_.begin(), flying_.end(), std::greater<>{});
}

}  // namespace millrace::sim

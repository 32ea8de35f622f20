#include "runtime/mailbox.h"

#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "base/assert.h"
#include "runtime/mail_ring.h"

namespace millrace {

MailMesh::MailMesh() = default;
MailMesh::~MailMesh() = default;

Outcome<std::unique_ptr<MailMesh>> MailMesh::create(uint32_t shard_count, uint32_t ring_bytes) {
    constexpr uint32_t shard_count_max = 1024;
    constexpr uint32_t ring_bytes_min = 4096;
    constexpr uint32_t ring_bytes_max = 1u << 30;
    if (shard_count == 0 || shard_count > shard_count_max) {
        return fail(Errc::invalid_argument,
                    fmt::format("mailboxes: shard count is {}, accepted are 1 to {}", shard_count,
                                shard_count_max));
    }
    if (!std::has_single_bit(ring_bytes) || ring_bytes < ring_bytes_min ||
        ring_bytes > ring_bytes_max) {
        return fail(Errc::invalid_argument,
                    fmt::format("mailboxes: ring bytes are {}, accepted are powers of two from {} "
                                "to {}",
                                ring_bytes, ring_bytes_min, ring_bytes_max));
    }
    std::unique_ptr<MailMesh> mesh(new MailMesh);
    mesh->shard_count_ = shard_count;
    mesh->ring_bytes_ = ring_bytes;
    mesh->sleeps_ = std::make_unique<Sleep[]>(shard_count);
    for (uint32_t shard = 0; shard < shard_count; ++shard) {
        Outcome<Waker> waker = Waker::create();
        if (!waker) return tl::unexpected<Error>(waker.error());
        mesh->wakers_.push_back(std::move(*waker));
    }
    for (uint32_t from = 0; from <= shard_count; ++from) {
        for (uint32_t to = 0; to < shard_count; ++to) {
            mesh->rings_.push_back(from == to ? nullptr : MailRing::create(ring_bytes));
            if (from != to && mesh->rings_.back() == nullptr) {
                return fail(Errc::system,
                            fmt::format("mailboxes: cannot map a ring of {} bytes", ring_bytes));
            }
        }
    }
    return mesh;
}

MailMesh::Rings MailMesh::rings() const {
    Rings sum{};
    for (const std::unique_ptr<MailRing>& ring : rings_) {
        if (ring == nullptr) continue;
        sum.count += 1;
        sum.waiting_bytes += ring->waiting_bytes();
        sum.bytes += ring_bytes_;
    }
    return sum;
}

// Only one of the senders that find the shard asleep wakes it.
void MailMesh::wake_if_asleep(uint32_t shard) {
    std::atomic<bool>& sleeping = sleeps_[shard].sleeping;
    if (!sleeping.load(std::memory_order_seq_cst)) return;
    if (sleeping.exchange(false, std::memory_order_seq_cst)) wakers_[shard].wake();
}

struct Mailbox::Outgoing {
    Parcel* reserved = nullptr;  // set when what was reserved is a parcel
    Parcel* overflow_first = nullptr;
    Parcel* overflow_last = nullptr;
    uint64_t overflow_bytes = 0;
    bool active = false;  // stands in active_

    static uint64_t weight(const Parcel& parcel) { return record_bytes + parcel.length; }
};

Mailbox::Mailbox(MailMesh& mesh, uint32_t self)
    : mesh_(mesh), self_(self), outgoing_(std::make_unique<Outgoing[]>(mesh.shard_count())) {
    MR_ASSERT(self <= mesh.host_index());
    active_.reserve(mesh.shard_count());
    arrived_.reserve(mesh.shard_count());
}

Mailbox::~Mailbox() {
    for (uint32_t to = 0; to < mesh_.shard_count(); ++to) {
        Outgoing& outgoing = outgoing_[to];
        if (outgoing.reserved != nullptr) Parcel::destroy(outgoing.reserved);
        while (outgoing.overflow_first != nullptr) {
            Parcel* parcel = outgoing.overflow_first;
            outgoing.overflow_first = parcel->next;
            Parcel::destroy(parcel);
        }
    }
}

std::span<uint8_t> Mailbox::reserve(uint32_t to, uint32_t bytes) {
    MR_ASSERT(to < mesh_.shard_count());
    MR_ASSERT(to != self_);
    MR_ASSERT(reserved_to_ == nobody);
    reserved_to_ = to;
    MailRing& ring = mesh_.ring(self_, to);
    Outgoing& outgoing = outgoing_[to];
    // Behind what overflowed, even when the ring has room by now: mails keep their order.
    if (outgoing.overflow_first == nullptr && bytes <= ring.inline_bytes_max()) {
        uint8_t* room = ring.try_reserve_mail(bytes);
        if (room != nullptr) return {room, bytes};
    }
    outgoing.reserved = Parcel::make(bytes);
    return {outgoing.reserved->bytes(), bytes};
}

void Mailbox::post() {
    MR_ASSERT(reserved_to_ != nobody);
    const uint32_t to = reserved_to_;
    reserved_to_ = nobody;
    Outgoing& outgoing = outgoing_[to];
    if (!outgoing.active) {
        outgoing.active = true;
        active_.push_back(to);
    }
    Parcel* parcel = outgoing.reserved;
    outgoing.reserved = nullptr;
    MailRing& ring = mesh_.ring(self_, to);
    if (parcel == nullptr) {
        ring.commit_mail();
        return;
    }
    if (outgoing.overflow_first == nullptr && parcel->length > ring.inline_bytes_max() &&
        ring.try_push_parcel(parcel)) {
        return;
    }
    if (outgoing.overflow_first == nullptr)
        outgoing.overflow_first = parcel;
    else
        outgoing.overflow_last->next = parcel;
    outgoing.overflow_last = parcel;
    outgoing.overflow_bytes += Outgoing::weight(*parcel);
    overflow_bytes_total_ += Outgoing::weight(*parcel);
}

void Mailbox::flush(Instant now) {
    size_t kept = 0;
    for (const uint32_t to : active_) {
        MailRing& ring = mesh_.ring(self_, to);
        move_overflow(to);
        if (ring.publish(now)) mesh_.wake_if_asleep(to);
        Outgoing& outgoing = outgoing_[to];
        outgoing.active = outgoing.overflow_first != nullptr;
        if (outgoing.active) active_[kept++] = to;
    }
    active_.resize(kept);
}

void Mailbox::move_overflow(uint32_t to) {
    MailRing& ring = mesh_.ring(self_, to);
    Outgoing& outgoing = outgoing_[to];
    while (outgoing.overflow_first != nullptr) {
        Parcel* parcel = outgoing.overflow_first;
        Parcel* next = parcel->next;
        const uint64_t weight = Outgoing::weight(*parcel);
        if (parcel->length > ring.inline_bytes_max()) {
            if (!ring.try_push_parcel(parcel)) return;
        } else {
            uint8_t* room = ring.try_reserve_mail(parcel->length);
            if (room == nullptr) return;
            std::memcpy(room, parcel->bytes(), parcel->length);
            ring.commit_mail();
            Parcel::destroy(parcel);
        }
        outgoing.overflow_first = next;
        outgoing.overflow_bytes -= weight;
        overflow_bytes_total_ -= weight;
    }
}

uint64_t Mailbox::overflow_bytes(uint32_t to) const {
    return outgoing_[to].overflow_bytes;
}

bool Mailbox::begin_sleep() {
    MR_ASSERT(self_ < mesh_.shard_count());
    mesh_.sleeps_[self_].sleeping.store(true, std::memory_order_seq_cst);
    if (may_sleep()) return true;
    end_sleep();
    return false;
}

bool Mailbox::may_sleep() {
    for (const uint32_t to : active_) {
        const Outgoing& outgoing = outgoing_[to];
        MailRing& ring = mesh_.ring(self_, to);
        // A receiver can't make room by reading what was posted and never flushed.
        if (outgoing.overflow_first == nullptr || !ring.is_published()) return false;
        ring.producer_waits().store(true, std::memory_order_seq_cst);
        if (ring.has_room(outgoing.overflow_first->length)) return false;
    }
    for (uint32_t from = 0; from <= mesh_.shard_count(); ++from) {
        if (from != self_ && !mesh_.ring(from, self_).is_empty_for_sleep()) return false;
    }
    return true;
}

void Mailbox::end_sleep() {
    mesh_.sleeps_[self_].sleeping.store(false, std::memory_order_seq_cst);
    for (const uint32_t to : active_) {
        mesh_.ring(self_, to).producer_waits().store(false, std::memory_order_relaxed);
    }
}

bool Mailbox::has_mail() {
    for (uint32_t from = 0; from <= mesh_.shard_count(); ++from) {
        if (from != self_ && front(from).data() != nullptr) return true;
    }
    return false;
}

void Mailbox::find_arrived(Instant now) {
    MR_ASSERT(self_ < mesh_.shard_count());
    arrived_.clear();
    for (uint32_t from = 0; from <= mesh_.shard_count(); ++from) {
        if (from == self_) continue;
        MailRing& ring = mesh_.ring(from, self_);
        if (ring.front().data() == nullptr || ring.front_published() > now) continue;
        arrived_.push_back({ring.front_published(), from});
    }
}

Bytes Mailbox::front(uint32_t from) {
    return mesh_.ring(from, self_).front();
}

void Mailbox::pop(Arrived& sender, Instant now) {
    MailRing& ring = mesh_.ring(sender.from, self_);
    ring.pop();
    if (ring.front().data() != nullptr && ring.front_published() <= now) {
        sender.published = ring.front_published();
        return;
    }
    sender = arrived_.back();
    arrived_.pop_back();
}

void Mailbox::release() {
    for (uint32_t from = 0; from <= mesh_.shard_count(); ++from) {
        if (from == self_ || !mesh_.ring(from, self_).release()) continue;
        if (from < mesh_.shard_count()) mesh_.wake_if_asleep(from);
    }
}

}  // namespace millrace

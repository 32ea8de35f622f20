#include "runtime/mail_ring.h"

#include <cstring>
#include <new>

#include <sys/mman.h>

#include "base/assert.h"
#include "runtime/cold_memory.h"

namespace millrace {

Parcel* Parcel::make(uint32_t length) {
    void* memory = cold_allocate(sizeof(Parcel) + length);
    MR_ASSERT(memory != nullptr);
    return new (memory) Parcel{.next = nullptr, .length = length, .unused = 0};
}

void Parcel::destroy(Parcel* parcel) {
    cold_free(parcel);
}

std::unique_ptr<MailRing> MailRing::create(uint32_t ring_bytes) {
    std::unique_ptr<MailRing> ring(new MailRing(ring_bytes));
    void* memory = ::mmap(nullptr, ring_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    ring->memory_ = static_cast<uint8_t*>(memory);
    return ring;
}

MailRing::~MailRing() {
    if (memory_ == nullptr) return;
    // Both threads are gone: parcels under way, published or not, are freed here.
    while (read_ != written_) {
        Record* record = record_at(read_);
        if (record->kind == Kind::parcel) Parcel::destroy(parcel_of(record));
        read_ += whole(record->length);
    }
    ::munmap(memory_, ring_bytes_);
}

Parcel* MailRing::parcel_of(Record* record) {
    Parcel* parcel = nullptr;
    std::memcpy(&parcel, record + 1, sizeof(parcel));
    return parcel;
}

uint64_t MailRing::end_of(uint64_t position, uint32_t length) const {
    const uint64_t rest = ring_bytes_ - (position & (ring_bytes_ - 1));
    return position + whole(length) + (rest < whole(length) ? rest : 0);
}

uint64_t MailRing::end_of_stamp() const {
    return is_published() ? end_of(written_, sizeof(Instant)) : written_;
}

bool MailRing::room_until(uint64_t end) {
    if (end - head_seen_ <= ring_bytes_) return true;
    head_seen_ = head_.load(std::memory_order_acquire);
    return end - head_seen_ <= ring_bytes_;
}

uint8_t* MailRing::write_record(uint64_t position, uint32_t length, Kind kind) {
    const uint64_t begin = end_of(position, length) - whole(length);
    if (begin != position) {
        *record_at(position) = {static_cast<uint32_t>(begin - position - sizeof(Record)),
                                Kind::wrap};
    }
    Record* record = record_at(begin);
    *record = {length, kind};
    return reinterpret_cast<uint8_t*>(record + 1);
}

uint8_t* MailRing::place(uint32_t length, Kind kind) {
    const uint64_t begin = end_of_stamp();
    const uint64_t end = end_of(begin, length);
    if (!room_until(end)) return nullptr;
    if (begin != written_) {
        uint8_t* bytes = write_record(written_, sizeof(Instant), Kind::stamp);
        stamp_ = reinterpret_cast<Instant*>(bytes);
    }
    reserved_end_ = end;
    return write_record(begin, length, kind);
}

uint8_t* MailRing::try_reserve_mail(uint32_t length) {
    return place(length, Kind::mail);
}

void MailRing::commit_mail() {
    written_ = reserved_end_;
}

// The first parcel always goes, however long; with others under way, their sum is bounded.
bool MailRing::try_push_parcel(Parcel* parcel) {
    const uint64_t under_way =
        parcel_bytes_sent_ - parcel_bytes_done_.load(std::memory_order_acquire);
    if (under_way != 0 && under_way + parcel->length > 4 * uint64_t{ring_bytes_}) return false;
    uint8_t* bytes = place(sizeof(parcel), Kind::parcel);
    if (bytes == nullptr) return false;
    std::memcpy(bytes, &parcel, sizeof(parcel));
    parcel_bytes_sent_ += parcel->length;
    commit_mail();
    return true;
}

bool MailRing::has_room(uint32_t length) {
    head_seen_ = head_.load(std::memory_order_seq_cst);
    if (length <= inline_bytes_max()) return room_until(end_of(end_of_stamp(), length));
    const uint64_t under_way =
        parcel_bytes_sent_ - parcel_bytes_done_.load(std::memory_order_acquire);
    if (under_way != 0 && under_way + length > 4 * uint64_t{ring_bytes_}) return false;
    return room_until(end_of(end_of_stamp(), sizeof(Parcel*)));
}

bool MailRing::publish(Instant now) {
    if (is_published()) return false;
    *stamp_ = now;
    tail_.store(written_, std::memory_order_seq_cst);
    return true;
}

Bytes MailRing::front() {
    while (true) {
        if (read_ == tail_seen_) {
            tail_seen_ = tail_.load(std::memory_order_acquire);
            if (read_ == tail_seen_) return {};
        }
        Record* record = record_at(read_);
        switch (record->kind) {
            case Kind::mail:
                return {reinterpret_cast<uint8_t*>(record + 1), record->length};
            case Kind::parcel: {
                Parcel* parcel = parcel_of(record);
                return {parcel->bytes(), parcel->length};
            }
            case Kind::stamp:
                front_published_ = *reinterpret_cast<Instant*>(record + 1);
                read_ += whole(record->length);
                break;
            case Kind::wrap:
                read_ += whole(record->length);
                break;
        }
    }
}

void MailRing::pop() {
    Record* record = record_at(read_);
    if (record->kind == Kind::parcel) {
        Parcel* parcel = parcel_of(record);
        const uint64_t done = parcel_bytes_done_.load(std::memory_order_relaxed);
        parcel_bytes_done_.store(done + parcel->length, std::memory_order_release);
        Parcel::destroy(parcel);
    }
    read_ += whole(record->length);
}

bool MailRing::release() {
    if (head_.load(std::memory_order_relaxed) == read_) return false;
    head_.store(read_, std::memory_order_seq_cst);
    return producer_waits_.load(std::memory_order_seq_cst);
}

bool MailRing::is_empty_for_sleep() const {
    return tail_.load(std::memory_order_seq_cst) == read_;
}

}  // namespace millrace

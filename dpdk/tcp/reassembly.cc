#include "tcp/reassembly.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tcp/segment.h"

namespace millrace {

namespace {

// A chunk that goes on where another ends has room for twice as much, up to this: a long run of
// small segments makes few chunks.
constexpr uint32_t grown_bytes_max = 16 * 1024;

constexpr uint32_t header_bytes = sizeof(ReassemblyChunk);

ReassemblyChunk* try_make_chunk(Heap& heap, SeqNumber seq, uint32_t bytes) {
    const uint32_t whole = Heap::rounded(header_bytes + bytes);
    void* memory = heap.try_allocate(whole);
    if (memory == nullptr) return nullptr;
    return new (memory) ReassemblyChunk{nullptr, seq, 0, whole - header_bytes, 0};
}

uint32_t spare_bytes(const ReassemblyChunk& chunk) { return chunk.capacity - chunk.length; }

// What to ask for when `bytes` go on where `before`, which is full, ends.
uint32_t grown_bytes(const ReassemblyChunk& before, uint32_t bytes) {
    const uint32_t doubled = std::min(2 * before.capacity, grown_bytes_max - header_bytes);
    return std::max(bytes, doubled);
}

}  // namespace

void Reassembly::free_chunk(Heap& heap, ReassemblyChunk* chunk) {
    heap.free(chunk, header_bytes + chunk->capacity);
}

Reassembly::Arrival Reassembly::locate(SeqNumber seq, Bytes bytes) {
    Arrival arrival{nullptr, first_, seq, bytes};
    while (arrival.after != nullptr && arrival.after->seq <= seq) {
        arrival.before = arrival.after;
        arrival.after = arrival.after->next;
    }
    const ReassemblyChunk* before = arrival.before;
    if (before != nullptr && before->end() > seq) {
        const uint32_t known = before->end() - seq;
        arrival.bytes = bytes.subspan(std::min<size_t>(known, bytes.size()));
        arrival.seq = before->end();
    }
    while (arrival.after != nullptr && !arrival.bytes.empty() &&
           arrival.after->end() <= arrival.end()) {
        arrival.after = arrival.after->next;
    }
    const ReassemblyChunk* after = arrival.after;
    if (after != nullptr && !arrival.bytes.empty() && after->seq < arrival.end()) {
        arrival.bytes = arrival.bytes.first(after->seq - arrival.seq);
    }
    return arrival;
}

// Of `arrival`'s, those in the chunks that it covers.
uint32_t Reassembly::bytes_known(const Arrival& arrival) {
    uint32_t known = 0;
    for (const ReassemblyChunk* chunk = link_after(arrival.before); chunk != arrival.after;
         chunk = chunk->next) {
        known += chunk->length;
    }
    return known;
}

// The bytes of the segment that began at `seq` are all here, in one run of chunks. That is still
// the run whose arrival is the most recent (RFC 2018, 4: the segment that triggers the ACK).
bool Reassembly::touch_known(const Arrival& arrival, SeqNumber seq) {
    ReassemblyChunk* before = arrival.before;
    ReassemblyChunk* holder =
        before != nullptr && before->end() > seq ? before : link_after(before);
    MR_ASSERT(holder != nullptr);
    holder->arrival = ++arrivals_;
    return true;
}

bool Reassembly::insert(Heap& heap, SeqNumber seq, Bytes bytes) {
    if (bytes.empty()) return true;
    Arrival arrival = locate(seq, bytes);
    if (arrival.bytes.empty()) return touch_known(arrival, seq);
    const uint32_t length = static_cast<uint32_t>(arrival.bytes.size());
    const uint32_t news = length - bytes_known(arrival);
    if (news == 0) return touch_known(arrival, seq);

    ReassemblyChunk* before = arrival.before;
    const bool goes_on = before != nullptr && before->end() == arrival.seq;
    const uint32_t appended = goes_on ? std::min(spare_bytes(*before), length) : 0;
    const uint32_t rest = length - appended;
    const SeqNumber rest_seq = arrival.seq + appended;
    ReassemblyChunk* fresh = nullptr;
    if (rest > 0) {
        fresh = try_make_chunk(heap, rest_seq, goes_on ? grown_bytes(*before, rest) : rest);
        if (fresh == nullptr) return false;
        if (!make_room(heap, arrival)) {
            free_chunk(heap, fresh);
            return false;
        }
    }
    ++arrivals_;
    if (appended > 0) {
        copy(arrival, {arrival.seq, rest_seq}, before->bytes() + before->length);
        before->length += appended;
        before->arrival = arrivals_;
    }
    if (fresh != nullptr) {
        copy(arrival, {rest_seq, arrival.end()}, fresh->bytes());
        fresh->length = rest;
        fresh->arrival = arrivals_;
    }
    drop_covered(heap, arrival);
    bytes_held_ += length;
    if (fresh != nullptr) {
        fresh->next = arrival.after;
        link_after(before) = fresh;
    }
    return true;
}

// Whether there may be a chunk more, in place of those that `arrival` covers.
bool Reassembly::make_room(Heap& heap, const Arrival& arrival) {
    const bool covers = link_after(arrival.before) != arrival.after;
    if (covers) return true;
    uint32_t count = 0;
    for (const ReassemblyChunk* chunk = first_; chunk != nullptr; chunk = chunk->next) ++count;
    if (count < chunks_spare + bytes_held_ / bytes_per_chunk) return true;
    if (arrival.before != nullptr) return false;
    MR_ASSERT(arrival.after->next != nullptr);  // of many, the first isn't the last
    drop_last(heap);
    return true;
}

// Writes `part` of the arrival, with the bytes that were here before it where there are some.
void Reassembly::copy(const Arrival& arrival, SeqRange part, uint8_t* to) {
    std::memcpy(to, arrival.bytes.data() + (part.begin - arrival.seq), part.bytes());
    for (ReassemblyChunk* chunk = link_after(arrival.before); chunk != arrival.after;
         chunk = chunk->next) {
        const SeqNumber from = later(chunk->seq, part.begin);
        const SeqNumber until = earlier(chunk->end(), part.end);
        if (from >= until) continue;
        std::memcpy(to + (from - part.begin), chunk->bytes() + (from - chunk->seq), until - from);
    }
}

void Reassembly::drop_covered(Heap& heap, const Arrival& arrival) {
    ReassemblyChunk*& link = link_after(arrival.before);
    while (link != arrival.after) {
        ReassemblyChunk* chunk = link;
        link = chunk->next;
        bytes_held_ -= chunk->length;
        free_chunk(heap, chunk);
    }
}

void Reassembly::drop_last(Heap& heap) {
    ReassemblyChunk** link = &first_;
    while ((*link)->next != nullptr) link = &(*link)->next;
    bytes_held_ -= (*link)->length;
    free_chunk(heap, *link);
    *link = nullptr;
}

Bytes Reassembly::before_all(SeqNumber seq, Bytes bytes) const {
    if (first_ == nullptr || seq + static_cast<uint32_t>(bytes.size()) <= first_->seq) return bytes;
    return bytes.first(seq < first_->seq ? first_->seq - seq : 0);
}

SeqNumber Reassembly::contiguous_from(SeqNumber rcv_nxt) const {
    for (const ReassemblyChunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
        if (chunk->seq > rcv_nxt) break;
        rcv_nxt = later(rcv_nxt, chunk->end());
    }
    return rcv_nxt;
}

ReassemblyChunk* Reassembly::take_ready(SeqNumber rcv_nxt) {
    if (!has_ready(rcv_nxt)) return nullptr;
    ReassemblyChunk* chunk = first_;
    MR_ASSERT(chunk->end() <= rcv_nxt);
    first_ = chunk->next;
    bytes_held_ -= chunk->length;
    chunk->next = nullptr;
    return chunk;
}

uint32_t Reassembly::ready_bytes(SeqNumber rcv_nxt) const {
    uint32_t bytes = 0;
    for (const ReassemblyChunk* chunk = first_; chunk != nullptr && chunk->seq < rcv_nxt;
         chunk = chunk->next) {
        bytes += earlier(chunk->end(), rcv_nxt) - chunk->seq;
    }
    return bytes;
}

uint32_t Reassembly::sack_blocks(SeqNumber rcv_nxt, std::span<SeqRange> room) const {
    const uint32_t room_count =
        std::min<uint32_t>(static_cast<uint32_t>(room.size()), TcpOptions::sack_blocks_max);
    std::array<uint32_t, TcpOptions::sack_blocks_max> ages{};  // of the blocks in `room`
    uint32_t count = 0;
    const ReassemblyChunk* chunk = first_;
    while (chunk != nullptr) {
        SeqRange block{chunk->seq, chunk->end()};
        uint32_t age = arrivals_ - chunk->arrival;
        for (chunk = chunk->next; chunk != nullptr && chunk->seq == block.end;
             chunk = chunk->next) {
            block.end = chunk->end();
            age = std::min(age, arrivals_ - chunk->arrival);
        }
        if (block.begin <= rcv_nxt) continue;
        uint32_t place = count;
        while (place > 0 && age < ages[place - 1]) --place;
        if (place >= room_count) continue;
        count = std::min(count + 1, room_count);
        for (uint32_t index = count - 1; index > place; --index) {
            room[index] = room[index - 1];
            ages[index] = ages[index - 1];
        }
        room[place] = block;
        ages[place] = age;
    }
    return count;
}

void Reassembly::clear(Heap& heap) {
    while (first_ != nullptr) {
        ReassemblyChunk* chunk = first_;
        first_ = chunk->next;
        free_chunk(heap, chunk);
    }
    bytes_held_ = 0;
}

}  // namespace millrace

#include "stack/neighbor.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace millrace {

NeighborTable::NeighborTable(const Options& options)
    : options_(options),
      bucket_mask_(std::bit_ceil(std::max<uint32_t>(options.count_max, 1)) - 1),
      entries_(std::make_unique<Entry[]>(std::max<uint32_t>(options.count_max, 1))),
      buckets_(std::make_unique<uint32_t[]>(bucket_mask_ + 1)) {
    std::fill_n(buckets_.get(), bucket_mask_ + 1, none);
}

uint32_t NeighborTable::bucket_of(const IpAddress& address) const {
    return static_cast<uint32_t>(XXH3_64bits_withSeed(address.octets.data(), address.octets.size(),
                                                      options_.secret.value)) &
           bucket_mask_;
}

uint32_t NeighborTable::find(const IpAddress& address) const {
    uint32_t index = buckets_[bucket_of(address)];
    while (index != none && entries_[index].address != address) {
        index = entries_[index].next_in_bucket;
    }
    return index;
}

void NeighborTable::take_from_bucket(uint32_t index) {
    uint32_t* link = &buckets_[bucket_of(entries_[index].address)];
    while (*link != index) link = &entries_[*link].next_in_bucket;
    *link = entries_[index].next_in_bucket;
}

void NeighborTable::unlink(uint32_t index) {
    const Entry& entry = entries_[index];
    if (entry.newer != none) entries_[entry.newer].older = entry.older;
    else newest_ = entry.older;
    if (entry.older != none) entries_[entry.older].newer = entry.newer;
    else oldest_ = entry.newer;
}

void NeighborTable::put_newest(uint32_t index) {
    Entry& entry = entries_[index];
    entry.newer = none;
    entry.older = newest_;
    if (newest_ != none) entries_[newest_].newer = index;
    else oldest_ = index;
    newest_ = index;
}

uint32_t NeighborTable::make(const IpAddress& address) {
    uint32_t index = count_;
    if (count_ < std::max<uint32_t>(options_.count_max, 1)) {
        ++count_;
    } else {
        index = oldest_;
        unlink(index);
        take_from_bucket(index);
    }
    entries_[index] = Entry{};
    entries_[index].address = address;
    uint32_t& first = buckets_[bucket_of(address)];
    entries_[index].next_in_bucket = first;
    first = index;
    put_newest(index);
    return index;
}

void NeighborTable::start_questions(Entry& entry, Instant now) {
    entry.state = State::asked;
    entry.questions = 0;
    entry.ask_at = now;
}

NeighborTable::Answer NeighborTable::resolve(const IpAddress& address, Instant now) {
    uint32_t index = find(address);
    if (index == none) {
        index = make(address);
        start_questions(entries_[index], now);
    } else if (newest_ != index) {
        unlink(index);
        put_newest(index);
    }
    Entry& entry = entries_[index];
    switch (entry.state) {
    case State::known:
        return answer_known(entry, now);
    case State::failed:
        if (now < entry.ask_at) return {State::failed, {}, false};
        start_questions(entry, now);
        return answer_asked(entry, now);
    case State::asked:
        return answer_asked(entry, now);
    case State::unknown:
        break;
    }
    MR_UNREACHABLE();
}

// RFC 4861, 7.2.2: a second between questions, three at most.
NeighborTable::Answer NeighborTable::answer_asked(Entry& entry, Instant now) const {
    if (now < entry.ask_at) return {State::asked, {}, false};
    entry.ask_at = now + options_.question_interval;
    if (entry.questions >= options_.question_count_max) {
        entry.state = State::failed;
        return {State::failed, {}, false};
    }
    ++entry.questions;
    return {State::asked, {}, true};
}

// In use while it's asked again (RFC 4861, 7.3.3: PROBE); nobody there: it's unknown again.
NeighborTable::Answer NeighborTable::answer_known(Entry& entry, Instant now) const {
    if (now < entry.good_until) return {State::known, entry.mac, false};
    if (now < entry.ask_at) return {State::known, entry.mac, false};
    if (entry.questions >= options_.question_count_max) {
        start_questions(entry, now);
        return answer_asked(entry, now);
    }
    ++entry.questions;
    entry.ask_at = now + options_.question_interval;
    return {State::known, entry.mac, true};
}

bool NeighborTable::learn(const IpAddress& address, const MacAddress& mac, bool is_answer,
                          Instant now) {
    if (mac.is_multicast() || mac.is_zero()) return false;
    const uint32_t index = find(address);
    if (index == none) return false;
    Entry& entry = entries_[index];
    const bool is_same = entry.state == State::known && entry.mac == mac;
    // An announcement that says what we know doesn't prove that we're heard there.
    if (is_same && !is_answer) return false;
    entry.state = State::known;
    entry.mac = mac;
    entry.questions = 0;
    entry.good_until = now + options_.reachable;
    entry.ask_at = entry.good_until;
    return true;
}

std::optional<MacAddress> NeighborTable::peek(const IpAddress& address) const {
    const uint32_t index = find(address);
    if (index == none || entries_[index].state != State::known) return std::nullopt;
    return entries_[index].mac;
}

}  // namespace millrace

#include "admin/api/trace_desk.h"

#include <algorithm>

#include "base/assert.h"

namespace millrace {

TraceDesk::TraceDesk(uint32_t shard_count) : shard_count_(shard_count) {}

std::optional<TraceDesk::Row> TraceDesk::start(Moment at, Wish wish) {
    const std::lock_guard<std::mutex> lock(mutex_);
    while (rings_.size() < shard_count_) rings_.push_back(std::make_unique<TraceRing>(ring_bytes));
    collect(at);
    if (traces_.size() == traces_max) {
        const auto oldest = std::find_if(traces_.begin(), traces_.end(),
                                         [](const Trace& trace) { return trace.row.ended; });
        if (oldest == traces_.end()) return std::nullopt;
        traces_.erase(oldest);
    }
    const uint32_t slot = free_slot();
    const Instant ends = at.now + Duration::s(wish.seconds);
    Row row{++last_id_, std::move(wish), at.wall_s};
    traces_.push_back({std::move(row), slot, ends, lost_in_rings(slot), {}});
    return traces_.back().row;
}

uint32_t TraceDesk::free_slot() const {
    for (uint32_t slot = 0; slot < traces_max; ++slot) {
        if (std::none_of(traces_.begin(), traces_.end(),
                         [&](const Trace& trace) { return trace.slot == slot; })) {
            return slot;
        }
    }
    MR_UNREACHABLE();
}

bool TraceDesk::remove(Moment at, uint32_t id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    collect(at);
    return std::erase_if(traces_, [&](const Trace& trace) { return trace.row.id == id; }) > 0;
}

std::shared_ptr<const TraceList> TraceDesk::list(Moment at) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto list = std::make_shared<TraceList>();
    for (const auto& ring : rings_) list->rings.push_back(ring.get());
    for (const Trace& trace : traces_) {
        if (trace.ends <= at.now) continue;
        const Wish& wish = trace.row.wish;
        list->targets.push_back(
            {trace.row.id, trace.slot, wish.by, wish.text, wish.payload_bytes_max, trace.ends});
    }
    return list;
}

std::vector<TraceDesk::Row> TraceDesk::rows(Moment at) {
    const std::lock_guard<std::mutex> lock(mutex_);
    collect(at);
    std::vector<Row> rows;
    for (const Trace& trace : traces_) rows.push_back(trace.row);
    return rows;
}

std::optional<TraceDesk::Page> TraceDesk::page(Moment at, uint32_t id, uint64_t after,
                                               uint32_t limit) {
    const std::lock_guard<std::mutex> lock(mutex_);
    collect(at);
    const Trace* trace = find(id);
    if (trace == nullptr) return std::nullopt;
    Page page;
    page.next = after;
    page.lost = trace->row.lost;
    for (const Event& event : trace->events) {
        if (event.number <= after) continue;
        if (page.events.size() == limit) break;
        page.events.push_back(event);
        page.next = event.number;
    }
    const bool is_settled = std::none_of(settling_.begin(), settling_.end(), [&](const Event& event) {
        return event.seen.trace == id;
    });
    page.ended = at.now >= trace->ends + settling && is_settled && page.next >= trace->last_number;
    return page;
}

TraceDesk::Trace* TraceDesk::find(uint32_t id) {
    const auto place = std::find_if(traces_.begin(), traces_.end(),
                                    [&](const Trace& trace) { return trace.row.id == id; });
    return place == traces_.end() ? nullptr : &*place;
}

void TraceDesk::collect(Moment at) {
    for (const auto& ring : rings_) {
        ring->drain([&](const uint8_t* record) {
            const TraceEvent seen = read_record(record);
            settling_.push_back({0, at.wall_s - (at.now - seen.time).seconds(), seen,
                                 std::string(seen.client_id), std::string(seen.topic),
                                 std::string(as_text(seen.data))});
        });
    }
    std::stable_sort(settling_.begin(), settling_.end(), [](const Event& a, const Event& b) {
        return a.seen.time < b.seen.time;
    });
    const auto young = std::find_if(settling_.begin(), settling_.end(), [&](const Event& event) {
        return event.seen.time + settling > at.now;
    });
    for (auto event = settling_.begin(); event != young; ++event) keep(std::move(*event));
    settling_.erase(settling_.begin(), young);
    for (Trace& trace : traces_) look_at(trace, at);
}

// Of a trace that has been removed: nobody wants it.
void TraceDesk::keep(Event event) {
    Trace* trace = find(event.seen.trace);
    if (trace == nullptr) return;
    event.number = ++trace->last_number;
    trace->bytes += event.bytes();
    trace->events.push_back(std::move(event));
    while (trace->bytes > bytes_max) {
        trace->bytes -= trace->events.front().bytes();
        trace->events.pop_front();
    }
}

uint64_t TraceDesk::lost_in_rings(uint32_t slot) const {
    uint64_t lost = 0;
    for (const auto& ring : rings_) lost += ring->lost(slot);
    return lost;
}

void TraceDesk::look_at(Trace& trace, Moment at) {
    trace.row.events = trace.last_number;
    trace.row.lost = lost_in_rings(trace.slot) - trace.lost_before + trace.last_number -
                     trace.events.size();
    trace.row.ended = at.now >= trace.ends;
}

}  // namespace millrace

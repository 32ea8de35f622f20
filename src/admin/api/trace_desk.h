// The traces that somebody asked for, and what they have seen: reads the rings that shards write.
// Owned by: the routes (trace_routes.h), longer than any shard runs. Thread: any.
// Holds:    8 traces at most; who has ended makes room for a new one, the oldest first. Events have
//           numbers from 1 on, in the order of their times, whichever shard they are from. A trace
//           keeps its newest `bytes_max` of events; what goes is counted as lost, as what found no
//           room in a ring.
// Not here: giving the list to the shards, JSON, reading a clock.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/trace_event.h"
#include "broker/trace_list.h"

namespace millrace {

class TraceDesk {
public:
    static constexpr uint32_t traces_max = TraceRing::slots_max;
    static constexpr uint32_t ring_bytes = 256 * 1024;
    static constexpr size_t bytes_max = 4 * 1024 * 1024;
    // Events this old have come from every shard.
    static constexpr Duration settling = Duration::ms(20);

    struct Moment {
        Instant now;
        double wall_s;  // the same, since the epoch
    };
    struct Wish {
        TraceTarget::By by = TraceTarget::By::client_id;
        std::string text;
        uint32_t seconds = 60;
        uint32_t payload_bytes_max = 256;
    };
    struct Row {
        uint32_t id = 0;
        Wish wish;
        double started_s = 0;
        uint64_t events = 0;
        uint64_t lost = 0;
        bool ended = false;
    };
    struct Event {
        uint64_t number = 0;
        double time_s = 0;
        TraceEvent seen;  // its texts are these
        std::string client_id, topic, data;

        size_t bytes() const { return sizeof(*this) + client_id.size() + topic.size() + data.size(); }
    };
    struct Page {
        std::vector<Event> events;
        uint64_t next = 0;   // to go on after
        uint64_t lost = 0;
        bool ended = false;  // no more will come
    };

    explicit TraceDesk(uint32_t shard_count);

    // Empty: so many run already. The new list() is to be given to every shard, after remove() too.
    std::optional<Row> start(Moment at, Wish wish);
    bool remove(Moment at, uint32_t id);
    std::shared_ptr<const TraceList> list(Moment at);

    std::vector<Row> rows(Moment at);
    // Those with a number above `after`. Empty: there's no such trace.
    std::optional<Page> page(Moment at, uint32_t id, uint64_t after, uint32_t limit);

private:
    struct Trace {
        Row row;
        uint32_t slot;
        Instant ends;
        uint64_t lost_before;     // in its slot's rings, when it began
        std::deque<Event> events;
        size_t bytes = 0;
        uint64_t last_number = 0;
    };

    void collect(Moment at);
    void keep(Event event);
    uint64_t lost_in_rings(uint32_t slot) const;
    void look_at(Trace& trace, Moment at);
    Trace* find(uint32_t id);
    uint32_t free_slot() const;

    std::mutex mutex_;                               // held for all that follows
    std::vector<std::unique_ptr<TraceRing>> rings_;  // by shard; made with the first trace
    const uint32_t shard_count_;
    std::deque<Trace> traces_;                       // the oldest first
    std::vector<Event> settling_;                    // too young to have a number, by time
    uint32_t last_id_ = 0;
};

}  // namespace millrace

// All sessions of a shard, some at a time: a walk that may stop anywhere and go on in a later turn,
// or with the next page of a list.
// Owned by: the task that walks, on the shard while it steps.
// Holds:    a session that is there from the walk's begin to its end is taken exactly once.
// Not here: what is done with a session.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "broker/session_table.h"
#include "broker/shard_task.h"

namespace millrace {

enum class Taken : uint8_t {
    done,    // on to the next
    again,   // not done with this one: it comes first in the next step
    full,    // nothing more is wanted; the walk goes on from this one, if ever
};

// How much text a page has copied: names may have 64 KiB each.
class TextBudget {
public:
    void begin_step() { step_bytes_ = 0; }
    void add(size_t bytes) {
        step_bytes_ += bytes;
        page_bytes_ += bytes;
    }
    // `done` while there's room for more; at least one name fits into any step and page.
    Taken room() const {
        if (page_bytes_ >= ShardTask::text_bytes_per_page) return Taken::full;
        return step_bytes_ >= ShardTask::text_bytes_per_step ? Taken::again : Taken::done;
    }

private:
    size_t step_bytes_ = 0;
    size_t page_bytes_ = 0;
};

class SessionWalk {
public:
    // 0, or the place of an earlier walk.
    explicit SessionWalk(uint64_t place) : place_(place) {}

    // Calls take(Session&), which returns Taken and may do anything but make or end sessions. True
    // when the walk is over: it's full, has come to its end, or has looked at enough.
    template <class Take>
    bool step(SessionTable& sessions, Take&& take) {
        for (uint32_t left = ShardTask::elements_per_step; left > 0;) {
            const uint64_t next = collect(sessions);
            for (Session* session : found_) {
                const Taken taken = take(*session);
                if (taken == Taken::done) continue;
                place_ = SessionTable::place_of(*session);
                return taken == Taken::full;
            }
            place_ = next;
            is_at_end_ = next == 0;
            const auto looked = static_cast<uint32_t>(found_.size()) + 1;
            looked_ += looked;
            if (is_at_end_ || looked_ >= ShardTask::looks_per_page_max) return true;
            left -= std::min(left, looked);
        }
        return false;
    }

    // Where a later walk goes on; empty when this one has come to its end.
    std::optional<uint64_t> rest() const {
        return is_at_end_ ? std::nullopt : std::optional(place_);
    }

private:
    // Of one bucket those from `place_` on, in the walk's order.
    uint64_t collect(SessionTable& sessions) {
        found_.clear();
        const uint64_t next = sessions.for_each_at(place_, [&](Session& session) {
            if (SessionTable::place_of(session) >= place_) found_.push_back(&session);
        });
        std::sort(found_.begin(), found_.end(), [](const Session* a, const Session* b) {
            return SessionTable::place_of(*a) < SessionTable::place_of(*b);
        });
        return next;
    }

    uint64_t place_;
    uint32_t looked_ = 0;
    bool is_at_end_ = false;
    std::vector<Session*> found_;   // valid within a step
};

}  // namespace millrace

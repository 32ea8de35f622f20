// The day's memory snapshots: taken by the hour and on request, compared on request.
// Owned by: the admin listener. Thread: any; who asks waits for the disk, so not a thread that
//           serves others.
// Holds:    a snapshot is taken off the ledgers' counters: no shard waits or is asked.
// Not here: HTTP.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/history_ring.h"
#include "admin/memory_snapshot.h"
#include "admin/periodic.h"
#include "millrace/config.h"

namespace millrace {

class MemoryHistory {
public:
    // Without admin.history_dir nothing is kept: keep() and what it needs answer Errc::unsupported.
    static Outcome<std::unique_ptr<MemoryHistory>> open(const AdminOptions& options,
                                                        const AdminSubject& subject);

    bool keeps() const { return ring_ != nullptr; }
    MemorySnapshot now() const { return take_memory_snapshot(subject_); }
    Outcome<HistoryRecord> keep();
    // {"interval_seconds":...,"kept_max":...,"snapshots":[...]}, oldest first.
    std::string list_json() const;
    // One of `id`'s, or of this moment: "now".
    Outcome<MemorySnapshot> at(std::string_view id) const;

private:
    MemoryHistory(const AdminOptions& options, const AdminSubject& subject)
        : interval_s_(static_cast<uint64_t>(options.memory_interval.count())), subject_(subject) {}

    const uint64_t interval_s_;
    const AdminSubject& subject_;
    std::unique_ptr<HistoryRing> ring_;     // null: nothing is kept
    std::unique_ptr<Periodic> periodic_;    // after the ring: it ends first
};

}  // namespace millrace

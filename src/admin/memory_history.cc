#include "admin/memory_history.h"

#include <algorithm>
#include <cmath>

#include "base/json_line.h"
#include "base/log.h"

namespace millrace {
namespace {

// After the start, so that there's something to compare with soon; not at once, so that a server
// that fails again and again doesn't push the day's records out.
constexpr Duration first_after_max = Duration::s(60);

// What a server calls the snapshot that it doesn't keep.
constexpr std::string_view now_id = "now";

Error not_kept() {
    return {Errc::unsupported, "nothing is kept: set admin.history_dir to a directory"};
}

void keep_and_tell(MemoryHistory& history) {
    const auto record = history.keep();
    if (!record) log_warning("memory not recorded", field("error", record.error().message));
}

}  // namespace

Outcome<std::unique_ptr<MemoryHistory>> MemoryHistory::open(const AdminOptions& options,
                                                            const AdminSubject& subject) {
    std::unique_ptr<MemoryHistory> history(new MemoryHistory(options, subject));
    if (options.history_dir.empty()) return history;
    auto ring = HistoryRing::open({.directory = options.history_dir, .kind = "memory.json"});
    if (!ring) return tl::unexpected<Error>(std::move(ring.error()));
    history->ring_ = std::move(*ring);
    if (history->interval_s_ == 0) return history;
    const Duration interval = Duration::s(static_cast<int64_t>(history->interval_s_));
    history->periodic_ = std::make_unique<Periodic>(
        PeriodicOptions{"millrace-memory", std::min(interval, first_after_max), interval},
        [self = history.get()] { keep_and_tell(*self); });
    return history;
}

Outcome<HistoryRecord> MemoryHistory::keep() {
    if (ring_ == nullptr) return tl::unexpected<Error>(not_kept());
    const MemorySnapshot snapshot = now();
    return ring_->add(static_cast<int64_t>(std::floor(snapshot.time)), to_json(snapshot) + "\n");
}

std::string MemoryHistory::list_json() const {
    const std::vector<HistoryRecord> records =
        ring_ == nullptr ? std::vector<HistoryRecord>() : ring_->list();
    JsonLine all;
    all.add("interval_seconds", ring_ == nullptr ? 0 : interval_s_);
    all.add("kept_max", ring_ == nullptr ? 0 : ring_->options().kept_max);
    all.add("snapshots", json_list(records, [](const HistoryRecord& record) {
                JsonLine one;
                one.add_text("id", record.id.text());
                one.add("time", record.id.time_s);
                one.add("bytes", record.bytes);
                return one.object();
            }));
    return all.object();
}

Outcome<MemorySnapshot> MemoryHistory::at(std::string_view id) const {
    if (id == now_id) return now();
    if (ring_ == nullptr) return tl::unexpected<Error>(not_kept());
    const Outcome<std::string> json = ring_->read(id);
    if (!json) return tl::unexpected<Error>(json.error());
    return parse_memory_snapshot(*json);
}

}  // namespace millrace

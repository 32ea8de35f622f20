// Records of one kind in a directory, a file each: what was known a while ago.
// Owned by: who takes the records. Thread: any; calls wait for each other.
// Holds:    a record is whole or isn't there: it's written under a temporary name, made durable, then
//           renamed. At most `kept_max` of this kind stay, none older than `age_max`; the newest
//           stays in any case. Whatever else lies in the directory is left alone.
// Not here: what a record says. Whoever reads one expects anything: files may be broken.
//
// A file is called ID.KIND, the ID being the second in which it was taken (UTC), and from the second
// record of it on a number: 20261130T120000Z.memory.json, 20261130T120000Z-2.memory.json.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace {

struct HistoryOptions {
    std::string directory;
    std::string kind;          // what comes behind the id and a dot: "memory.json"
    uint32_t kept_max = 25;    // a day's growth by the hour has so many ends
    // A day, and room for the lateness of who takes the records: that the day's first one is still
    // there when its last one comes.
    Duration age_max = Duration::s(24 * 3'600 + 300);
    uint64_t record_bytes_max = 64 * 1'024 * 1'024;  // longer files are no records
};

// When a record was taken, and which of that second's.
struct HistoryId {
    int64_t time_s = 0;    // since the epoch
    uint32_t number = 1;   // 1 to 99

    auto operator<=>(const HistoryId&) const = default;
    std::string text() const;
    // Nullopt for everything that text() doesn't give.
    static std::optional<HistoryId> parse(std::string_view text);
};

struct HistoryRecord {
    HistoryId id;
    uint64_t bytes = 0;
};

class HistoryRing {
public:
    // Makes the directory when its parent is there, tries to write in it, and removes what was left
    // half-written before. The message names the key admin.history_dir.
    static Outcome<std::unique_ptr<HistoryRing>> open(HistoryOptions options);

    // Also removes what is too old or too many by then. The clock may have been set back: a record
    // never takes another's name.
    Outcome<HistoryRecord> add(int64_t now_s, std::string_view bytes);
    // Oldest first.
    std::vector<HistoryRecord> list() const;
    // Errc::not_found when there's none of that id; any text may come in.
    Outcome<std::string> read(std::string_view id) const;

    const HistoryOptions& options() const { return options_; }

private:
    explicit HistoryRing(HistoryOptions options) : options_(std::move(options)) {}

    std::string path_of(const HistoryId& id) const;
    std::string temporary_path_of(const HistoryId& id) const;
    std::vector<HistoryRecord> look() const;
    void remove_leftovers() const;
    void remove_old(int64_t now_s, const HistoryId& newest) const;

    const HistoryOptions options_;
    mutable std::mutex mutex_;  // held for whatever touches the directory
};

}  // namespace millrace

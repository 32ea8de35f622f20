// The day's profiles: taken every so often and on request, asked about on request.
// Owned by: the admin listener. Thread: any that may wait for the disk and for a profile, so none
//           that serves others; the regular ones are taken on a thread of its own.
// Holds:    a profile is kept with its names, so that one of yesterday's program can be read.
// Not here: HTTP (api/profile_routes.h).
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "admin/history_ring.h"
#include "admin/periodic.h"
#include "admin/profiles/profile.h"
#include "admin/profiles/sampler.h"

namespace millrace {

struct ProfileHistoryOptions {
    std::string directory;                // empty: nothing is kept
    Duration interval = Duration::s(0);   // between the regular ones; zero: there are none
    Duration duration = Duration::s(10);  // of a regular one
};

struct ProfileRecord {
    HistoryId id;
    int64_t time_ns = 0;
    Duration duration;
    uint64_t sample_count = 0;
};

class ProfileHistory {
public:
    static Outcome<std::unique_ptr<ProfileHistory>> open(const ProfileHistoryOptions& options);
    // Ends the regular one that is being taken.
    ~ProfileHistory();

    bool keeps() const { return ring_ != nullptr; }
    const ProfileHistoryOptions& options() const { return options_; }
    uint32_t kept_max() const { return ring_ == nullptr ? 0 : ring_->options().kept_max; }

    // Kept nowhere.
    Outcome<Profile> take(Duration duration, const CpuSampler::Wait& wait) {
        return sampler_.take(duration, wait);
    }
    // These need a directory: Errc::unsupported without one.
    Outcome<ProfileRecord> keep(Duration duration, const CpuSampler::Wait& wait);
    Outcome<std::string> file(std::string_view id) const;
    Outcome<Profile> read(std::string_view id) const;
    // Oldest first. A file that can't be read is left out, and told in the log once.
    std::vector<ProfileRecord> list();

private:
    explicit ProfileHistory(const ProfileHistoryOptions& options) : options_(options) {}

    void start_regular();
    void take_regular();
    bool wait_until_ended(Duration duration);

    const ProfileHistoryOptions options_;
    std::unique_ptr<HistoryRing> ring_;  // null: nothing is kept
    CpuSampler sampler_;
    std::mutex mutex_;                   // held for the next three
    std::map<HistoryId, std::unique_ptr<ProfileRecord>> known_;  // null: broken
    bool is_ending_ = false;
    std::condition_variable ends_;
    std::unique_ptr<Periodic> periodic_;  // the last member: ends before what it uses
};

}  // namespace millrace

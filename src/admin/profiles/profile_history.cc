#include "admin/profiles/profile_history.h"

#include <chrono>

#include "admin/profiles/pprof.h"
#include "base/log.h"

namespace millrace {
namespace {

constexpr uint64_t file_bytes_max = 8 * 1'024 * 1'024;  // a busy day's has some ten thousand

int64_t now_s() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())
        .time_since_epoch()
        .count();
}

tl::unexpected<Error> keeps_none() {
    return fail(Errc::unsupported, "nothing is kept, since admin.history_dir is empty; "
                                   "GET /debug/pprof/profile takes a profile without it");
}

ProfileRecord record_of(const HistoryId& id, const Profile& profile) {
    return {id, profile.time_ns, profile.duration, profile.sample_count()};
}

}  // namespace

Outcome<std::unique_ptr<ProfileHistory>> ProfileHistory::open(
    const ProfileHistoryOptions& options) {
    std::unique_ptr<ProfileHistory> history(new ProfileHistory(options));
    if (options.directory.empty()) return history;
    HistoryOptions ring_options;
    ring_options.directory = options.directory;
    ring_options.kind = "profile.pb.gz";
    ring_options.record_bytes_max = file_bytes_max;
    auto ring = HistoryRing::open(std::move(ring_options));
    if (!ring) return tl::unexpected<Error>(ring.error());
    history->ring_ = std::move(*ring);
    if (options.interval > Duration{}) history->start_regular();
    return history;
}

ProfileHistory::~ProfileHistory() {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_ending_ = true;
    ends_.notify_all();
}

// The first one comes after a whole interval: a server that has just started shows its start alone.
void ProfileHistory::start_regular() {
    if (!CpuSampler::is_built()) {
        log_warning("no regular profiles", field("reason", "this build has no profiler"),
                    field("key", "admin.profile_interval_s"));
        return;
    }
    periodic_ = std::make_unique<Periodic>(
        PeriodicOptions{"millrace-prof", options_.interval, options_.interval},
        [this] { take_regular(); });
}

void ProfileHistory::take_regular() {
    const auto record =
        keep(options_.duration, [this](Duration duration) { return wait_until_ended(duration); });
    if (record) {
        log_debug("profile kept", field("id", record->id.text()),
                  field("samples", record->sample_count));
        return;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    if (is_ending_) return;
    // Somebody asks for one himself just now: that one may do for this hour.
    if (record.error().code == Errc::exhausted) return;
    log_warning("profile not kept", field("error", record.error().message));
}

bool ProfileHistory::wait_until_ended(Duration duration) {
    std::unique_lock<std::mutex> lock(mutex_);
    return ends_.wait_for(lock, std::chrono::nanoseconds(duration.nanoseconds),
                          [this] { return is_ending_; });
}

Outcome<ProfileRecord> ProfileHistory::keep(Duration duration, const CpuSampler::Wait& wait) {
    if (!keeps()) return keeps_none();
    const Outcome<Profile> profile = sampler_.take(duration, wait);
    if (!profile) return tl::unexpected<Error>(profile.error());
    const auto kept = ring_->add(now_s(), write_pprof(*profile));
    if (!kept) return tl::unexpected<Error>(kept.error());
    return record_of(kept->id, *profile);
}

Outcome<std::string> ProfileHistory::file(std::string_view id) const {
    if (!keeps()) return keeps_none();
    return ring_->read(id);
}

Outcome<Profile> ProfileHistory::read(std::string_view id) const {
    const Outcome<std::string> bytes = file(id);
    if (!bytes) return tl::unexpected<Error>(bytes.error());
    return read_pprof(*bytes);
}

// Each file is read once: its name tells its time, but not how many samples are in it.
std::vector<ProfileRecord> ProfileHistory::list() {
    std::vector<ProfileRecord> records;
    if (!keeps()) return records;
    const std::lock_guard<std::mutex> lock(mutex_);
    std::map<HistoryId, std::unique_ptr<ProfileRecord>> there;
    for (const HistoryRecord& file : ring_->list()) {
        const auto found = known_.find(file.id);
        if (found != known_.end()) {
            there[file.id] = std::move(found->second);
            continue;
        }
        const Outcome<Profile> profile = read(file.id.text());
        if (profile) {
            there[file.id] = std::make_unique<ProfileRecord>(record_of(file.id, *profile));
            continue;
        }
        log_warning("profile left out", field("id", file.id.text()),
                    field("error", profile.error().message));
        there[file.id] = nullptr;
    }
    known_ = std::move(there);
    for (const auto& [id, record] : known_) {
        if (record != nullptr) records.push_back(*record);
    }
    return records;
}

}  // namespace millrace

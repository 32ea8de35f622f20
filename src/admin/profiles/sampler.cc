#include "admin/profiles/sampler.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <gperftools/profiler.h>
#include <sys/mman.h>
#include <unistd.h>

#include "admin/profiles/make_profile.h"
#include "admin/profiles/raw_profile.h"

namespace millrace {
namespace {

// A file in memory; where that is forbidden, one that was never given a name.
int open_nameless() {
    const int file = ::memfd_create("millrace-profile", MFD_CLOEXEC);
    return file >= 0 ? file : ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

// libprofiler writes to a file by name: this one's is its descriptor's.
class NamelessFile {
public:
    NamelessFile() : descriptor_(open_nameless()) {}
    NamelessFile(const NamelessFile&) = delete;
    NamelessFile& operator=(const NamelessFile&) = delete;
    ~NamelessFile() {
        if (is_good()) ::close(descriptor_);
    }

    bool is_good() const { return descriptor_ >= 0; }
    std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }
    std::string content() const {
        std::string text;
        char part[16 * 1'024];
        for (off_t at = 0;;) {
            const ssize_t bytes = ::pread(descriptor_, part, sizeof(part), at);
            if (bytes < 0 && errno == EINTR) continue;
            if (bytes <= 0) return text;
            text.append(part, static_cast<size_t>(bytes));
            at += bytes;
        }
    }

private:
    const int descriptor_;
};

// It ends with a line on standard error, where our log is, maybe as JSON. `stderr` is a variable
// with the GNU C library; our log doesn't go through it. Never closed: another thread that writes to
// `stderr` just now may hold it for longer.
void stop_silently() {
    static std::FILE* const nowhere = std::fopen("/dev/null", "we");
    std::FILE* const usual = stderr;
    if (nowhere != nullptr) stderr = nowhere;
    ::ProfilerStop();
    stderr = usual;
}

int64_t now_ns() {
    return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

Outcome<Profile> take_alone(Duration duration, const CpuSampler::Wait& wait) {
    const NamelessFile file;
    if (!file.is_good()) {
        return fail(Errc::system, fmt::format("a profile needs a file: neither memfd_create(2) nor "
                                              "O_TMPFILE in /tmp gives one: {}",
                                              std::strerror(errno)));
    }
    const int64_t begun_ns = now_ns();
    if (::ProfilerStart(file.path().c_str()) == 0) {
        return fail(Errc::system, "libprofiler doesn't start: /proc isn't there, or the program "
                                  "that has this server in it takes a profile itself");
    }
    const bool is_told_to_stop = wait(duration);
    stop_silently();
    if (is_told_to_stop) return fail(Errc::system, "the server stops: the profile isn't finished");
    const int64_t ended_ns = now_ns();
    const Outcome<RawProfile> raw = parse_raw_profile(file.content());
    if (!raw) return tl::unexpected<Error>(raw.error());
    Outcome<Profile> profile = make_profile(*raw);
    if (!profile) return profile;
    profile->time_ns = begun_ns;
    profile->duration = Duration::ns(std::max<int64_t>(ended_ns - begun_ns, 0));
    return profile;
}

}  // namespace

bool CpuSampler::is_built() { return true; }

Outcome<Profile> CpuSampler::take(Duration duration, const Wait& wait) {
    if (is_busy_.exchange(true, std::memory_order_acquire)) {
        return fail(Errc::exhausted, "another profile is being taken: ask again when it's done");
    }
    Outcome<Profile> profile = take_alone(duration, wait);
    is_busy_.store(false, std::memory_order_release);
    return profile;
}

}  // namespace millrace

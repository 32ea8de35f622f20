// Takes a profile of this process: of all its threads, a hundred times a second of processor time.
// Owned by: the server; one for the process. Any thread but a shard's may take one: it waits.
// Holds:    one profile at a time. A thread that blocks SIGPROF has its time counted as another's,
//           so none of ours does. Nothing is written to a directory.
// Not here: keeping profiles (profile_history.h). A build without libprofiler or libdw has
//           without_sampler.cc, which says so.
#pragma once

#include <atomic>
#include <functional>

#include "admin/profiles/profile.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace {

class CpuSampler {
public:
    // Waits that long at most; true when it was told to stop before.
    using Wait = std::function<bool(Duration)>;

    static bool is_built();

    // Errc::exhausted while another one is taken, Errc::unsupported without is_built().
    Outcome<Profile> take(Duration duration, const Wait& wait);

private:
    std::atomic<bool> is_busy_{false};  // who sets it takes the profile
};

}  // namespace millrace

// In place of sampler.cc in a build without libprofiler or libdw.
#include "admin/profiles/sampler.h"

namespace millrace {

bool CpuSampler::is_built() { return false; }

Outcome<Profile> CpuSampler::take(Duration, const Wait&) {
    return fail(Errc::unsupported, "this build has no profiler: libprofiler (gperftools) and libdw "
                                   "(elfutils) weren't there when it was compiled");
}

}  // namespace millrace

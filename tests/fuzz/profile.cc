// CPU profiles from disk and from libprofiler. Whatever can be read has to keep its promises, and
// is written and read again the same. The first byte says what the others are.
#include <string>

#include "admin/profiles/pprof.h"
#include "admin/profiles/raw_profile.h"
#include "admin/profiles/views.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "fuzz_target.h"

using namespace millrace;

namespace {

void check_sums(const Profile& profile) {
    uint64_t self = 0;
    for (const FunctionTime& function : functions_of(profile)) {
        MR_ASSERT(function.self <= function.total);
        MR_ASSERT(function.total <= profile.sample_count());
        self += function.self;
    }
    MR_ASSERT(self == profile.sample_count());
    MR_ASSERT(flame_json(profile).starts_with(R"({"name":"all","value":)"));
    for (const FunctionGrowth& growth : growth_between(profile, profile)) {
        MR_ASSERT(growth.change() == 0);
    }
}

void check_pprof(std::string_view input) {
    const Outcome<Profile> profile = decode_pprof(input);
    if (!profile) return;
    check_sums(*profile);
    const std::string written = encode_pprof(*profile);
    const Outcome<Profile> again = decode_pprof(written);
    MR_ASSERT(again.has_value());
    MR_ASSERT(encode_pprof(*again) == written);
}

void check_raw(std::string_view input) {
    const Outcome<RawProfile> profile = parse_raw_profile(input);
    if (!profile) return;
    for (const RawProfile::Sample& sample : profile->samples) {
        MR_ASSERT(sample.count > 0);
        MR_ASSERT(!sample.addresses.empty());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::string_view input = as_text(Bytes(data + 1, size - 1));
    switch (data[0]) {
    case 'p': check_pprof(input); break;
    case 'r': check_raw(input); break;
    case 'z': static_cast<void>(read_pprof(input)); break;
    default: break;
    }
    return 0;
}

// What libprofiler writes: addresses of calls, and the memory map of the process.
// Owned by: nobody; a function. Thread: any.
// Holds:    any bytes may come in.
// Not here: what the addresses mean (make_profile.h).
//
// The form is gperftools' cpuprofile-fileformat: words of the machine, a header, a record for each
// stack, a trailer, and the text of /proc/self/maps.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace {

struct RawProfile {
    struct Sample {
        uint64_t count = 0;
        std::vector<uint64_t> addresses;  // the innermost first; the others are return addresses
    };

    uint64_t period_us = 0;
    std::vector<Sample> samples;
};

Outcome<RawProfile> parse_raw_profile(std::string_view bytes);

}  // namespace millrace

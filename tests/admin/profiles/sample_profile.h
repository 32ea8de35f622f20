// A small profile for tests: main calls work twice over, which calls itself, and idle.
// Owned by: values of a test.
#pragma once

#include "admin/profiles/profile.h"

namespace millrace {

// main -> work -> work: 6 samples; main -> work: 3; main -> idle: 1.
inline Profile sample_profile() {
    Profile profile;
    profile.time_ns = 1'764'500'000'000'000'000;
    profile.duration = Duration::s(5);
    profile.period = Duration::ms(10);
    profile.functions = {"main", "work", "idle"};
    profile.mappings = {{0x1000, 0x9000, 0, "/usr/bin/millrace", "c0ffee"}};
    profile.locations = {{0x1010, 0, 0}, {0x2010, 0, 1}, {0x2020, 0, 1}, {0xff00, std::nullopt, 2}};
    profile.samples = {{6, {1, 2, 0}}, {3, {2, 0}}, {1, {3, 0}}};
    return profile;
}

}  // namespace millrace

// Where processor time went: call stacks, and how often a sample found each.
// Owned by: values. Thread: any.
// Holds:    every index is in its list; no sample is empty or has a count of 0.
// Not here: taking one (sampler.h), its form on disk (pprof.h), what is asked of it (views.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace millrace {

struct Profile {
    // A file as it was in memory: what a tool needs to find the machine code of an address.
    struct Mapping {
        uint64_t start = 0;
        uint64_t limit = 0;
        uint64_t offset = 0;
        std::string file;
        std::string build_id;  // in hexadecimal; empty: it has none
    };
    struct Location {
        uint64_t address = 0;
        std::optional<uint32_t> mapping;
        uint32_t function = 0;
    };
    struct Sample {
        uint64_t count = 0;
        std::vector<uint32_t> locations;  // the innermost call first
    };

    int64_t time_ns = 0;  // of the start, since the epoch
    Duration duration;
    Duration period;      // of processor time, between samples
    std::vector<std::string> functions;
    std::vector<Mapping> mappings;
    std::vector<Location> locations;
    std::vector<Sample> samples;

    uint64_t sample_count() const {
        uint64_t sum = 0;
        for (const Sample& sample : samples) sum += sample.count;
        return sum;
    }
};

}  // namespace millrace

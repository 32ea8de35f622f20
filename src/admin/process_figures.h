// What this process has used so far, as the kernel tells it.
// Owned by: values. Thread: any.
#pragma once

#include <cstdint>

namespace millrace {

struct ProcessFigures {
    double processor_seconds = 0;
    uint64_t resident_bytes = 0;
    uint64_t virtual_bytes = 0;
    uint64_t open_files = 0;       // connections aren't among them: rings keep their own tables
    uint64_t open_files_max = 0;   // the soft limit
    double start_time_seconds = 0; // since the epoch

    // 0 where the kernel doesn't say.
    static ProcessFigures take();
};

}  // namespace millrace

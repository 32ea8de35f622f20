#include "admin/process_figures.h"

#include <cinttypes>
#include <cstdio>
#include <ctime>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runtime/process_memory.h"

namespace millrace {
namespace {

double seconds(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

uint64_t count_open_files() {
    DIR* folder = ::opendir("/proc/self/fd");
    if (folder == nullptr) return 0;
    uint64_t count = 0;
    while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
    ::closedir(folder);
    return count == 0 ? 0 : count - 1;  // without the folder itself
}

// Field 22 of /proc/self/stat, in ticks since the machine's start (proc_pid_stat(5)); the program's
// name stands before it in parentheses, and here it's ours.
double read_start_time() {
    std::FILE* file = std::fopen("/proc/self/stat", "re");
    if (file == nullptr) return 0;
    uint64_t ticks = 0;
    const int found = std::fscanf(file,
                                  "%*d %*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
                                  "%*d %*d %*d %*d %*d %*d %" SCNu64,
                                  &ticks);
    std::fclose(file);
    if (found != 1) return 0;
    const double machine_start = seconds(CLOCK_REALTIME) - seconds(CLOCK_BOOTTIME);
    return machine_start + static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

ProcessFigures ProcessFigures::take() {
    // Read once: the machine's clock may be set later, and the start of a process doesn't move.
    static const double start_time = read_start_time();
    ProcessFigures figures;
    figures.processor_seconds = seconds(CLOCK_PROCESS_CPUTIME_ID);
    const ProcessMemory memory = read_process_memory();
    figures.resident_bytes = memory.resident_bytes;
    figures.virtual_bytes = memory.virtual_bytes;
    figures.open_files = count_open_files();
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.open_files_max = limit.rlim_cur;
    figures.start_time_seconds = start_time;
    return figures;
}

}  // namespace millrace

#include "runtime/process_memory.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#ifdef MR_WITH_MIMALLOC
#include <mimalloc.h>
#else
#include <malloc.h>
#endif

namespace millrace {
namespace {

// The number behind `name`, which begins with its line's end before it: "\nVmRSS:".
std::optional<uint64_t> bytes_behind(std::string_view name, std::string_view status) {
    const size_t place = status.find(name);
    if (place == std::string_view::npos) return std::nullopt;
    std::string_view rest = status.substr(place + name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    uint64_t kib = 0;
    const auto [end, fault] = std::from_chars(rest.data(), rest.data() + rest.size(), kib);
    if (fault != std::errc{} || kib > UINT64_MAX / 1'024) return std::nullopt;
    return kib * 1'024;
}

}  // namespace

std::optional<ProcessMemory> parse_process_memory(std::string_view status) {
    const std::optional<uint64_t> resident = bytes_behind("\nVmRSS:", status);
    if (!resident) return std::nullopt;
    return ProcessMemory{.resident_bytes = *resident,
                         .resident_peak_bytes = bytes_behind("\nVmHWM:", status).value_or(0),
                         .huge_page_bytes = bytes_behind("\nHugetlbPages:", status).value_or(0),
                         .virtual_bytes = bytes_behind("\nVmSize:", status).value_or(0)};
}

ProcessMemory read_process_memory() {
    const std::optional<std::string> status = read_proc_file("/proc/self/status");
    if (!status) return {};
    return parse_process_memory(*status).value_or(ProcessMemory{});
}

HeapFigures read_heap_figures() {
#ifdef MR_WITH_MIMALLOC
    // Of the whole process, from counters that it keeps anyway. What is in use it doesn't count.
    size_t committed = 0;
    size_t committed_peak = 0;
    size_t ignored = 0;
    ::mi_process_info(&ignored, &ignored, &ignored, &ignored, &ignored, &committed, &committed_peak,
                      &ignored);
    return {.committed_bytes = committed, .committed_peak_bytes = committed_peak, .used_bytes = {}};
#else
    const struct mallinfo2 facts = ::mallinfo2();
    const uint64_t committed = facts.arena + facts.hblkhd;
    if (committed == 0) return {};  // a sanitizer's own allocator stands there
    return {.committed_bytes = committed,
            .committed_peak_bytes = {},
            .used_bytes = facts.uordblks + facts.hblkhd};
#endif
}

std::optional<std::string> read_proc_file(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "re");
    if (file == nullptr) return std::nullopt;
    std::string text(8'192, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
}

}  // namespace millrace

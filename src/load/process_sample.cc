#include "load/process_sample.h"

#include <charconv>
#include <string>

#include <unistd.h>

#include "runtime/process_memory.h"

namespace millrace {
namespace {

std::string_view skip_spaces(std::string_view text) {
    const size_t begin = text.find_first_not_of(" \t");
    return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

// Empty when there are fewer.
std::string_view after_fields(std::string_view text, int count) {
    for (; count > 0; --count) {
        const size_t space = text.find(' ');
        if (space == std::string_view::npos) return {};
        text = skip_spaces(text.substr(space));
    }
    return text;
}

std::optional<uint64_t> number_at(std::string_view text) {
    uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc()) return std::nullopt;
    return value;
}

}  // namespace

std::optional<ProcessorTicks> processor_ticks_of(std::string_view stat) {
    // The program's name stands in parentheses and may hold anything, so that the fields are
    // counted from its end: state is the third of all, utime the 14th, stime the 15th.
    const size_t name_end = stat.rfind(')');
    if (name_end == std::string_view::npos) return std::nullopt;
    const std::string_view from_state = skip_spaces(stat.substr(name_end + 1));
    const std::optional<uint64_t> user = number_at(after_fields(from_state, 14 - 3));
    const std::optional<uint64_t> system = number_at(after_fields(from_state, 15 - 3));
    if (!user || !system) return std::nullopt;
    return ProcessorTicks{*user, *system};
}

std::optional<uint64_t> softirq_ticks_of(std::string_view stat) {
    // The first line is of all cores: "cpu", then user, nice, system, idle, iowait, irq, softirq.
    if (!stat.starts_with("cpu ")) return std::nullopt;
    return number_at(after_fields(stat.substr(0, stat.find('\n')), 7));
}

std::optional<ProcessSample> ProcessSample::take(uint32_t pid) {
    const std::string folder = "/proc/" + std::to_string(pid);
    const std::optional<std::string> stat = read_proc_file(folder + "/stat");
    const std::optional<std::string> status = read_proc_file(folder + "/status");
    const std::optional<std::string> machine = read_proc_file("/proc/stat");
    if (!stat || !status || !machine) return std::nullopt;
    const std::optional<ProcessorTicks> ticks = processor_ticks_of(*stat);
    const std::optional<ProcessMemory> memory = parse_process_memory(*status);
    const std::optional<uint64_t> softirq = softirq_ticks_of(*machine);
    if (!ticks || !memory || !softirq) return std::nullopt;
    const double ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    return ProcessSample{static_cast<double>(ticks->user) / ticks_per_second,
                         static_cast<double>(ticks->system) / ticks_per_second,
                         memory->resident_bytes + memory->huge_page_bytes,
                         static_cast<double>(*softirq) / ticks_per_second};
}

}  // namespace millrace

#include "runtime/placement.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <string>

#include <pthread.h>
#include <sched.h>

#include <fmt/format.h>

namespace millrace {
namespace {

constexpr uint32_t cpu_index_max = 8191;  // of the largest kernel configuration

// A processor set of any width: cpu_set_t alone ends at 1024.
struct CpuSet {
    CpuSet() : set(CPU_ALLOC(cpu_index_max + 1)) { CPU_ZERO_S(bytes, set); }
    ~CpuSet() { CPU_FREE(set); }
    CpuSet(const CpuSet&) = delete;
    CpuSet& operator=(const CpuSet&) = delete;

    cpu_set_t* set;
    const size_t bytes = CPU_ALLOC_SIZE(cpu_index_max + 1);
};

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

Outcome<uint32_t> parse_cpu(std::string_view text, std::string_view list) {
    const std::string_view digits = trim(text);
    uint32_t cpu = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), cpu);
    if (error == std::errc::invalid_argument || end != digits.data() + digits.size()) {
        return fail(Errc::invalid_argument,
                    fmt::format("cpu list \"{}\": \"{}\" is not a processor number", list, digits));
    }
    if (error != std::errc{} || cpu > cpu_index_max) {
        return fail(Errc::invalid_argument,
                    fmt::format("cpu list \"{}\": processor {} is out of range, 0 to {} are "
                                "accepted",
                                list, digits, cpu_index_max));
    }
    return cpu;
}

}  // namespace

Outcome<std::vector<uint32_t>> parse_cpu_list(std::string_view text) {
    std::vector<uint32_t> cpus;
    std::string_view rest = text;
    while (true) {
        const size_t comma = rest.find(',');
        const std::string_view part = rest.substr(0, comma);
        const size_t dash = part.find('-');
        const Outcome<uint32_t> first = parse_cpu(part.substr(0, dash), text);
        if (!first) return tl::unexpected<Error>(first.error());
        uint32_t last = *first;
        if (dash != std::string_view::npos) {
            const Outcome<uint32_t> end = parse_cpu(part.substr(dash + 1), text);
            if (!end) return tl::unexpected<Error>(end.error());
            last = *end;
        }
        if (last < *first) {
            return fail(
                Errc::invalid_argument,
                fmt::format("cpu list \"{}\": range \"{}\" runs backwards", text, trim(part)));
        }
        for (uint32_t cpu = *first; cpu <= last; ++cpu) {
            if (std::find(cpus.begin(), cpus.end(), cpu) != cpus.end()) {
                return fail(Errc::invalid_argument,
                            fmt::format("cpu list \"{}\": processor {} stands twice", text, cpu));
            }
            cpus.push_back(cpu);
        }
        if (comma == std::string_view::npos) return cpus;
        rest = rest.substr(comma + 1);
    }
}

std::vector<uint32_t> allowed_cpus() {
    std::vector<uint32_t> cpus;
    CpuSet allowed;
    if (::sched_getaffinity(0, allowed.bytes, allowed.set) != 0) return cpus;
    for (uint32_t cpu = 0; cpu <= cpu_index_max; ++cpu) {
        if (CPU_ISSET_S(cpu, allowed.bytes, allowed.set)) cpus.push_back(cpu);
    }
    return cpus;
}

Outcome<void> pin_this_thread(uint32_t cpu) {
    if (cpu > cpu_index_max) {
        return fail(
            Errc::invalid_argument,
            fmt::format("processor {} is out of range, 0 to {} are accepted", cpu, cpu_index_max));
    }
    CpuSet wanted;
    CPU_SET_S(cpu, wanted.bytes, wanted.set);
    if (::sched_setaffinity(0, wanted.bytes, wanted.set) != 0) {
        return fail(Errc::system, fmt::format("cannot pin a thread to processor {}: {}", cpu,
                                              std::strerror(errno)));
    }
    return {};
}

void name_this_thread(std::string_view name) {
    const std::string kept(name.substr(0, 15));
    ::pthread_setname_np(::pthread_self(), kept.c_str());
}

}  // namespace millrace

#include "server/doctor/read_facts.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "runtime/meminfo.h"
#include "runtime/placement.h"
#include "server/config_keys.h"

namespace millrace::doctor {
namespace {

struct Release {
    unsigned major = 0;
    unsigned minor = 0;
    constexpr auto operator<=>(const Release&) const = default;
};

Release parse_release(std::string_view text) {
    Release release;
    const std::string kept(text);
    if (std::sscanf(kept.c_str(), "%u.%u", &release.major, &release.minor) != 2) return {};
    return release;
}

std::optional<std::pair<uint64_t, uint64_t>> number_pair(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    const std::vector<std::string_view> words = words_of(*text);
    if (words.size() != 2) return std::nullopt;
    const auto first = parse_number(words[0]);
    const auto last = parse_number(words[1]);
    if (!first || !last) return std::nullopt;
    return std::pair{*first, *last};
}

std::optional<uint64_t> last_number(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    const std::vector<std::string_view> words = words_of(*text);
    return words.empty() ? std::nullopt : parse_number(words.back());
}

// The hard limit of a line "Max open files    1024    524288    files" (proc(5)).
std::optional<uint64_t> hard_limit(std::string_view limits, std::string_view name) {
    const std::vector<std::string_view> words = words_behind(name, limits);
    if (words.size() < 2) return std::nullopt;
    if (words[1] == "unlimited") return UINT64_MAX;
    return parse_number(words[1]);
}

// The narrowest of the process's control groups, of either version.
std::optional<uint64_t> group_limit(Tree& tree, const std::string& file,
                                    const std::string& file_v1) {
    std::optional<uint64_t> narrowest;
    const auto look = [&](const std::string& path) {
        // "max" is no number; version 1 says so by the most pages that fit (page_counter.h).
        constexpr uint64_t unlimited_v1 = INT64_MAX / 4'096 * 4'096;
        const auto bytes = tree.number(path);
        if (bytes && *bytes < unlimited_v1)
            narrowest = std::min(narrowest.value_or(UINT64_MAX), *bytes);
    };
    for (const std::string& group : control_groups(tree)) look(group + "/" + file);
    if (!file_v1.empty()) {
        for (const std::string& group : control_groups(tree, "memory")) look(group + "/" + file_v1);
    }
    return narrowest;
}

// "madvise" of "always [madvise] never".
std::string chosen_word(const std::string& text) {
    for (const std::string_view word : words_of(text)) {
        if (word.starts_with('[') && word.ends_with(']')) {
            return std::string(word.substr(1, word.size() - 2));
        }
    }
    return "";
}

// A package puts it into PATH, or beside what else it brings.
std::string find_tune(Tree& tree) {
    for (const char* folder : {"usr/bin/", "usr/sbin/", "usr/local/bin/", "usr/local/sbin/"}) {
        if (tree.exists(fmt::format("{}millrace-tune", folder))) return "millrace-tune";
    }
    for (const char* folder : {"usr/share/", "usr/local/share/"}) {
        const std::string path = fmt::format("/{}millrace/tuning/tune.sh", folder);
        if (tree.exists(path.substr(1))) return path;
    }
    return Facts{}.tune;
}

}  // namespace

std::vector<uint32_t> cpus_of(const std::optional<std::string>& list) {
    if (!list || list->empty()) return {};
    Outcome<std::vector<uint32_t>> cpus = parse_cpu_list(*list);
    return cpus ? std::move(*cpus) : std::vector<uint32_t>{};
}

std::vector<uint32_t> parse_cpu_mask(std::string_view mask) {
    std::vector<uint32_t> cpus;
    uint32_t bit = 0;
    for (size_t at = mask.size(); at-- > 0;) {
        const char character = mask[at];
        if (character == ',') continue;
        const bool is_digit = character >= '0' && character <= '9';
        const char lower = static_cast<char>(character | 0x20);
        if (!is_digit && (lower < 'a' || lower > 'f')) return {};
        const int value = is_digit ? character - '0' : lower - 'a' + 10;
        for (uint32_t one = 0; one < 4; ++one) {
            if ((value >> one & 1) != 0) cpus.push_back(bit + one);
        }
        bit += 4;
    }
    return cpus;
}

std::vector<std::string> control_groups(Tree& tree, std::string_view controller) {
    const std::string table = tree.text("proc/self/cgroup").value_or("");
    std::string own;
    for (const std::string_view line : lines_of(table)) {
        // "0::/a/b", "4:memory:/a/b", "3:cpu,cpuacct:/a/b" (cgroups(7))
        const size_t first = line.find(':');
        const size_t second = line.find(":/", first == std::string_view::npos ? first : first + 1);
        if (second == std::string_view::npos) continue;
        if (line.substr(first + 1, second - first - 1) == controller) own = line.substr(second + 1);
    }
    const std::string mount =
        fmt::format("sys/fs/cgroup{}{}", controller.empty() ? "" : "/", controller);
    std::vector<std::string> groups;
    for (; !own.empty() && own != "/"; own.erase(own.rfind('/'))) groups.push_back(mount + own);
    groups.push_back(mount);
    return groups;
}

MemoryFacts read_memory(Tree& tree) {
    MemoryFacts memory;
    const Meminfo meminfo = parse_meminfo(tree.text("proc/meminfo").value_or(""));
    memory.bytes = meminfo.total_bytes;
    memory.huge_pages = meminfo.huge_pages;
    memory.huge_pages_free = meminfo.huge_pages_free;
    memory.huge_page_bytes = meminfo.huge_page_bytes;
    memory.swap_bytes = meminfo.swap_bytes;
    memory.group_bytes = group_limit(tree, "memory.max", "memory.limit_in_bytes");
    memory.group_swap_bytes = group_limit(tree, "memory.swap.max", "");
    memory.transparent_huge_pages =
        chosen_word(tree.text("sys/kernel/mm/transparent_hugepage/enabled").value_or(""));
    return memory;
}

LimitFacts read_limits(Tree& tree) {
    constexpr uint32_t cap_ipc_lock = 14;  // capability(7), linux/capability.h
    LimitFacts limits;
    const std::string own = tree.text("proc/self/limits").value_or("");
    limits.open_files_hard = hard_limit(own, "Max open files");
    limits.locked_bytes_hard = hard_limit(own, "Max locked memory");
    const std::string status = tree.text("proc/self/status").value_or("");
    const std::vector<std::string_view> effective = words_behind("CapEff:", status);
    const std::vector<uint32_t> capabilities =
        effective.empty() ? std::vector<uint32_t>{} : parse_cpu_mask(effective[0]);
    limits.may_lock_memory =
        std::find(capabilities.begin(), capabilities.end(), cap_ipc_lock) != capabilities.end();
    limits.open_files_ceiling = tree.number("proc/sys/fs/nr_open");
    limits.files_of_host = tree.number("proc/sys/fs/file-max");
    limits.accept_queue = tree.number("proc/sys/net/core/somaxconn");
    limits.handshake_queue = tree.number("proc/sys/net/ipv4/tcp_max_syn_backlog");
    limits.syn_cookies = tree.number("proc/sys/net/ipv4/tcp_syncookies");
    limits.send_buffer_bytes = tree.number("proc/sys/net/core/wmem_max");
    limits.tcp_memory_pages = last_number(tree.text("proc/sys/net/ipv4/tcp_mem"));
    limits.tracked_max = tree.number("proc/sys/net/netfilter/nf_conntrack_max");
    limits.tracked_now = tree.number("proc/sys/net/netfilter/nf_conntrack_count");
    limits.local_ports = number_pair(tree.text("proc/sys/net/ipv4/ip_local_port_range"));
    limits.reserved_ports = tree.text("proc/sys/net/ipv4/ip_local_reserved_ports").value_or("");
    return limits;
}

UringFacts uring_of_release(std::string_view release) {
    const Release has = parse_release(release);
    UringFacts uring;
    if (has < Release{6, 1}) {
        uring.refusal = "Linux " +
                        (release.empty() ? "of an unknown release" : std::string(release)) +
                        " lacks what is needed";
    }
    // Where each came: net/uring/kernel_constants.h and io_uring_enter(2).
    uring.registered_ring = has >= Release{5, 18};
    uring.send_zero_copy = has >= Release{6, 1};
    uring.zero_copy_report = has >= Release{6, 2};
    uring.napi = has >= Release{6, 9};
    uring.incremental_buffers = has >= Release{6, 12};
    return uring;
}

Facts read_facts(Tree& tree) {
    Facts facts;
    facts.release = tree.text("proc/sys/kernel/osrelease").value_or("");
    facts.uring = uring_of_release(facts.release);
    facts.uring.disabled = tree.number("proc/sys/kernel/io_uring_disabled");
    if (facts.uring.disabled == 2) facts.uring.refusal = "io_uring is switched off";
    const std::string status = tree.text("proc/self/status").value_or("");
    const std::vector<std::string_view> seccomp = words_behind("Seccomp:", status);
    facts.uring.filtered = !seccomp.empty() && seccomp[0] == "2";  // proc(5): a filter
    facts.tune = find_tune(tree);
    read_cores(tree, facts);
    facts.memory = read_memory(tree);
    facts.limits = read_limits(tree);
    facts.network = read_network(tree);
    facts.dpdk = read_dpdk(tree);
    facts.unreadable = tree.unreadable();
    return facts;
}

HostFacts host_of(const Facts& facts) {
    HostFacts host;
    host.cpus = facts.cores_usable;
    if (host.cpus.empty()) host.cpus.push_back(0);
    host.memory_bytes = facts.memory.bytes;
    host.open_files_max = facts.limits.open_files_hard.value_or(UINT64_MAX);
    host.huge_pages_free = facts.memory.huge_pages_free;
    host.huge_page_bytes = facts.memory.huge_page_bytes;
    return host;
}

}  // namespace millrace::doctor

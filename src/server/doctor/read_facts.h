// From the files of proc and sys to facts.
// Owned by: nobody; functions over a tree. Thread: any, one a tree.
// Holds:    they only read. A file that is missing or says nonsense leaves its fact empty.
// Not here: asking the running kernel by calls (probe.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/doctor/facts.h"
#include "server/doctor/tree.h"

namespace millrace::doctor {

// Everything; what io_uring can do goes by the kernel's release.
Facts read_facts(Tree& tree);

// The parts of it.
void read_cores(Tree& tree, Facts& facts);
MemoryFacts read_memory(Tree& tree);
LimitFacts read_limits(Tree& tree);
NetworkFacts read_network(Tree& tree);
DpdkFacts read_dpdk(Tree& tree);

// The process's control group and those above it up to the root, the innermost first, as folders:
// of cgroup v2, or of one of v1's controllers. In a container the path may be the host's; then the
// root alone is there.
std::vector<std::string> control_groups(Tree& tree, std::string_view controller = {});

// What io_uring of that release has. A text that isn't a release gives the refusal of an old one.
UringFacts uring_of_release(std::string_view release);

// Hexadecimal groups of 32 bits, the highest first: "3", "00000001,00000000".
std::vector<uint32_t> parse_cpu_mask(std::string_view mask);
// "0-3,8"; what isn't such a list is an empty one.
std::vector<uint32_t> cpus_of(const std::optional<std::string>& list);

}  // namespace millrace::doctor

// From facts and a configuration to findings.
// Owned by: nobody; pure functions. Thread: any.
// Holds:    the same facts and configuration give the same findings, in the same order. What isn't
//           known isn't found.
// Not here: reading a host (read_facts.h), printing (report.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/config.h"
#include "server/budget.h"
#include "server/doctor/facts.h"
#include "server/doctor/finding.h"
#include "server/host_facts.h"

namespace millrace::doctor {

// A configuration on a host.
struct Subject {
    const Facts& facts;
    const Config& config;
    ShardPlan plan;
    Budget budget;
    std::vector<const CardFacts*> cards;  // that its clients come in by; empty on loopback

    bool is_dpdk() const { return config.net == "dpdk"; }
    uint64_t connections() const { return uint64_t{config.shards.connections_max} * plan.count; }
};

Subject make_subject(const Facts& facts, const Config& config, const ObjectSizes& sizes);

// All findings, the weightiest first.
std::vector<Finding> judge(const Subject& subject);

// The parts of it, each adding what it finds.
using Findings = std::vector<Finding>;
void judge_uring(const Subject& subject, Findings& findings);
void judge_memory(const Subject& subject, Findings& findings);
void judge_huge_pages(const Subject& subject, Findings& findings);
void judge_limits(const Subject& subject, Findings& findings);
void judge_cores(const Subject& subject, Findings& findings);
void judge_clock(const Subject& subject, Findings& findings);
void judge_cards(const Subject& subject, Findings& findings);
void judge_dpdk(const Subject& subject, Findings& findings);
// Shards on another NUMA node than this card; `node` empty: it's near to none or to all.
void judge_node(const Subject& subject, const std::string& card, std::optional<uint32_t> node,
                Findings& findings);

// The physical cards that the addresses the server listens on belong to; all that are up for a
// wildcard, or for an address that none has.
std::vector<const CardFacts*> cards_of(const Facts& facts, const Config& config);
bool listens_on_loopback_alone(const Config& config);

// Bytes that the port asks DPDK to take, as millrace serve does it.
uint64_t dpdk_memory_bytes(const Subject& subject);
// "0000:3b:00.0" of the configured device; empty when it's a virtual one.
std::string pci_address_of(const Config& config);

// What several judges say.
inline constexpr const char* not_measured = "not measured";
// "scripts/tuning/tune.sh apply --only files --profile io_uring --nic eth0 --cpus 0-3", with the
// subjects of scripts/tuning/subjects that mend it; `card` empty: none is named.
std::string tune_command(const Subject& subject, std::string_view subjects,
                         std::string_view card = {});
// As one word of a command line: what a host's files say may be anything.
std::string shell_word(std::string_view text);
// "0-3,8"
std::string cpu_list(std::vector<uint32_t> cpus);
// The cores that shards run on, ascending, each once.
std::vector<uint32_t> shard_cores(const Subject& subject);
bool contains(const std::vector<uint32_t>& list, uint32_t value);
const CoreFacts* find_core(const Facts& facts, uint32_t index);

}  // namespace millrace::doctor

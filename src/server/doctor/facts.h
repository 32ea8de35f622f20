// What a host is like, as far as a server feels it: plain values, read once.
// Owned by: values. Thread: any.
// Holds:    an empty optional, text or list means that the host has no such thing or wouldn't say;
//           then nothing is concluded from it.
// Not here: whether it is good or bad (judge.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/host_facts.h"
#include "wire/address.h"

namespace millrace::doctor {

struct UringFacts {
    bool probed = false;  // the running kernel was asked; else the release's number tells
    std::string refusal;  // why no ring can be made; empty: one can
    bool send_zero_copy = false;
    bool zero_copy_report = false;  // notifications tell whether the kernel copied
    bool registered_ring = false;
    bool incremental_buffers = false;
    bool napi = false;                 // always by the release's number
    std::optional<uint64_t> disabled;  // kernel.io_uring_disabled: 0, 1 (a group may), 2
    bool filtered = false;             // a seccomp filter stands before the process's calls
};

struct CoreFacts {
    uint32_t index = 0;
    std::optional<uint32_t> node;
    std::vector<uint32_t> siblings;  // hardware threads of the same core, this one too
    std::string governor;
    std::optional<uint64_t> wake_up_us;  // the longest of the idle states that are switched on
};

struct NodeFacts {
    uint32_t index = 0;
    std::vector<uint32_t> cores;
    uint64_t huge_pages = 0;  // of 2 MiB
    uint64_t huge_pages_free = 0;
};

struct ClockFacts {
    std::string source;
    std::string available;            // as the kernel lists them: "tsc hpet acpi_pm"
    std::optional<uint64_t> read_ns;  // of one reading, measured on the running host
};

struct MemoryFacts {
    uint64_t bytes = 0;                   // MemTotal; 0: not known
    std::optional<uint64_t> group_bytes;  // what the control group allows
    uint64_t huge_pages = 0;              // of the default size
    uint64_t huge_pages_free = 0;
    uint64_t huge_page_bytes = 0;
    uint64_t swap_bytes = 0;                   // of the host
    std::optional<uint64_t> group_swap_bytes;  // what the control group allows of it
    std::string transparent_huge_pages;        // "always", "madvise", "never"
};

struct LimitFacts {
    std::optional<uint64_t> open_files_hard;     // UINT64_MAX: unlimited
    std::optional<uint64_t> locked_bytes_hard;   // RLIMIT_MEMLOCK, the same
    bool may_lock_memory = false;                // CAP_IPC_LOCK: the limit above isn't applied
    std::optional<uint64_t> open_files_ceiling;  // fs.nr_open
    std::optional<uint64_t> files_of_host;       // fs.file-max
    std::optional<uint64_t> accept_queue;        // net.core.somaxconn
    std::optional<uint64_t> handshake_queue;     // net.ipv4.tcp_max_syn_backlog
    std::optional<uint64_t> syn_cookies;         // net.ipv4.tcp_syncookies; not 0: in need
    std::optional<uint64_t> send_buffer_bytes;   // net.core.wmem_max
    std::optional<uint64_t> tcp_memory_pages;    // the last of net.ipv4.tcp_mem
    std::optional<uint64_t> tracked_max;         // nf_conntrack_max
    std::optional<uint64_t> tracked_now;
    std::optional<std::pair<uint64_t, uint64_t>> local_ports;  // first and last
    std::string reserved_ports;                                // ip_local_reserved_ports
};

struct InterruptFacts {
    uint32_t number = 0;
    std::string name;             // as /proc/interrupts ends its line: "eth0-TxRx-0"
    std::vector<uint32_t> cores;  // where it goes
};

// A network card, or what looks like one, that the kernel drives.
struct CardFacts {
    std::string name;
    std::string driver;
    bool is_physical = false;
    bool is_up = false;
    std::optional<uint32_t> node;
    uint32_t receive_queues = 0;
    uint32_t transmit_queues = 0;
    std::vector<uint32_t> spread_cores;      // RPS: the union over its queues
    std::vector<InterruptFacts> interrupts;  // of its queues
    std::vector<std::string> below;          // what a bond, bridge or VLAN is made of
};

struct AddressFacts {
    std::string card;
    IpPrefix range;  // IPv4: of the network; IPv6: our own address, all its bits
};

struct NetworkFacts {
    std::vector<CardFacts> cards;
    std::vector<AddressFacts> addresses;
    std::string congestion;
    std::string queue_discipline;  // of new devices
    bool irqbalance = false;
};

// A PCI function of the class network, whoever drives it.
struct PciFacts {
    std::string address;  // "0000:3b:00.0"
    std::string driver;   // empty: nobody
    std::optional<uint32_t> node;
};

struct DpdkFacts {
    std::vector<PciFacts> functions;
    bool has_iommu = false;
    bool unsafe_vfio = false;  // vfio works without an IOMMU
};

struct Facts {
    std::string release;                  // "6.1.0-18-amd64"
    std::string tune = "scripts/tuning/tune.sh";  // where the host has it; else as in the sources
    std::vector<uint32_t> cores_usable;   // where this process, and shards without a list, run
    std::vector<uint32_t> cores_allowed;  // by the control group: one may be pinned to any of them
    std::vector<uint32_t> cores_isolated;
    std::vector<CoreFacts> cores;
    std::vector<NodeFacts> nodes;
    UringFacts uring;
    ClockFacts clock;
    MemoryFacts memory;
    LimitFacts limits;
    NetworkFacts network;
    DpdkFacts dpdk;
    std::vector<std::string> unreadable;
};

// What a server makes of them (host_facts.h).
HostFacts host_of(const Facts& facts);

}  // namespace millrace::doctor

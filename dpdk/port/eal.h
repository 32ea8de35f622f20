// The environment layer of DPDK: started once a process, with arguments that suit us.
// Owned by: the process. start_eal() on the thread that opens ports, before any other thread is
//           made; the caller's core affinity and signal mask are as before when it returns.
// Holds:    shards stay our own threads, pinned by us: DPDK starts none for packets.
// Not here: devices (device.h), memory pools (mempool.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace {

struct EalOptions {
    std::vector<std::string> arguments;  // added to ours, and winning over them
    std::string pci_device;              // empty: no device on a PCI bus is touched
    uint64_t memory_bytes = 0;
    bool huge_pages = true;              // false: --no-huge
};

// Succeeds without doing anything when it runs already.
Outcome<void> start_eal(const EalOptions& options);

// "0000:03:00.0" or "03:00.0", device arguments behind a comma allowed; anything else is a vdev.
bool is_pci_device(std::string_view device);

// Has DPDK's thread-local caches work for the calling thread. A thread that can't be registered
// (there are 128 places) works too, without them.
class EalThread {
public:
    EalThread();
    ~EalThread();  // on the same thread, or without effect
    EalThread(const EalThread&) = delete;
    EalThread& operator=(const EalThread&) = delete;

private:
    uint32_t lcore_;  // LCORE_ID_ANY: not registered by us
};

// What DPDK logs while this lives, so that an error can quote it.
class EalLog {
public:
    EalLog();
    ~EalLog();
    EalLog(const EalLog&) = delete;
    EalLog& operator=(const EalLog&) = delete;

    // The last lines, in one; or the text of rte_errno when there are none.
    std::string complaint() const;

private:
    size_t begin_;
};

}  // namespace millrace

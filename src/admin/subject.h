// The server as the admin listener sees it.
// Owned by: the server, which outlives the listener. Called on the admin thread, but for post() and
//           publish(), which are for its workers.
// Holds:    nothing here waits for a shard, but for publish(), as an embedding program's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/time.h"
#include "broker/shard_task.h"
#include "broker/system_topics.h"
#include "millrace/error.h"

namespace millrace {

enum class ServiceState : uint8_t { starting, serving, draining, stopping };

constexpr std::string_view service_state_name(ServiceState state) {
    switch (state) {
    case ServiceState::starting: return "starting";
    case ServiceState::serving:  return "serving";
    case ServiceState::draining: return "draining";
    case ServiceState::stopping: return "stopping";
    }
    MR_UNREACHABLE();
}

// What the kernel holds for the server, outside of the process. Nullopt: not known, or nothing of
// the kind.
struct KernelMemory {
    std::optional<uint64_t> socket_bytes_estimate;  // of open connections, with empty buffers
    std::optional<uint64_t> rings_bytes_estimate;   // queues and tables of io_uring
    // Of all TCP sockets of the host (/proc/net/sockstat): what they buffer.
    std::optional<uint64_t> host_tcp_buffer_bytes;

    bool operator==(const KernelMemory&) const = default;
};

// Memory of the process that is no single shard's: a line as the ledgers have them.
struct SharedMemoryLine {
    std::string_view name;
    uint64_t objects;
    uint64_t bytes;
    uint64_t reserved_bytes;
};

class AdminSubject {
public:
    virtual ~AdminSubject() = default;

    virtual ServiceState state() const = 0;
    // In the order of their index; no pointer of them is null.
    virtual const std::vector<ShardFigures>& shards() const = 0;
    // Processor time of that shard's thread so far; empty before it runs.
    virtual std::optional<Duration> processor_time(uint32_t shard) const = 0;
    virtual std::vector<SharedMemoryLine> shared_memory() const = 0;
    virtual KernelMemory kernel_memory() const = 0;
    // What each shard may have at most.
    virtual uint64_t shard_memory_bytes_max() const = 0;
    virtual uint64_t shard_connections_max() const = 0;
    virtual std::string_view network() const = 0;  // "uring" or "dpdk"

    // Asks every shard to turn its loop and wakes those that sleep; the number of the question.
    virtual uint32_t ask() = 0;
    // Those whose loop hasn't turned since. A shard that has ended isn't silent.
    virtual std::vector<uint32_t> silent_since(uint32_t question) const = 0;

    // Gives the shard a task, and wakes it. False: it has too many, or has left.
    virtual bool post(uint32_t shard, std::shared_ptr<ShardTask> task) = 0;
    // Server::publish().
    virtual std::optional<Error> publish(std::string_view topic, std::span<const uint8_t> payload,
                                         uint8_t qos, bool retain) = 0;
};

}  // namespace millrace

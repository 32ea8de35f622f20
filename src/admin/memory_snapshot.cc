#include "admin/memory_snapshot.h"

#include <ctime>

#include "admin/process_figures.h"
#include "base/json_line.h"
#include "runtime/process_memory.h"

namespace millrace {
namespace {

double seconds_since_epoch() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::string lines_json(const std::vector<MemoryLine>& lines) {
    return json_list(lines, [](const MemoryLine& line) {
        JsonLine one;
        one.add_text("class", line.name);
        one.add("objects", line.objects);
        one.add("bytes", line.bytes);
        one.add("reserved_bytes", line.reserved_bytes);
        return one.object();
    });
}

std::string shards_json(const std::vector<std::vector<MemoryLine>>& shards) {
    size_t index = 0;
    return json_list(shards, [&](const std::vector<MemoryLine>& lines) {
        JsonLine shard;
        shard.add("shard", index++);
        shard.add("lines", lines_json(lines));
        return shard.object();
    });
}

}  // namespace

MemorySnapshot take_memory_snapshot(const AdminSubject& subject) {
    MemorySnapshot snapshot;
    snapshot.time = seconds_since_epoch();
    snapshot.started = ProcessFigures::take().start_time_seconds;
    for (const ShardFigures& shard : subject.shards()) {
        std::vector<MemoryLine>& lines = snapshot.shards.emplace_back();
        shard.ledger->for_each([&](const LedgerLine& line) {
            lines.push_back({line.name, line.objects.read(), line.bytes.read(),
                             line.reserved_bytes.read()});
        });
    }
    for (const SharedMemoryLine& line : subject.shared_memory()) {
        snapshot.shared.push_back(
            {std::string(line.name), line.objects, line.bytes, line.reserved_bytes});
    }
    const ProcessMemory process = read_process_memory();
    snapshot.resident_bytes = process.resident_bytes;
    snapshot.huge_page_bytes = process.huge_page_bytes;
    snapshot.virtual_bytes = process.virtual_bytes;
    const HeapFigures heap = read_heap_figures();
    snapshot.heap_committed_bytes = heap.committed_bytes;
    snapshot.heap_used_bytes = heap.used_bytes;
    snapshot.kernel = subject.kernel_memory();
    return snapshot;
}

std::string to_json(const MemorySnapshot& snapshot) {
    JsonLine process;
    process.add("resident_bytes", snapshot.resident_bytes);
    process.add("huge_page_bytes", snapshot.huge_page_bytes);
    process.add("virtual_bytes", snapshot.virtual_bytes);
    process.add("heap_committed_bytes", json_number(snapshot.heap_committed_bytes));
    process.add("heap_used_bytes", json_number(snapshot.heap_used_bytes));
    JsonLine kernel;
    kernel.add("socket_bytes_estimate", json_number(snapshot.kernel.socket_bytes_estimate));
    kernel.add("rings_bytes_estimate", json_number(snapshot.kernel.rings_bytes_estimate));
    kernel.add("host_tcp_buffer_bytes", json_number(snapshot.kernel.host_tcp_buffer_bytes));
    JsonLine all;
    all.add_decimal("time", snapshot.time);
    all.add_decimal("started", snapshot.started);
    all.add("shards", shards_json(snapshot.shards));
    all.add("shared", lines_json(snapshot.shared));
    all.add("process", process.object());
    all.add("kernel", kernel.object());
    return all.object();
}

}  // namespace millrace

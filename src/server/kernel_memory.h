// What the kernel takes for a server, outside of its process.
// Owned by: nobody; constants and pure functions. Thread: any.
// Holds:    estimates: the kernel doesn't say whose its memory is.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "millrace/config.h"

namespace millrace {

// The broker's end of an idle connection, measured on Linux 6.18 between 4,000 and 9,000 of them
// (root: perf/memory.py --brokers millrace --shards 2 --low 4000 --high 9000): 3,829 of the socket
// and its file, 898 of the ring's receive that waits on it.
inline constexpr uint32_t kernel_socket_bytes = 4'727;
inline constexpr uint32_t submission_entry_bytes = 64 + 4;  // and its index
inline constexpr uint32_t completion_entry_bytes = 16;
inline constexpr uint32_t provided_buffer_entry_bytes = 16;
inline constexpr uint32_t file_table_entry_bytes = 8;

// Queues, buffer ring and file table of one shard's ring.
constexpr uint64_t ring_bytes(const UringOptions& uring, uint64_t files_max) {
    return uint64_t{uring.submission_entries} * submission_entry_bytes +
           uint64_t{uring.completion_entries} * completion_entry_bytes +
           uint64_t{uring.receive_buffer_count} * provided_buffer_entry_bytes +
           files_max * file_table_entry_bytes;
}

// What all TCP sockets of the host buffer, of the text of /proc/net/sockstat; nullopt when it isn't
// in there. It's no namespace's own.
std::optional<uint64_t> tcp_buffer_bytes_of(std::string_view sockstat, uint64_t page_bytes);
std::optional<uint64_t> read_tcp_buffer_bytes();

}  // namespace millrace

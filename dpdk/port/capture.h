// A pcap file of what a port receives and sends: a tool to look into a running server.
// Owned by: the port. record() from any shard's thread: it takes a lock, which is why nothing of
//           this exists while no capture is asked for.
// Holds:    the file never grows past `bytes_max`; then recording ends and is counted.
// Not here: filters: tcpdump -r and Wireshark have them.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace {

class Capture {
public:
    static Outcome<std::unique_ptr<Capture>> create(const std::string& path, uint64_t bytes_max);
    ~Capture();
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;

    // One frame, in parts that follow each other.
    void record(std::span<const Bytes> parts);
    uint64_t skipped_count() const { return skipped_.load(std::memory_order_relaxed); }

private:
    Capture(std::FILE* file, uint64_t bytes_max) : file_(file), bytes_max_(bytes_max) {}
    void write(Bytes bytes);

    std::mutex mutex_;
    std::FILE* file_;
    const uint64_t bytes_max_;
    uint64_t written_bytes_ = 0;
    int64_t flushed_second_ = 0;
    std::atomic<uint64_t> skipped_{0};  // written under the lock, read anywhere; orders nothing
};

}  // namespace millrace

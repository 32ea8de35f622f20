// The buffers that receives pick from: a ring shared with the kernel.
// Owned by: one transport, on its shard. The buffers' memory comes from the shard's arena.
// Holds:    a buffer is the kernel's, or lent to the layers above until give_back_lent().
//           Incremental buffers (Linux 6.12): one buffer takes several receives one after the
//           other, and comes back with the last of them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <liburing.h>

#include "base/bytes.h"
#include "base/result.h"
#include "runtime/arena.h"
#include "runtime/ledger.h"

namespace millrace::uring {

class Ring;

struct ReceiveBufferOptions {
    uint32_t buffer_bytes = 16'384;  // at most a chunk of the arena
    uint32_t buffer_count = 512;     // at most 32,768
    bool incremental = true;         // when the kernel has it
};

class ReceiveBuffers {
public:
    static constexpr uint16_t group = 0;

    static Outcome<std::unique_ptr<ReceiveBuffers>> create(Ring& ring,
                                                           const ReceiveBufferOptions& options,
                                                           Arena& arena, Ledger& ledger);
    ~ReceiveBuffers();
    ReceiveBuffers(const ReceiveBuffers&) = delete;
    ReceiveBuffers& operator=(const ReceiveBuffers&) = delete;

    // The `bytes` that a completion with these flags put into its buffer. When that was the
    // buffer's last receive, it's lent from now on.
    Bytes take(uint32_t completion_flags, uint32_t bytes);
    // The lent ones go back to the kernel: nobody looks at them any more.
    void give_back_lent();

    bool is_incremental() const { return incremental_; }
    uint32_t buffer_count() const { return static_cast<uint32_t>(buffers_.size()); }

private:
    struct Buffer {
        uint8_t* memory;
        uint32_t used;  // by receives since the kernel got it
    };
    explicit ReceiveBuffers(Arena& arena, LedgerLine& line) : arena_(arena), line_(line) {}
    bool take_memory(const ReceiveBufferOptions& options);
    bool register_ring(Ring& ring, bool incremental);
    void offer(uint16_t id, int position);

    Arena& arena_;
    LedgerLine& line_;
    io_uring_buf_ring* ring_ = nullptr;
    size_t ring_bytes_ = 0;
    uint32_t entries_ = 0;
    uint32_t buffer_bytes_ = 0;
    bool incremental_ = false;
    std::vector<std::byte*> chunks_;
    std::vector<Buffer> buffers_;
    std::vector<uint16_t> lent_;
};

}  // namespace millrace::uring

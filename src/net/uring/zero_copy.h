// Sends that the kernel takes from our memory without copying: what they hold until it lets go.
// Owned by: one transport, on its shard.
// Holds:    a ZeroCopySend counts one reference for each slot it sends from. It's made with the
//           submission and dropped with the last completion: the notification when the result
//           announced one, else the result itself.
// Not here: whether to send that way (reconcile.cc).
#pragma once

#include <cstdint>

#include <liburing.h>
#include <sys/uio.h>

#include "net/connection.h"
#include "runtime/block.h"
#include "runtime/slab.h"

namespace millrace::uring {

class Ring;

struct ZeroCopySend {
    Connection* connection;
    uint32_t block_count;
    Block** blocks() { return reinterpret_cast<Block**>(this + 1); }

    static uint32_t bytes_for(uint32_t block_count) {
        return static_cast<uint32_t>(sizeof(ZeroCopySend) + block_count * sizeof(Block*));
    }
    // Holds the oldest `slot_count` slots of the connection. Null when memory is used up.
    static ZeroCopySend* try_make(Heap& heap, BlockPool& blocks, Connection& connection,
                                  uint32_t slot_count);
    static void drop(Heap& heap, BlockPool& blocks, ZeroCopySend* send);
};
static_assert(sizeof(ZeroCopySend) == 16);

void prepare_send_zero_copy(io_uring_sqe& entry, const ZeroCopySend& send, Slice slice,
                            bool report_usage);
void prepare_sendmsg_zero_copy(io_uring_sqe& entry, const ZeroCopySend& send,
                               const msghdr& message, bool report_usage);

// Standard blocks as the ring's fixed buffers: the kernel needs not look their pages up.
class FixedBuffers {
public:
    // Table of that many entries; without it nothing is ever registered.
    FixedBuffers(Ring& ring, uint32_t entries_max);

    // The entry that covers it; -1 when the table or the locked-memory limit is full.
    int32_t try_register(std::byte* memory, uint32_t bytes);
    uint32_t count() const { return count_; }

private:
    Ring& ring_;
    uint32_t entries_ = 0;
    uint32_t count_ = 0;
};

}  // namespace millrace::uring

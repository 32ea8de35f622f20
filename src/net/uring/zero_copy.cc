#include "net/uring/zero_copy.h"

#include "net/uring/kernel_constants.h"
#include "net/uring/ring.h"
#include "net/uring/submission.h"

namespace millrace::uring {

namespace {

// Never waits in the kernel: what waits may have to be cancelled, and only an operation that is
// named by its connection can be found then. -EAGAIN is followed by a wait for room.
constexpr int zero_copy_flags = MSG_NOSIGNAL | MSG_DONTWAIT;

}  // namespace

ZeroCopySend* ZeroCopySend::try_make(Heap& heap, BlockPool& blocks, Connection& connection,
                                     uint32_t slot_count) {
    auto* send = static_cast<ZeroCopySend*>(heap.try_allocate(bytes_for(slot_count)));
    if (send == nullptr) return nullptr;
    *send = {&connection, slot_count};
    for (uint32_t index = 0; index < slot_count; ++index) {
        send->blocks()[index] = connection.out.at(index).block;
        blocks.hold(*send->blocks()[index]);
    }
    return send;
}

void ZeroCopySend::drop(Heap& heap, BlockPool& blocks, ZeroCopySend* send) {
    for (uint32_t index = 0; index < send->block_count; ++index) {
        blocks.release(*send->blocks()[index]);
    }
    heap.free(send, bytes_for(send->block_count));
}

void prepare_send_zero_copy(io_uring_sqe& entry, const ZeroCopySend& send, Slice slice,
                            bool report_usage) {
    const int file = static_cast<int>(send.connection->file_index);
    const unsigned flags = report_usage ? send_zero_copy_report_usage : 0;
    io_uring_prep_send_zc(&entry, file, slice.data(), slice.length, zero_copy_flags,
                            flags);
    if (slice.block->registered_index >= 0) {
        entry.ioprio |= IORING_RECVSEND_FIXED_BUF;
        entry.buf_index = static_cast<uint16_t>(slice.block->registered_index);
    }
    on_fixed_file(entry);
    entry.user_data = pack(Operation::zero_copy, &send);
}

void prepare_sendmsg_zero_copy(io_uring_sqe& entry, const ZeroCopySend& send,
                               const msghdr& message, bool report_usage) {
    const int file = static_cast<int>(send.connection->file_index);
    io_uring_prep_sendmsg_zc(&entry, file, &message, zero_copy_flags);
    if (report_usage) entry.ioprio |= send_zero_copy_report_usage;
    on_fixed_file(entry);
    entry.user_data = pack(Operation::zero_copy, &send);
}

FixedBuffers::FixedBuffers(Ring& ring, uint32_t entries_max) : ring_(ring) {
    if (io_uring_register_buffers_sparse(&ring.raw(), entries_max) == 0) entries_ = entries_max;
}

int32_t FixedBuffers::try_register(std::byte* memory, uint32_t bytes) {
    if (count_ == entries_) return -1;
    const iovec range{memory, bytes};
    const __u64 tag = 0;
    if (io_uring_register_buffers_update_tag(&ring_.raw(), count_, &range, &tag, 1) != 1) {
        entries_ = count_;  // a limit was reached: asking again for each block is of no use
        return -1;
    }
    return static_cast<int32_t>(count_++);
}

}  // namespace millrace::uring

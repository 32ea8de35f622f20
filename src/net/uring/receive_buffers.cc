#include "net/uring/receive_buffers.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <sys/mman.h>

#include "base/assert.h"
#include "net/uring/kernel_constants.h"
#include "net/uring/ring.h"

namespace millrace::uring {

Outcome<std::unique_ptr<ReceiveBuffers>> ReceiveBuffers::create(Ring& ring,
                                                                const ReceiveBufferOptions& options,
                                                                Arena& arena, Ledger& ledger) {
    std::unique_ptr<ReceiveBuffers> made{
        new ReceiveBuffers(arena, ledger.line("receive buffers"))};
    if (!made->take_memory(options)) {
        return fail(Errc::exhausted, "io_uring: no memory for the receive buffers; lower "
                                     "receive_buffer_count or raise memory_bytes_max");
    }
    const bool registered = (options.incremental && made->register_ring(ring, true)) ||
                            made->register_ring(ring, false);
    if (!registered) {
        return fail(Errc::unsupported, "io_uring: the kernel refuses a ring of receive buffers");
    }
    io_uring_buf_ring_init(made->ring_);
    for (uint32_t id = 0; id < made->buffers_.size(); ++id) {
        made->offer(static_cast<uint16_t>(id), static_cast<int>(id));
    }
    io_uring_buf_ring_advance(made->ring_, static_cast<int>(made->buffers_.size()));
    return made;
}

ReceiveBuffers::~ReceiveBuffers() {
    for (std::byte* chunk : chunks_) arena_.give_back_chunk(chunk);
    line_.objects.subtract(buffers_.size());
    line_.bytes.subtract(uint64_t{buffers_.size()} * buffer_bytes_);
    line_.reserved_bytes.subtract(uint64_t{chunks_.size()} * Arena::chunk_bytes);
    if (ring_ != nullptr) ::munmap(ring_, ring_bytes_);
}

bool ReceiveBuffers::take_memory(const ReceiveBufferOptions& options) {
    const uint32_t count = std::clamp<uint32_t>(options.buffer_count, 1, 32'768);
    buffer_bytes_ = std::clamp<uint32_t>(options.buffer_bytes, 64, Arena::chunk_bytes);
    buffers_.reserve(count);
    lent_.reserve(count);
    const uint32_t per_chunk = Arena::chunk_bytes / buffer_bytes_;
    while (buffers_.size() < count) {
        std::byte* chunk = arena_.try_take_chunk();
        if (chunk == nullptr) return false;
        chunks_.push_back(chunk);
        // Touched now rather than by the first receive: no page fault later, and what a
        // connection costs is not mixed up with buffers coming into use.
        std::memset(chunk, 0, Arena::chunk_bytes);
        line_.reserved_bytes.add(Arena::chunk_bytes);
        for (uint32_t index = 0; index < per_chunk && buffers_.size() < count; ++index) {
            buffers_.push_back({reinterpret_cast<uint8_t*>(chunk) + index * buffer_bytes_, 0});
            line_.objects.add();
            line_.bytes.add(buffer_bytes_);
        }
    }
    entries_ = std::bit_ceil(count);
    ring_bytes_ = entries_ * sizeof(io_uring_buf);
    void* memory = ::mmap(nullptr, ring_bytes_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    ring_ = static_cast<io_uring_buf_ring*>(memory);
    return true;
}

bool ReceiveBuffers::register_ring(Ring& ring, bool incremental) {
    io_uring_buf_reg request{};
    request.ring_addr = reinterpret_cast<uintptr_t>(ring_);
    request.ring_entries = entries_;
    request.bgid = group;
    request.pad = incremental ? buffer_ring_incremental : 0;
    if (io_uring_register_buf_ring(&ring.raw(), &request, 0) != 0) return false;
    incremental_ = incremental;
    return true;
}

void ReceiveBuffers::offer(uint16_t id, int position) {
    buffers_[id].used = 0;
    io_uring_buf_ring_add(ring_, buffers_[id].memory, buffer_bytes_, id,
                          io_uring_buf_ring_mask(entries_), position);
}

Bytes ReceiveBuffers::take(uint32_t completion_flags, uint32_t bytes) {
    const auto id = static_cast<uint16_t>(completion_flags >> IORING_CQE_BUFFER_SHIFT);
    Buffer& buffer = buffers_[id];
    const Bytes taken{buffer.memory + buffer.used, bytes};
    buffer.used += bytes;
    MR_ASSERT(buffer.used <= buffer_bytes_);
    if ((completion_flags & completion_buffer_more) == 0) lent_.push_back(id);
    return taken;
}

void ReceiveBuffers::give_back_lent() {
    if (lent_.empty()) return;
    int position = 0;
    for (const uint16_t id : lent_) offer(id, position++);
    io_uring_buf_ring_advance(ring_, position);
    lent_.clear();
}

}  // namespace millrace::uring

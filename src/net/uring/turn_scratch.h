// Memory for what submissions point at until the kernel has taken them over (it copies messages,
// vectors and addresses when it accepts an entry: IORING_FEAT_SUBMIT_STABLE).
// Owned by: one transport, on its shard.
// Holds:    bytes handed out stay valid until reset(), which the owner calls only while no entry
//           is pending.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace millrace::uring {

class TurnScratch {
public:
    static constexpr uint32_t bytes_max = 256 * 1024;

    TurnScratch() : memory_(std::make_unique<std::byte[]>(bytes_max)) {}

    bool has(uint32_t bytes) const { return bytes_max - used_ >= bytes; }
    // 8-aligned; null when has() says no.
    void* take(uint32_t bytes) {
        bytes = (bytes + 7) & ~7u;
        if (!has(bytes)) return nullptr;
        void* taken = memory_.get() + used_;
        used_ += bytes;
        return taken;
    }
    void reset() { used_ = 0; }

private:
    std::unique_ptr<std::byte[]> memory_;
    uint32_t used_ = 0;
};

}  // namespace millrace::uring

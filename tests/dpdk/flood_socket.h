// Whole frames out of an interface and past its queue, as fast as the kernel takes them; and those
// that pass there, as they are.
// Owned by: flood, on its only thread.
// Holds:    what it has sent itself it doesn't see again (PACKET_QDISC_BYPASS goes past the taps).
// Not here: making or reading them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flood_frame.h"

namespace millrace::test {

class FloodSocket {
public:
    // Throws std::system_error. `listens`: it also receives.
    FloodSocket(const std::string& interface, bool listens);
    ~FloodSocket();
    FloodSocket(const FloodSocket&) = delete;
    FloodSocket& operator=(const FloodSocket&) = delete;

    const Mac& mac() const { return mac_; }
    // Room for the next frame; commit() takes it into the batch, and a full batch leaves.
    std::span<uint8_t> room();
    void commit(size_t bytes);
    void flush();
    // A frame that has passed since, in either direction; empty when there's none. Valid until
    // the next call.
    Bytes receive();

    uint64_t sent_count() const { return sent_count_; }
    uint64_t refused_count() const { return refused_count_; }  // the kernel had no memory for them

private:
    static constexpr size_t batch_count_max = 64;

    int descriptor_ = -1;
    Mac mac_{};
    std::vector<std::array<uint8_t, frame_bytes_max>> frames_;
    std::vector<size_t> lengths_;
    std::array<uint8_t, frame_bytes_max> received_{};
    uint64_t sent_count_ = 0;
    uint64_t refused_count_ = 0;
};

}  // namespace millrace::test

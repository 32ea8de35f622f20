#include "port/capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace millrace {
namespace {

// The classic pcap format (draft-ietf-opsawg-pcap, 4 and 5) in the writer's byte order.
constexpr uint32_t magic_nanoseconds = 0xa1b2'3c4d;
constexpr uint32_t link_type_ethernet = 1;
constexpr uint32_t snap_bytes = 65'535;

struct FileHeader {
    uint32_t magic = magic_nanoseconds;
    uint16_t version_major = 2;
    uint16_t version_minor = 4;
    uint32_t reserved[2] = {0, 0};
    uint32_t snap = snap_bytes;
    uint32_t link_type = link_type_ethernet;
};
static_assert(sizeof(FileHeader) == 24);

struct RecordHeader {
    uint32_t seconds;
    uint32_t nanoseconds;
    uint32_t captured_bytes;
    uint32_t frame_bytes;
};
static_assert(sizeof(RecordHeader) == 16);

template <class Header>
Bytes bytes_of(const Header& header) {
    return {reinterpret_cast<const uint8_t*>(&header), sizeof(Header)};
}

}  // namespace

Outcome<std::unique_ptr<Capture>> Capture::create(const std::string& path, uint64_t bytes_max) {
    std::FILE* file = std::fopen(path.c_str(), "we");
    if (file == nullptr) {
        return fail(Errc::system,
                    fmt::format("the capture can't be written to {}: {}", path,
                                std::strerror(errno)));
    }
    std::unique_ptr<Capture> capture(new Capture(file, bytes_max));
    capture->write(bytes_of(FileHeader{}));
    return capture;
}

Capture::~Capture() { std::fclose(file_); }

void Capture::record(std::span<const Bytes> parts) {
    uint64_t frame_bytes = 0;
    for (const Bytes part : parts) frame_bytes += part.size();
    const auto captured = static_cast<uint32_t>(std::min<uint64_t>(frame_bytes, snap_bytes));

    const std::lock_guard<std::mutex> lock(mutex_);
    // The time is taken under the lock, so that records stand in its order.
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    if (written_bytes_ + sizeof(RecordHeader) + captured > bytes_max_) {
        skipped_.store(skipped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return;
    }
    write(bytes_of(RecordHeader{static_cast<uint32_t>(now.tv_sec),
                                static_cast<uint32_t>(now.tv_nsec), captured,
                                static_cast<uint32_t>(frame_bytes)}));
    uint64_t left = captured;
    for (const Bytes part : parts) {
        const uint64_t taken = std::min<uint64_t>(left, part.size());
        write(part.first(taken));
        left -= taken;
    }
    // Whoever looks at the file of a running server sees the last second at most missing.
    if (now.tv_sec != flushed_second_) {
        std::fflush(file_);
        flushed_second_ = now.tv_sec;
    }
}

void Capture::write(Bytes bytes) {
    if (bytes.empty()) return;
    written_bytes_ += std::fwrite(bytes.data(), 1, bytes.size(), file_);
}

}  // namespace millrace

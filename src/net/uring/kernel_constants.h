// io_uring constants that are newer than the liburing headers of the oldest system we build on.
// Owned by: nobody; values of the kernel's interface, each with the kernel that brought it.
// Holds:    nothing here is used before a probe or a capability bit has said that it's there.
#pragma once

#include <cstdint>

namespace millrace::uring {

// io_uring_params.features
constexpr uint32_t feature_registered_ring_only = 1u << 13;  // 6.3; tells 6.2's send flags too

// sqe.ioprio of zero-copy sends
constexpr uint16_t send_zero_copy_report_usage = 1u << 3;    // 6.2

// io_uring_buf_reg.flags (the field is called `pad` in older headers)
constexpr uint16_t buffer_ring_incremental = 2;              // 6.12

// cqe.flags
constexpr uint32_t completion_buffer_more = 1u << 4;         // 6.12

// cqe.res of a zero-copy notification
constexpr uint32_t notification_copied = 1u << 31;           // 6.2

// io_uring_register opcodes
constexpr unsigned register_enable_rings = 12;               // 5.10; absent from liburing 2.3's .so
constexpr unsigned register_napi = 27;                       // 6.9

struct NapiRequest {
    uint32_t busy_poll_us;
    uint8_t prefer_busy_poll;
    uint8_t zero[3];
    uint64_t reserved;
};
static_assert(sizeof(NapiRequest) == 16);

}  // namespace millrace::uring

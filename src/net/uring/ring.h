// A submission and completion ring: setup, what the kernel can do, submit and reap.
// Owned by: one transport. Created on any thread; from enable() on, used on that thread only.
// Holds:    next() never fails after make_room() said yes; entries reach the kernel in order, with
//           the next enter. A completion is never lost: what overflows is kept by the kernel and
//           comes with a later enter.
// Not here: what operations mean (submission.h, uring_transport.h).
#pragma once

#include <cstdint>
#include <memory>

#include <liburing.h>

#include "base/result.h"
#include "base/time.h"

namespace millrace::uring {

struct RingOptions {
    uint32_t submission_entries = 4'096;
    uint32_t completion_entries = 16'384;
};

// What the running kernel has beyond the floor (Linux 6.1).
struct Capabilities {
    bool send_zero_copy = false;
    bool sendmsg_zero_copy = false;
    bool zero_copy_report = false;   // notifications tell whether the kernel copied
    bool registered_ring = false;    // the enter call needs no descriptor look-up
};

class Ring {
public:
    static Outcome<std::unique_ptr<Ring>> create(const RingOptions& options);
    ~Ring();
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    // From here on the ring belongs to the calling thread. 0 or -errno.
    int enable();

    // Whether `count` entries can be taken; hands pending ones to the kernel when that's needed.
    bool make_room(uint32_t count);
    io_uring_sqe& next();
    uint32_t pending() const;

    // Hands pending entries to the kernel without waiting. True when none is left.
    bool submit();
    // Submits, runs the kernel's deferred work, and waits for a completion, at most `wait`.
    void submit_and_wait(Duration wait);
    // Whether the kernel has work that only an enter call gets done.
    bool wants_enter() const {
        return (flags() & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
    }
    bool overflowed() const { return (flags() & IORING_SQ_CQ_OVERFLOW) != 0; }

    // Completions that are there: ready() of them, at(0) the oldest, until advance().
    uint32_t ready() const;
    const io_uring_cqe& at(uint32_t index) const;
    void advance(uint32_t count);

    const Capabilities& capabilities() const { return capabilities_; }
    uint64_t enter_count() const { return enter_count_; }
    io_uring& raw() { return ring_; }

private:
    Ring() = default;
    void probe();
    uint32_t flags() const;
    int enter(uint32_t wait_count, uint32_t flags, io_uring_getevents_arg* argument);

    io_uring ring_{};
    Capabilities capabilities_;
    uint64_t enter_count_ = 0;
    bool initialised_ = false;
};

}  // namespace millrace::uring

#include "server/doctor/probe.h"

#include <algorithm>

#include "net/uring/receive_buffers.h"
#include "net/uring/ring.h"
#include "runtime/arena.h"
#include "runtime/clock.h"
#include "runtime/ledger.h"

namespace millrace::doctor {

UringFacts probe_uring(const UringFacts& known) {
    UringFacts found = known;
    found.probed = true;
    found.refusal.clear();
    const auto ring = uring::Ring::create({.submission_entries = 8, .completion_entries = 16});
    if (!ring) {
        found.refusal = ring.error().message;
        return found;
    }
    if ((*ring)->enable() < 0) {
        found.refusal = "io_uring: the ring can't be switched on";
        return found;
    }
    const uring::Capabilities& has = (*ring)->capabilities();
    found.send_zero_copy = has.send_zero_copy && has.sendmsg_zero_copy;
    found.zero_copy_report = has.zero_copy_report;
    found.registered_ring = has.registered_ring;

    Ledger ledger;
    const auto arena = Arena::create({Arena::chunk_bytes * 4, HugePages::off});
    if (!arena) return found;
    const auto buffers = uring::ReceiveBuffers::create(
        **ring, {.buffer_bytes = 4'096, .buffer_count = 8}, **arena, ledger);
    if (!buffers) {
        found.refusal = buffers.error().message;
        return found;
    }
    found.incremental_buffers = (*buffers)->is_incremental();
    return found;
}

uint64_t measure_clock_read_ns() {
    constexpr int rounds = 5;
    constexpr int64_t readings = 2'000;
    int64_t best = INT64_MAX;  // of several, as the thread may be interrupted
    for (int round = 0; round < rounds; ++round) {
        const Instant begin = monotonic_now();
        Instant end = begin;
        for (int64_t reading = 0; reading < readings; ++reading) end = monotonic_now();
        best = std::min(best, (end - begin).nanoseconds / readings);
    }
    return static_cast<uint64_t>(best);
}

}  // namespace millrace::doctor

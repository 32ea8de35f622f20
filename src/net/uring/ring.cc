#include "net/uring/ring.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/assert.h"
#include "net/uring/kernel_constants.h"

namespace millrace::uring {

Outcome<std::unique_ptr<Ring>> Ring::create(const RingOptions& options) {
    std::unique_ptr<Ring> ring{new Ring};
    io_uring_params params{};
    // Disabled at first: the thread that enables the ring becomes its single issuer.
    params.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
                   IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    const uint32_t submissions = std::max<uint32_t>(options.submission_entries, 8);
    params.cq_entries = std::max(options.completion_entries, std::bit_ceil(submissions));
    const int result = io_uring_queue_init_params(submissions, &ring->ring_, &params);
    if (result == -EINVAL) {
        return fail(Errc::unsupported,
                    "io_uring: this kernel lacks what is needed; Linux 6.1 or newer has it");
    }
    if (result == -EPERM || result == -ENOSYS) {
        return fail(Errc::unsupported, "io_uring: not allowed here (sysctl "
                                       "kernel.io_uring_disabled, or a seccomp filter)");
    }
    if (result < 0) {
        return fail(Errc::system, std::string("io_uring: setup failed: ") + std::strerror(-result));
    }
    ring->initialised_ = true;
    // Entry i of the submission ring is always sqe i, so that submitting is one store.
    for (uint32_t index = 0; index < ring->ring_.sq.ring_entries; ++index) {
        ring->ring_.sq.array[index] = index;
    }
    ring->probe();
    return ring;
}

Ring::~Ring() {
    if (initialised_) io_uring_queue_exit(&ring_);
}

void Ring::probe() {
    io_uring_probe* probe = io_uring_get_probe_ring(&ring_);
    if (probe != nullptr) {
        capabilities_.send_zero_copy = io_uring_opcode_supported(probe, IORING_OP_SEND_ZC) != 0;
        capabilities_.sendmsg_zero_copy =
            io_uring_opcode_supported(probe, IORING_OP_SENDMSG_ZC) != 0;
        io_uring_free_probe(probe);
    }
    capabilities_.zero_copy_report = (ring_.features & feature_registered_ring_only) != 0;
}

int Ring::enable() {
    const int result = io_uring_register(static_cast<unsigned>(ring_.ring_fd),
                                         register_enable_rings, nullptr, 0);
    if (result < 0) return result;
    capabilities_.registered_ring = io_uring_register_ring_fd(&ring_) == 1;
    return 0;
}

uint32_t Ring::flags() const {
    return std::atomic_ref<unsigned>(*ring_.sq.kflags).load(std::memory_order_relaxed);
}

uint32_t Ring::pending() const {
    return ring_.sq.sqe_tail - io_uring_smp_load_acquire(ring_.sq.khead);
}

bool Ring::make_room(uint32_t count) {
    if (ring_.sq.ring_entries - pending() >= count) return true;
    submit();
    return ring_.sq.ring_entries - pending() >= count;
}

io_uring_sqe& Ring::next() {
    MR_ASSERT(pending() < ring_.sq.ring_entries);
    io_uring_sqe& entry = ring_.sq.sqes[ring_.sq.sqe_tail & ring_.sq.ring_mask];
    ++ring_.sq.sqe_tail;
    std::memset(&entry, 0, sizeof(entry));
    return entry;
}

int Ring::enter(uint32_t wait_count, uint32_t flags, io_uring_getevents_arg* argument) {
    io_uring_smp_store_release(ring_.sq.ktail, ring_.sq.sqe_tail);
    const int descriptor = capabilities_.registered_ring ? ring_.enter_ring_fd : ring_.ring_fd;
    if (capabilities_.registered_ring) flags |= IORING_ENTER_REGISTERED_RING;
    ++enter_count_;
    const int result =
        argument == nullptr
            ? io_uring_enter2(static_cast<unsigned>(descriptor), pending(), wait_count, flags,
                              nullptr, _NSIG / 8)
            : io_uring_enter2(static_cast<unsigned>(descriptor), pending(), wait_count, flags,
                              reinterpret_cast<sigset_t*>(argument), sizeof(*argument));
    // Another thread than the one that enabled the ring: a bug of ours.
    MR_ASSERT(result != -EEXIST);
    return result;
}

bool Ring::submit() {
    if (pending() == 0) return true;
    enter(0, IORING_ENTER_GETEVENTS, nullptr);
    return pending() == 0;
}

void Ring::submit_and_wait(Duration wait) {
    if (wait <= Duration::ns(0)) {
        enter(0, IORING_ENTER_GETEVENTS, nullptr);
        return;
    }
    __kernel_timespec timeout{wait.to_s(), wait.nanoseconds % 1'000'000'000};
    io_uring_getevents_arg argument{};
    argument.sigmask_sz = _NSIG / 8;
    argument.ts = reinterpret_cast<uintptr_t>(&timeout);
    enter(1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument);
}

uint32_t Ring::ready() const {
    return io_uring_smp_load_acquire(ring_.cq.ktail) - *ring_.cq.khead;
}

const io_uring_cqe& Ring::at(uint32_t index) const {
    return ring_.cq.cqes[(*ring_.cq.khead + index) & ring_.cq.ring_mask];
}

void Ring::advance(uint32_t count) {
    io_uring_smp_store_release(ring_.cq.khead, *ring_.cq.khead + count);
}

}  // namespace millrace::uring

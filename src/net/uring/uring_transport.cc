#include "net/uring/uring_transport.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

#include "net/counter_text.h"
#include "net/uring/kernel_constants.h"
#include "net/uring/sockets.h"
#include "net/uring/submission.h"
#include "runtime/clock.h"

namespace millrace {

using namespace uring;

namespace {

// Blocks that can be registered: 256 MiB of them a shard.
constexpr uint32_t fixed_buffers_max = 4'096;

// The size of a file table is bounded by the descriptor limit, though its sockets use none.
uint32_t descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1'024;
    if (limit.rlim_cur < limit.rlim_max) {
        rlimit raised{limit.rlim_max, limit.rlim_max};
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    return static_cast<uint32_t>(std::min<rlim_t>(limit.rlim_cur, 1u << 30));
}

}  // namespace

Outcome<std::unique_ptr<UringTransport>> UringTransport::create(
    const UringTransportOptions& options, Arena& arena, Ledger& ledger, Heap& heap,
    BlockPool& blocks, Waker& waker) {
    std::unique_ptr<UringTransport> transport{
        new UringTransport(options, arena, ledger, heap, blocks, waker)};
    if (std::optional<Error> error = transport->set_up(arena, ledger)) {
        return tl::unexpected<Error>(std::move(*error));
    }
    return transport;
}

UringTransport::UringTransport(const UringTransportOptions& options, Arena& arena, Ledger& ledger,
                               Heap& heap, BlockPool& blocks, Waker& waker)
    : options_(options), heap_(heap), blocks_(blocks), waker_(waker), lingering_(heap),
      connections_(arena, ledger.line("connections")), outbox_(heap, blocks) {
    events_.reserve(events_max);
    freed_next_.reserve(events_max);
}

UringTransport::~UringTransport() {
    if (fixed_buffers_ != nullptr) blocks_.set_registrar({});
    for (auto& listener : listeners_) {
        if (listener->descriptor >= 0) ::close(listener->descriptor);
    }
    // First of all: it ends every operation, and they look at the rest.
    ring_.reset();
}

std::optional<Error> UringTransport::set_up(Arena& arena, Ledger& ledger) {
    auto ring = Ring::create({options_.submission_entries, options_.completion_entries});
    if (!ring) return std::move(ring.error());
    ring_ = std::move(*ring);
    if (!register_file_table()) {
        return Error{Errc::system, "io_uring: no file table; is RLIMIT_NOFILE tiny?"};
    }
    auto buffers = ReceiveBuffers::create(
        *ring_,
        {options_.receive_buffer_bytes, options_.receive_buffer_count,
         options_.incremental_buffers},
        arena, ledger);
    if (!buffers) return std::move(buffers.error());
    buffers_ = std::move(*buffers);

    if (options_.zero_copy_bytes_min > 0 && ring_->capabilities().send_zero_copy) {
        fixed_buffers_ = std::make_unique<FixedBuffers>(*ring_, fixed_buffers_max);
        blocks_.set_registrar(
            {fixed_buffers_.get(), [](void* context, std::byte* memory, uint32_t bytes) {
                 return static_cast<FixedBuffers*>(context)->try_register(memory, bytes);
             }});
    }
    if (options_.napi_busy_poll_us > 0) {
        NapiRequest request{};
        request.busy_poll_us = options_.napi_busy_poll_us;
        napi_on_ = io_uring_register(static_cast<unsigned>(ring_->raw().ring_fd), register_napi,
                                     &request, 1) == 0;
    }
    return std::nullopt;
}

bool UringTransport::register_file_table() {
    slots_ = std::max<uint32_t>(1, std::min(options_.connections_max, descriptor_limit()));
    while (io_uring_register_files_sparse(&ring_->raw(), slots_) != 0) {
        // A limit that getrlimit doesn't show: take what there is.
        if (slots_ < 64) return false;
        slots_ /= 2;
    }
    return true;
}

std::string UringTransport::describe() const {
    std::string line = "io_uring: multishot accept+receive, direct descriptors(" +
                       std::to_string(slots_) + ")";
    line += buffers_->is_incremental() ? ", incremental buffers" : ", provided buffers";
    if (fixed_buffers_ == nullptr) {
        line += options_.zero_copy_bytes_min == 0 ? ", zero-copy off" : ", zero-copy not supported";
    } else {
        line += ", zero-copy from " + std::to_string(options_.zero_copy_bytes_min) + " bytes";
        if (!ring_->capabilities().zero_copy_report) line += " (copies unreported)";
    }
    if (options_.napi_busy_poll_us > 0) line += napi_on_ ? ", napi" : ", napi not supported";
    return line;
}

void UringTransport::dump(std::string& out) const {
    out += describe() + "\nnow\n";
    put_count(out, "connections", connection_count());
    put_transport(out, counters_);
}

Outcome<uint16_t> UringTransport::listen(const Endpoint& local) {
    const auto listening =
        open_listening(local, {options_.listen_backlog, options_.socket_send_bytes,
                               options_.send_timeout_ms});
    if (!listening) return tl::unexpected<Error>(listening.error());
    listeners_.push_back(std::make_unique<Listener>(Listener{listening->descriptor}));
    return listening->port;
}

void UringTransport::stop_listening() {
    // A listener's object stays: the end of its accept is still to come.
    for (auto& listener : listeners_) {
        if (listener->descriptor < 0) continue;
        cancel_accept(*listener);
        ::close(listener->descriptor);
        listener->descriptor = -1;
    }
}

void UringTransport::set_send_timeout(Duration timeout) {
    for (const auto& listener : listeners_) {
        if (listener->descriptor >= 0) {
            uring::set_send_timeout(listener->descriptor, static_cast<uint32_t>(timeout.to_ms()));
        }
    }
}

Connection* UringTransport::connect(const ConnectOptions& options) {
    const Result<SocketAddress> remote = parse_address(options.remote);
    if (!remote || slots_used_ >= slots_) return nullptr;
    start();
    // The three entries have to reach the kernel in one go, see below.
    if (!ring_->make_room(3) || !scratch_has(sizeof(SocketAddress))) return nullptr;
    const int descriptor =
        open_client(*remote, options.source_host, options_.socket_send_bytes);
    if (descriptor < 0) return nullptr;
    Connection* connection = connections_.try_make();
    if (connection == nullptr) {
        ::close(descriptor);
        return nullptr;
    }
    auto* address = new (scratch_.take(sizeof(SocketAddress))) SocketAddress(*remote);

    // Entries are issued in order, each at once: the connect begins on the ordinary descriptor,
    // the file table gets the socket, and the descriptor is closed. What is in flight holds the
    // file. So a socket could be bound and given options, and yet costs no descriptor.
    connection->is_client = true;
    connection->file_index = static_cast<uint32_t>(descriptor);
    prepare_connect(ring_->next(), *connection, descriptor, address->get(), address->bytes);
    prepare_install(ring_->next(), *connection);
    prepare_close_descriptor(ring_->next(), descriptor);
    connection->connecting = true;
    connection->installing = true;
    connection->operations = 2;
    ++slots_used_;  // promised; given back when the install fails
    ++connection_count_;
    return connection;
}

void UringTransport::cancel_accept(Listener& listener) {
    if (!listener.armed || listener.cancelling || !ring_->make_room(1)) return;
    prepare_cancel_accept(ring_->next(), &listener);
    listener.cancelling = true;
}

void UringTransport::start() {
    if (started_) return;
    const int result = ring_->enable();
    MR_ASSERT(result == 0);
    started_ = true;
}

bool UringTransport::accept_allowed() const {
    return now_ >= accept_again_ && slots_used_ < slots_;
}

// What always stands in the kernel: the watch on the waker, and an accept for each listener.
void UringTransport::arm_standing() {
    if (!waker_armed_ && ring_->make_room(1)) {
        prepare_waker(ring_->next(), waker_.descriptor());
        waker_armed_ = true;
    }
    if (!accept_allowed()) return;
    for (auto& listener : listeners_) {
        if (listener->armed || listener->descriptor < 0 || !ring_->make_room(1)) continue;
        prepare_accept(ring_->next(), listener->descriptor, listener.get());
        listener->armed = true;
    }
}

void UringTransport::enter(Instant wait_until) {
    waited_since_ = Instant::never();
    // A send is done, or waits for room, when the call that submits it returns; its completion is
    // there then, so that a wait would end at once. Only where none has come, time is spent on one.
    if (std::exchange(sends_are_new_, false) && ring_->pending() != 0) {
        submit_and_wait({});
        if (ring_->ready() != 0) return;
    }
    Duration wait{};
    if (ring_->ready() == 0 && !work_left_ && wait_until > now_) {
        wait_until = std::min(wait_until, lingering_.next_deadline());
        if (accept_again_ > now_) wait_until = std::min(wait_until, accept_again_);
        const Instant before = monotonic_now();
        wait = wait_until - before;
        if (wait > Duration::ns(0)) waited_since_ = before;
    }
    if (wait <= Duration::ns(0) && ring_->pending() == 0 && !ring_->wants_enter()) return;
    submit_and_wait(wait);
}

void UringTransport::submit_and_wait(Duration wait) {
    if (ring_->overflowed()) counters_.completion_overflows.add();
    ring_->submit_and_wait(wait);
    if (ring_->pending() == 0) scratch_.reset();
}

std::span<const Event> UringTransport::poll(Instant wait_until) {
    start();
    arm_standing();
    events_.clear();
    enter(wait_until);
    // Sends that are simply done are nobody's event: a turn of their own would find nothing to do.
    if (take_completions() && waited_since_ == Instant::never()) {
        enter(wait_until);
        take_completions();
    }
    return events_;
}

// True: all that was there was sends, and they leave nothing to do.
bool UringTransport::take_completions() {
    const uint64_t sends_before = counters_.sends.read();
    const uint32_t count = std::min(ring_->ready(), completions_per_poll);
    uint32_t done = 0;
    while (done < count && events_.size() < events_max) on_completion(ring_->at(done++));
    ring_->advance(done);
    return done != 0 && counters_.sends.read() - sends_before == done && events_.empty() &&
           outbox_.empty() && freed_next_.empty();
}

void UringTransport::flush(Instant now) {
    now_ = now;
    now_ms_ = static_cast<uint32_t>(now.to_ms());
    start();
    buffers_->give_back_lent();
    work_left_ = false;
    expire(now);
    shed_accepts();
    Connection* next = outbox_.take_all();
    while (next != nullptr) {
        Connection& connection = *next;
        next = connection.next_dirty;
        connection.dirty = false;
        if (connection.told_closed) continue;
        if (ring_->make_room(entries_per_connection)) {
            reconcile(connection);
        } else {
            outbox_.mark(connection);
            work_left_ = true;
        }
    }
    free_closed();
}

void UringTransport::expire(Instant now) {
    while (Connection* connection = lingering_.take_due(now)) {
        connection->lingering = false;
        start_closing(*connection, CloseReason::local);
        outbox_.mark(*connection);
    }
    if (accept_again_ > Instant{} && now >= accept_again_) {
        // A full file table is looked at again later; a single free slot is enough.
        accept_again_ = slots_used_ < slots_ ? Instant{} : now + accept_pause;
    }
}

// There was no memory for what was accepted: it's closed, and accepting stops for a moment.
void UringTransport::shed_accepts() {
    if (cancel_accepts_) {
        cancel_accepts_ = false;
        for (auto& listener : listeners_) cancel_accept(*listener);
    }
    while (!orphan_slots_.empty() && ring_->make_room(1)) {
        prepare_close_slot(ring_->next(), orphan_slots_.back());
        orphan_slots_.pop_back();
        --slots_used_;
    }
    if (!orphan_slots_.empty()) work_left_ = true;
}

void UringTransport::free_closed() {
    for (Connection* connection : freed_next_) {
        MR_ASSERT(!connection->dirty);
        connection->out.clear(heap_, blocks_);
        connections_.destroy(connection);
    }
    freed_next_.clear();
}

}  // namespace millrace

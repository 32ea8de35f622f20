#include "server/assemble_uring.h"

#include "load/run_load.h"
#include "net/uring/uring_transport.h"

namespace millrace {

Outcome<std::unique_ptr<ShardHost>> make_uring_shard(const ShardSeat& seat) {
    const UringOptions& from = seat.config.uring;
    const UringTransportOptions options{
        .submission_entries = from.submission_entries,
        .completion_entries = from.completion_entries,
        .receive_buffer_bytes = from.receive_buffer_bytes,
        .receive_buffer_count = from.receive_buffer_count,
        .zero_copy_bytes_min = from.zero_copy_bytes_min,
        .napi_busy_poll_us = from.napi_busy_poll_us,
        .listen_backlog = from.listen_backlog,
        .socket_send_bytes = from.socket_send_bytes,
        .send_timeout_ms = static_cast<uint32_t>(seat.config.timeouts.send_stall.count()),
        .connections_max = seat.connections_max,
    };
    auto net = UringTransport::create(options, seat.arena, seat.ledger, seat.heap, seat.blocks,
                                      seat.waker);
    if (!net) return tl::unexpected<Error>(net.error());
    return std::make_unique<ShardHostOf<UringTransport>>(seat, std::move(*net));
}

int run_uring_load(const LoadOptions& options) {
    return run_load<UringTransport>(options, [](const LoadShardRoom& room) {
        return UringTransport::create({.connections_max = room.connections_max}, room.arena,
                                      room.ledger, room.heap, room.blocks, room.waker);
    });
}

}  // namespace millrace

// The entry of the load generator: threads, memory and transports of the shards around one run.
// Owned by: the caller's thread, which coordinates; each shard has a thread of its own.
// Holds:    returns the process's exit status: 0 when everything connected and nothing was lost,
//           1 when not (or the host refused), 2 when the options can't be run.
// Not here: which transport: the caller says how one is made.
//
//   run_load<UringTransport>(options, [&](const LoadShardRoom& room) {
//       return UringTransport::create({.connections_max = room.connections_max}, room.arena,
//                                     room.ledger, room.heap, room.blocks, room.waker);
//   });
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "base/result.h"
#include "load/load_shard.h"
#include "load/options.h"
#include "net/transport.h"
#include "runtime/shard_loop.h"

namespace millrace {

// What a shard's transport is made from. On the shard's own thread.
struct LoadShardRoom {
    uint32_t index;
    uint32_t connections_max;
    Arena& arena;
    Ledger& ledger;
    Heap& heap;
    BlockPool& blocks;
    Waker& waker;
};

// What the loop of a shard needs beside its transport.
struct LoadShardSeat {
    const LoadShardRoom& room;
    const LoadPlan& plan;
    Mailbox& mailbox;
    TimerWheel& wheel;
    LoadShardResult& result;
    std::function<void()> tell_started;  // to be called once before the loop
};

// Runs one shard to its end; an error when it couldn't start.
using LoadShardBody = std::function<std::optional<Error>(LoadShardSeat& seat)>;

// `before_memory_goes` is called when every shard's thread has ended, while the shards' memory is
// still there: for a transport's device that may refer to it.
int run_load_with(const LoadOptions& options, const LoadShardBody& body,
                  const std::function<void()>& before_memory_goes = {});

// A transport whose sleeps end when the shard wants to send: the timing wheel's ticks are too
// coarse for that.
template <Transport Net>
class PacedNet {
public:
    PacedNet(Net& net, const LoadShard& shard) : net_(net), shard_(shard) {}

    std::span<const Event> poll(Instant wait_until) {
        return net_.poll(std::min(wait_until, shard_.next_deadline()));
    }
    void flush(Instant now) { net_.flush(now); }
    Instant waited_since() const { return net_.waited_since(); }

private:
    Net& net_;
    const LoadShard& shard_;
};

template <Transport Net>
std::optional<Error> run_load_shard(Net& net, LoadShardSeat& seat) {
    LoadShard shard({
        .plan = seat.plan,
        .shard = seat.room.index,
        .heap = seat.room.heap,
        .blocks = seat.room.blocks,
        .outbox = net.outbox(),
        .mailbox = seat.mailbox,
        .wheel = seat.wheel,
        .result = seat.result,
        .connector = {&net, [](void* context, const ConnectOptions& options) {
                          return static_cast<Net*>(context)->connect(options);
                      }},
    });
    PacedNet<Net> paced(net, shard);
    seat.tell_started();
    run_shard(paced, shard, seat.mailbox, seat.wheel, IdleOptions{}, NoLoopWatch{});
    return std::nullopt;
}

// `make_net(const LoadShardRoom&)` gives an Outcome<std::unique_ptr<Net>>.
template <Transport Net, class MakeNet>
int run_load(const LoadOptions& options, MakeNet&& make_net,
             const std::function<void()>& before_memory_goes = {}) {
    const LoadShardBody body = [&](LoadShardSeat& seat) -> std::optional<Error> {
        Outcome<std::unique_ptr<Net>> net = make_net(seat.room);
        if (!net) return net.error();
        return run_load_shard(**net, seat);
    };
    return run_load_with(options, body, before_memory_goes);
}

}  // namespace millrace

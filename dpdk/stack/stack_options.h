// What a stack is made with.
// Owned by: values. Thread: any.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "runtime/clock.h"
#include "stack/interface.h"
#include "tcp/half_open.h"
#include "tcp/tcp.h"

namespace millrace {

// What a shard does when nothing arrives.
struct IdlePolicy {
    enum class Mode : uint8_t {
        spin,   // looks again at once: a core at 100%, the lowest latency
        pause,  // looks again after a few PAUSE instructions: leaves the core's other thread room
        sleep,  // sleeps `sleep` after `spin_before_sleep` of silence: latency for a quiet core
        never_wait,  // poll() looks once, whatever it was told: for a clock that others move
    };
    Mode mode = Mode::sleep;
    Duration spin_before_sleep = Duration::us(50);
    Duration sleep = Duration::us(100);
};

// Where the stack reads the time. A simulation brings its own, with Mode::never_wait.
struct StackClock {
    Instant (*read)(void* context) = [](void*) { return monotonic_now(); };
    void* context = nullptr;

    Instant now() const { return read(context); }
};

struct StackOptions {
    Interface interface;
    TcpSettings tcp;
    HalfOpenLimits half_open;
    uint32_t time_wait_count_max = 65'536;
    Duration time_wait = Duration::s(60);   // 2 MSL
    uint32_t neighbor_count_max = 4'096;
    uint32_t connections_max = 1'000'000;
    IdlePolicy idle;
    StackClock clock;
    uint32_t shard = 0;
    uint32_t shard_count = 1;
    uint64_t seed = 0;                      // of every secret: from the system's generator
    bool close_on_peer_fin = true;          // false (tests): half-closed connections live on
    // Answers to what belongs to no connection, each a second: RSTs, and echo replies.
    uint32_t resets_per_second_max = 20'000;
    uint32_t echoes_per_second_max = 10'000;
};

}  // namespace millrace

// A wire between two stacks that loses, delays, doubles, damages and refuses, in virtual time.
// Owned by: one run. Thread: one.
// Holds:    everything follows from the generator that it's given. A link keeps the references of
//           what it has taken until the frame has left, and reads the bytes then: a block that was
//           recycled too early shows as wrong bytes at the other end.
// Not here: who talks to whom (tcp_talk.h).
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/prng.h"
#include "base/time.h"
#include "runtime/block.h"
#include "stack/link.h"
#include "tcp_frames.h"

namespace millrace::sim {

// Faults that the checkers have to find.
enum class Sabotage : uint8_t {
    none,
    alter_bytes,      // payload changes, with a right checksum
    early_fin,        // a FIN on a segment in the middle, with a right checksum
    keep_reference,   // a block of a frame is never released
    deaf,             // the network never comes back
};

// One direction. Probabilities are of each frame.
struct PathFaults {
    double loss = 0;
    double duplicate = 0;
    double damage = 0;
    double overtake = 0;          // much later than others
    double forge = 0;             // a stranger's segment goes along
    Duration delay = Duration::us(100);
    Duration jitter{};
    bool keeps_order = true;      // jitter alone doesn't reorder
    uint64_t bytes_a_second = 0;  // 0: no bottleneck
    uint32_t queue_bytes_max = 100'000;
    uint32_t mtu = 65'535;
    bool tells_mtu = true;        // otherwise a black hole
    bool is_cut = false;
};

struct LinkDraws {
    uint32_t device_frames_max = 64;  // then transmit() refuses
    Duration device_delay_max{};      // until a frame has left
    bool offloads_checksum = false;
    bool offloads_segmentation = false;
    uint32_t slices_max = OutFrame::slices_max;
    uint32_t mtu = 1'500;
};

class Network;

class SimLink final : public Link {
public:
    SimLink(Network& network, uint32_t host, const LinkDraws& draws, BlockPool& blocks);
    ~SimLink() override;

    std::span<const InFrame> receive() override;
    void release_received() override;
    uint32_t transmit(std::span<const OutFrame> frames) override;
    const LinkFacts& facts() const override { return facts_; }
    const LinkCounters& counters() const override { return counters_; }
    uint32_t shard_of(const IpAddress&, uint16_t, const IpAddress&, uint16_t) const override {
        return 0;
    }

private:
    friend class Network;

    struct Leaving {
        OutFrame frame;
        Instant at;
    };
    // Exactly as long as the frame, so that a sanitizer sees a read past its end.
    struct Received {
        std::unique_ptr<uint8_t[]> bytes;
        uint32_t count;
    };

    void drop_references(OutFrame& frame);

    Network& network_;
    const uint32_t host_;
    const LinkDraws draws_;
    BlockPool& blocks_;
    LinkFacts facts_;
    LinkCounters counters_;
    std::deque<Leaving> leaving_;
    std::deque<Received> inbox_;
    std::vector<Received> lent_;
    std::vector<InFrame> views_;
};

struct NetworkCounters {
    uint64_t sent = 0, arrived = 0, lost = 0, duplicated = 0, damaged = 0, forged = 0,
             overflowed = 0, too_big = 0, cut = 0;
};

class Network {
public:
    Network(Prng& random, Sabotage sabotage) : random_(random), sabotage_(sabotage) {}

    Instant now() const { return now_; }
    void set_now(Instant now) { now_ = now; }
    // From host 0 to host 1, and back.
    PathFaults& path(uint32_t from) { return paths_[from].faults; }
    // From now on nothing goes wrong but what stands in the device's limits; what is on its way
    // still arrives.
    void calm_down();
    // Moves what is due at `now()`; which hosts got something.
    std::array<bool, 2> advance();
    Instant next_event() const;
    const NetworkCounters& counters() const { return counters_; }
    void trace() { traced_ = true; }

private:
    friend class SimLink;

    struct Path {
        PathFaults faults;
        Instant free_at{};        // when the bottleneck has sent what waits
        Instant last_arrival{};
    };
    struct Flying {
        Instant at;
        uint64_t order;
        uint32_t to;
        FrameBytes bytes;

        bool operator>(const Flying& other) const {
            return at != other.at ? at > other.at : order > other.order;
        }
    };

    void leave(SimLink& link);
    void send(uint32_t from, FrameBytes bytes);
    void sabotage(FrameBytes& bytes);
    bool passes_bottleneck(Path& path, uint32_t bytes);
    void fly(uint32_t from, FrameBytes bytes);
    void arrive_at(uint32_t to, Instant at, FrameBytes bytes);
    void note(const char* what, uint32_t from, Bytes frame) const;

    Prng& random_;
    const Sabotage sabotage_;
    Instant now_{};
    std::array<Path, 2> paths_;
    std::array<SimLink*, 2> links_{};
    std::vector<Flying> flying_;  // a heap, the soonest first
    NetworkCounters counters_;
    uint64_t order_ = 0;
    bool is_calm_ = false;
    bool traced_ = false;
    bool was_altered_ = false;
};

}  // namespace millrace::sim

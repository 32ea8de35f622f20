// Which shard a frame belongs to, and the rings on which frames get from one shard to another: for
// devices without RSS or with fewer queues than there are shards, and for what every shard has to
// hear.
// Owned by: the port; each ring has one shard that puts and one that takes.
// Holds:    a ring never holds a frame of which somebody else keeps a reference.
// Not here: when the rings are looked at (ether_link.h).
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

struct rte_mbuf;
struct rte_ring;

namespace millrace {

enum class SpreadTo : uint8_t {
    flow,      // the shard of its flow hash
    everyone,  // ARP, ICMP, ICMPv6: shard 0 answers, the others learn from copies
    nowhere,   // whoever has it: it's going to be dropped, and counted there
};

struct SpreadVerdict {
    SpreadTo to = SpreadTo::nowhere;
    uint32_t flow_hash = 0;  // of `flow`: symmetric_flow_hash()
};

// Trusts nothing in the frame. `hash_wanted` false leaves the hash out: the device has spread it.
SpreadVerdict spread_verdict(Bytes frame, bool hash_wanted);

class SpreadMesh {
public:
    static Outcome<std::unique_ptr<SpreadMesh>> create(uint32_t shard_count, uint32_t queue_count);
    ~SpreadMesh();  // frees what still waits; before the pools go
    SpreadMesh(const SpreadMesh&) = delete;
    SpreadMesh& operator=(const SpreadMesh&) = delete;

    uint32_t shard_count() const { return shard_count_; }
    // The shard on whose queue another one's frames leave.
    uint32_t queue_owner(uint32_t shard) const { return shard % queue_count_; }
    bool sends_through(uint32_t shard) const { return shard >= queue_count_; }

    // Received frames, from the shard that received them to the one they belong to. False when the
    // ring is full: the frame stays with the caller.
    bool try_hand_over(uint32_t from, uint32_t to, rte_mbuf* frame, bool is_copy);
    struct Handed {
        rte_mbuf* frame;
        bool is_copy;
    };
    // Fills the front of `out` with what came for `to`; says how much.
    uint32_t take_handed(uint32_t to, std::span<Handed> out);

    // Frames to send, from a shard without a queue of its own; says how many of them went in.
    uint32_t try_send_through(uint32_t from, std::span<rte_mbuf* const> frames);
    uint32_t take_to_send(uint32_t from, std::span<rte_mbuf*> out);

private:
    struct RingFree {
        void operator()(rte_ring* ring) const { std::free(ring); }
    };
    using Ring = std::unique_ptr<rte_ring, RingFree>;

    SpreadMesh(uint32_t shard_count, uint32_t queue_count)
        : shard_count_(shard_count), queue_count_(queue_count) {}
    static Ring make_ring();
    rte_ring& handed(uint32_t from, uint32_t to) { return *handed_[from * shard_count_ + to]; }

    const uint32_t shard_count_;
    const uint32_t queue_count_;
    std::vector<Ring> handed_;   // by from and to; the diagonal is empty
    std::vector<Ring> to_send_;  // by from; empty for shards with a queue
    std::vector<uint32_t> next_from_;  // by to: where take_handed goes on, for fairness. Each is
                                       // its shard's own
};

}  // namespace millrace

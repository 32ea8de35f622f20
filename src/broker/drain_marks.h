// Marks that a draining shard sends through all shards, to know that what was published before has
// come to it. A message takes up to three ways: to its topic's home, from there to its receivers'
// shards, and, if it's for a shared group whose members have just left that shard, on to another.
// Mails from one shard to another stay in order even where they overflow, so a mark that goes every
// one of these ways pushes everything before it:
//
//   origin ── asked ──► every shard        what its clients were acknowledged until now ...
//   each   ── published ──► every home     ... is with the homes before this
//   home   ── routed ──► every shard       after the last `published`: all of it is routed
//   each   ── delivered ──► origin         after the last `routed`: all of it is handed on
//
// The order of flushes (mailbox.h) would make two of these needless, if it held for mails that had
// to wait for room.
// Owned by: each shard's Broker: the counts of marks that come by, and of its own one.
// Holds:    a shard has one mark out at a time, so a bit a sender is all there is to remember.
// Not here: posting (broker_drain.cc), who waits for a mark to return (drain.h).
#pragma once

#include <cstdint>
#include <vector>

#include "base/assert.h"

namespace millrace {

class DrainMarks {
public:
    enum class Stage : uint8_t { asked, published, routed, delivered };

    explicit DrainMarks(uint32_t shard_count)
        : everybody_(~uint64_t{0} >> (64 - shard_count)), published_(shard_count), routed_(shard_count) {}

    // Of this shard's own mark.
    bool is_out() const { return is_out_; }
    void send() {
        MR_ASSERT(!is_out_);
        is_out_ = true;
    }
    // True when it has come back from all.
    bool on_delivered(uint32_t from) {
        MR_ASSERT(is_out_);
        if (!note(delivered_, from)) return false;
        is_out_ = false;
        return true;
    }

    // Of the mark that `origin` has out, this shard being a topic's home, or a receiver's shard.
    // True when the last of all shards has said so: then it's to be passed on.
    bool on_published(uint32_t origin, uint32_t from) { return note(published_[origin], from); }
    bool on_routed(uint32_t origin, uint32_t from) { return note(routed_[origin], from); }

private:
    bool note(uint64_t& seen, uint32_t from) const {
        const uint64_t bit = uint64_t{1} << from;
        MR_ASSERT((seen & bit) == 0);
        seen |= bit;
        if (seen != everybody_) return false;
        seen = 0;
        return true;
    }

    uint64_t everybody_;
    std::vector<uint64_t> published_;   // by origin: who has said so
    std::vector<uint64_t> routed_;
    uint64_t delivered_ = 0;
    bool is_out_ = false;
};

}  // namespace millrace

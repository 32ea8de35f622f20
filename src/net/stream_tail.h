// Cuts a byte stream into messages: complete ones are handed on where they lie, and only the tail
// of an incomplete one is kept, in memory borrowed until it is complete.
// Owned by: one connection, on its shard. 8 bytes when there's no tail.
// Holds:    memory grows with what has really arrived, at most doubling, never with what a peer
//           announces.
// Not here: the message grammar: `frame` tells how long the message at the front is.
#pragma once

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/result.h"
#include "runtime/slab.h"

namespace millrace {

class StreamTail {
public:
    enum class Status : uint8_t {
        ok,         // everything that was complete has been handed on
        stopped,    // `take` said stop
        malformed,  // what `frame` reported
        too_large,
        exhausted,  // no memory for the tail
    };

    bool empty() const { return tail_ == nullptr; }
    void clear(Heap& heap) {
        if (tail_ != nullptr) heap.free(tail_, tail_->capacity);
        tail_ = nullptr;
    }

    // `frame(Bytes) -> Result<uint32_t>`: the whole length of the message that starts there;
    //   Errc::incomplete when even that isn't known yet; any other code ends the stream.
    // `take(Bytes message) -> bool`: false to stop (the stream is being closed). It may not touch
    //   this object.
    // `rest`, when given, is set to what `stopped` left; it has no meaning after another status.
    template <class Frame, class Take>
    Status feed(Heap& heap, Bytes bytes, Frame&& frame, Take&& take, Bytes* rest = nullptr) {
        const Status status = consume(heap, bytes, frame, take);
        if (rest != nullptr) *rest = bytes;
        return status;
    }

private:
    struct Tail {
        uint32_t capacity;  // of the allocation, this header included
        uint32_t used;
        uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this + 1); }
    };

    template <class Frame, class Take>
    Status consume(Heap& heap, Bytes& bytes, Frame&& frame, Take&& take) {
        while (tail_ != nullptr) {
            const Result<uint32_t> length = frame(Bytes{tail_->bytes(), tail_->used});
            if (!length && length.error() != Errc::incomplete) return status_of(length.error());
            if (length && *length == tail_->used) {
                Tail* message = tail_;
                tail_ = nullptr;
                const bool go_on = take(Bytes{message->bytes(), message->used});
                heap.free(message, message->capacity);
                if (!go_on) return Status::stopped;
                break;
            }
            if (bytes.empty()) return Status::ok;
            // Top the tail up: to the end of its message when that's known, else byte by byte.
            const uint32_t missing = length ? *length - tail_->used : 1;
            const uint32_t moved = std::min<uint32_t>(missing, static_cast<uint32_t>(bytes.size()));
            if (!append(heap, bytes.first(moved), length ? *length : 0)) return Status::exhausted;
            bytes = bytes.subspan(moved);
        }
        while (!bytes.empty()) {
            const Result<uint32_t> length = frame(bytes);
            if (!length && length.error() != Errc::incomplete) return status_of(length.error());
            if (!length || *length > bytes.size()) {
                return append(heap, bytes, length ? *length : 0) ? Status::ok : Status::exhausted;
            }
            const Bytes message = bytes.first(*length);
            bytes = bytes.subspan(*length);
            if (!take(message)) return Status::stopped;
        }
        return Status::ok;
    }

    static Status status_of(Errc code) {
        return code == Errc::too_large ? Status::too_large : Status::malformed;
    }

    // `whole` is the message's length when known: no need to grow past it.
    bool append(Heap& heap, Bytes bytes, uint32_t whole) {
        const uint32_t used = tail_ == nullptr ? 0 : tail_->used;
        const uint32_t needed = used + static_cast<uint32_t>(bytes.size());
        const uint32_t header = sizeof(Tail);
        if (tail_ == nullptr || header + needed > tail_->capacity) {
            uint32_t wanted = std::max<uint32_t>(needed, used * 2);
            if (whole != 0) wanted = std::max(needed, std::min(whole, wanted));
            const uint32_t capacity = Heap::rounded(header + wanted);
            auto* wider = static_cast<Tail*>(heap.try_allocate(capacity));
            if (wider == nullptr) return false;
            *wider = {capacity, used};
            if (tail_ != nullptr) {
                std::memcpy(wider->bytes(), tail_->bytes(), used);
                heap.free(tail_, tail_->capacity);
            }
            tail_ = wider;
        }
        std::memcpy(tail_->bytes() + used, bytes.data(), bytes.size());
        tail_->used = needed;
        return true;
    }

    Tail* tail_ = nullptr;
};

}  // namespace millrace

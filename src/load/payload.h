// The stamp in every payload of the generator, and the pattern that fills the rest.
// Owned by: PayloadPattern by a shard; stamps are values.
// Holds:    what check() accepts is bit for bit what fill() wrote for the same publisher, sequence
//           and run.
//
//   wide, from 24 bytes on:   | send time ns 8 | sequence 8 | publisher 4 | run 4 | pattern ... |
//   compact, 16 to 23 bytes:  | send time ns 8 | sequence 4 | publisher 2 | run 2 | pattern ... |
//
// The fields are in the machine's byte order: sender and receiver are one process. Where the
// pattern starts depends on publisher and sequence, so that a mix of two messages shows.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"

namespace millrace {

struct PayloadStamp {
    static constexpr uint32_t bytes_min = 16;
    static constexpr uint32_t wide_bytes = 24;

    int64_t sent_at_ns = 0;
    uint64_t sequence = 0;
    uint32_t publisher = 0;
};

class PayloadPattern {
public:
    PayloadPattern(uint32_t payload_bytes, uint32_t run_id)
        : payload_bytes_(payload_bytes), run_id_(run_id), pattern_(payload_bytes + offset_count) {
        Prng prng(run_id);
        for (uint8_t& byte : pattern_) byte = static_cast<uint8_t>(prng.next());
    }

    uint32_t payload_bytes() const { return payload_bytes_; }

    // Writes a whole payload; `room` has payload_bytes().
    void fill(uint8_t* room, const PayloadStamp& stamp) const {
        std::memcpy(room, &stamp.sent_at_ns, 8);
        uint32_t head_bytes = PayloadStamp::bytes_min;
        if (payload_bytes_ >= PayloadStamp::wide_bytes) {
            head_bytes = PayloadStamp::wide_bytes;
            std::memcpy(room + 8, &stamp.sequence, 8);
            std::memcpy(room + 16, &stamp.publisher, 4);
            std::memcpy(room + 20, &run_id_, 4);
        } else {
            const uint32_t sequence = static_cast<uint32_t>(stamp.sequence);
            const uint16_t publisher = static_cast<uint16_t>(stamp.publisher);
            const uint16_t run = static_cast<uint16_t>(run_id_);
            std::memcpy(room + 8, &sequence, 4);
            std::memcpy(room + 12, &publisher, 2);
            std::memcpy(room + 14, &run, 2);
        }
        std::memcpy(room + head_bytes, pattern_at(stamp), payload_bytes_ - head_bytes);
    }

    // The stamp of a payload of this run; nullopt when anything in it is wrong.
    std::optional<PayloadStamp> check(Bytes payload) const {
        if (payload.size() != payload_bytes_) return std::nullopt;
        const uint8_t* bytes = payload.data();
        PayloadStamp stamp;
        std::memcpy(&stamp.sent_at_ns, bytes, 8);
        uint32_t head_bytes = PayloadStamp::bytes_min;
        if (payload_bytes_ >= PayloadStamp::wide_bytes) {
            head_bytes = PayloadStamp::wide_bytes;
            uint32_t run = 0;
            std::memcpy(&stamp.sequence, bytes + 8, 8);
            std::memcpy(&stamp.publisher, bytes + 16, 4);
            std::memcpy(&run, bytes + 20, 4);
            if (run != run_id_) return std::nullopt;
        } else {
            uint32_t sequence = 0;
            uint16_t publisher = 0;
            uint16_t run = 0;
            std::memcpy(&sequence, bytes + 8, 4);
            std::memcpy(&publisher, bytes + 12, 2);
            std::memcpy(&run, bytes + 14, 2);
            if (run != static_cast<uint16_t>(run_id_)) return std::nullopt;
            stamp.sequence = sequence;
            stamp.publisher = publisher;
        }
        const uint32_t rest = payload_bytes_ - head_bytes;
        if (std::memcmp(bytes + head_bytes, pattern_at(stamp), rest) != 0) return std::nullopt;
        return stamp;
    }

private:
    static constexpr uint32_t offset_count = 64;

    const uint8_t* pattern_at(const PayloadStamp& stamp) const {
        return pattern_.data() + ((stamp.sequence * 7 + stamp.publisher * 13) % offset_count);
    }

    uint32_t payload_bytes_;
    uint32_t run_id_;
    std::vector<uint8_t> pattern_;
};

}  // namespace millrace

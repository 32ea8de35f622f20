// Checksums of payload that this flush has summed already: a block that goes to thousands of
// receivers in the same segments is read once (design: checksums are added, not recomputed).
// Owned by: a frame sender.
// Holds:    a sum is believed within one flush only, while nobody can write into the bytes.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "runtime/ledger.h"
#include "wire/checksum.h"

namespace millrace {

class PayloadSums {
public:
    PayloadSums(Counter& computed, Counter& reused) : computed_(computed), reused_(reused) {}

    void begin_flush() { ++flush_; }

    PartialSum sum(Bytes bytes) {
        if (bytes.size() < bytes_min) return sum_of(bytes);
        Place& place = places_[place_of(bytes)];
        if (place.flush == flush_ && place.data == bytes.data() && place.length == bytes.size()) {
            reused_.add();
            return place.sum;
        }
        computed_.add();
        place = {bytes.data(), static_cast<uint32_t>(bytes.size()), flush_, sum_of(bytes)};
        return place.sum;
    }

private:
    static constexpr uint32_t bytes_min = 48;  // below, summing is as fast as looking it up
    static constexpr uint32_t place_count = 256;

    struct Place {
        const uint8_t* data = nullptr;
        uint32_t length = 0;
        uint32_t flush = 0;
        PartialSum sum;
    };
    static uint32_t place_of(Bytes bytes) {
        const auto address = reinterpret_cast<uint64_t>(bytes.data());
        const uint64_t mixed = (address ^ (uint64_t{bytes.size()} << 32)) * 0x9e3779b97f4a7c15u;
        return static_cast<uint32_t>(mixed >> 56);
    }

    std::array<Place, place_count> places_{};
    uint32_t flush_ = 1;
    Counter& computed_;
    Counter& reused_;
};

}  // namespace millrace

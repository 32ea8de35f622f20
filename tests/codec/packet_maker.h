// Draws legal packet values of every type from a source of numbers: a seeded generator, or the
// bytes of a fuzzer.
// Owned by: one test round; the values borrow from the maker. Thread: one.
// Holds:    every value is legal for its version, so it must survive encoding and decoding.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "codec/mqtt/packet.h"
#include "codec/mqtt/reason_set.h"

namespace millrace::mqtt {

class PacketMaker {
public:
    // `draw(bound)` gives 0 <= number < bound.
    using Draw = std::function<uint32_t(uint32_t bound)>;

    explicit PacketMaker(Draw draw) : draw_(std::move(draw)) {}

    Connect connect(Version version);
    Connack connack(Version version);
    Publish publish(Version version);
    Ack ack(Version version, PacketType type);
    Subscribe subscribe(Version version);
    SubscribeAck subscribe_ack(Version version, PacketType type);
    Unsubscribe unsubscribe(Version version);
    Disconnect disconnect(Version version);
    Auth auth();

private:
    bool coin() { return draw_(2) == 1; }
    uint8_t bit() { return static_cast<uint8_t>(draw_(2)); }
    uint16_t u16() { return static_cast<uint16_t>(draw_(0x10000)); }
    uint16_t u16_not_zero() { return static_cast<uint16_t>(1 + draw_(0xffff)); }
    uint32_t u32() { return static_cast<uint32_t>(u16()) << 16 | u16(); }
    uint32_t subscription_id();
    Qos qos() { return static_cast<Qos>(draw_(3)); }
    uint32_t count_of_bytes();
    std::string_view text();
    std::string_view topic();
    std::string_view filter();
    Bytes binary();
    Bytes payload(bool is_text);
    UserProperties user();
    Reason reason_of(const ReasonSet& legal);
    std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }
    void fill_will(Will& will, Version version);

    template <class T, class Make>
    void maybe(std::optional<T>& field, Make&& make) {
        if (coin()) field = make();
    }

    Draw draw_;
    std::deque<std::string> texts_;
    std::deque<std::vector<uint32_t>> id_lists_;
    std::deque<std::vector<SubscribeEntry>> entry_lists_;
    std::deque<std::vector<std::string_view>> filter_lists_;
    std::deque<std::vector<Reason>> reason_lists_;
};

}  // namespace millrace::mqtt

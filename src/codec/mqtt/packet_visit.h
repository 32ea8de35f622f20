// The bodies of the for_each templates of packet.h: walking runs that a decoder has validated.
// Owned by: nothing is kept. Thread: any.
// Holds:    the runs are legal, so the readers' asserts can't be reached by a peer's bytes.
// Not here: validating (properties.h, decode.cc).
#pragma once

#include "base/bytes.h"
#include "codec/mqtt/packet.h"

namespace millrace::mqtt {
namespace detail {

constexpr uint8_t user_property_id = 0x26;
constexpr uint8_t subscription_id_property_id = 0x0b;

inline std::string_view take_text(ByteReader& in) { return as_text(in.take(in.u16())); }

inline uint32_t take_var_int(ByteReader& in) {
    uint32_t value = 0;
    for (uint32_t shift = 0; shift <= 21; shift += 7) {
        const uint8_t byte = in.u8();
        value |= uint32_t{byte & 0x7fu} << shift;
        if ((byte & 0x80) == 0) break;
    }
    return value;
}

// Skips the value of a property that is neither a user property nor a subscription identifier and
// may stand between them: the widths of 2.2.2.2.
inline void skip_property_value(ByteReader& in, uint8_t id) {
    switch (id) {
    case 0x01: case 0x17: case 0x19: case 0x24: case 0x25: case 0x28: case 0x29: case 0x2a:
        in.take(1);
        return;
    case 0x13: case 0x21: case 0x22: case 0x23:
        in.take(2);
        return;
    case 0x02: case 0x11: case 0x18: case 0x27:
        in.take(4);
        return;
    case subscription_id_property_id:
        take_var_int(in);
        return;
    case user_property_id:
        in.take(in.u16());
        in.take(in.u16());
        return;
    default:  // strings and binary data
        in.take(in.u16());
        return;
    }
}

inline SubscriptionOptions options_of(uint8_t byte) {
    return {static_cast<Qos>(byte & 3), (byte & 4) != 0, (byte & 8) != 0,
            static_cast<RetainHandling>(byte >> 4 & 3)};
}

}  // namespace detail

inline bool UserProperties::any() const { return !section.empty(); }

template <class Visit>
void UserProperties::for_each(Visit&& visit) const {
    ByteReader in(section);
    while (in.remaining() > 0) {
        const uint8_t id = in.u8();
        if (id != detail::user_property_id) {
            detail::skip_property_value(in, id);
            continue;
        }
        const std::string_view name = detail::take_text(in);
        const std::string_view value = detail::take_text(in);
        visit(name, value);
    }
}

inline bool SubscriptionIds::any() const { return !values.empty() || !section.empty(); }

template <class Visit>
void SubscriptionIds::for_each(Visit&& visit) const {
    for (const uint32_t id : values) visit(id);
    ByteReader in(section);
    while (in.remaining() > 0) {
        const uint8_t id = in.u8();
        if (id == detail::subscription_id_property_id) visit(detail::take_var_int(in));
        else detail::skip_property_value(in, id);
    }
}

template <class Visit>
void Subscribe::for_each(Visit&& visit) const {
    for (const SubscribeEntry& entry : entries) visit(entry);
    ByteReader in(payload);
    while (in.remaining() > 0) {
        const std::string_view filter = detail::take_text(in);
        const SubscribeEntry entry{filter, detail::options_of(in.u8())};
        visit(entry);
    }
}

inline uint32_t Subscribe::count() const {
    uint32_t count = 0;
    for_each([&count](const SubscribeEntry&) { ++count; });
    return count;
}

template <class Visit>
void Unsubscribe::for_each(Visit&& visit) const {
    for (const std::string_view filter : filters) visit(filter);
    ByteReader in(payload);
    while (in.remaining() > 0) visit(detail::take_text(in));
}

inline uint32_t Unsubscribe::count() const {
    uint32_t count = 0;
    for_each([&count](std::string_view) { ++count; });
    return count;
}

}  // namespace millrace::mqtt

// Writing packet fields, once to count their bytes and once into memory, by the same code: so the
// count can't disagree with what is written.
// Owned by: one encode call. Thread: any.
// Holds:    a string or run past 65,535 bytes is a bug of the caller and asserts.
// Not here: which fields a packet has (encode*.cc).
#pragma once

#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "codec/mqtt/fixed_header.h"
#include "codec/mqtt/packet.h"
#include "codec/mqtt/properties.h"

namespace millrace::mqtt {

// Takes what a ByteWriter takes and keeps only the length.
class ByteCounter {
public:
    uint64_t count() const { return count_; }
    void u8(uint8_t) { count_ += 1; }
    void u16(uint16_t) { count_ += 2; }
    void u32(uint32_t) { count_ += 4; }
    void bytes(Bytes value) { count_ += value.size(); }

private:
    uint64_t count_ = 0;
};

inline void put_var_int(ByteWriter& out, uint32_t value) { write_var_int(out, value); }
inline void put_var_int(ByteCounter& out, uint32_t value) {
    for (uint32_t left = var_int_bytes(value); left > 0; --left) out.u8(0);
}

template <class Out>
void put_binary(Out& out, Bytes value) {
    MR_ASSERT(value.size() <= 65'535);
    out.u16(static_cast<uint16_t>(value.size()));
    out.bytes(value);
}

template <class Out>
void put_text(Out& out, std::string_view value) {
    put_binary(out, as_bytes(value));
}

template <class Out>
void put_id(Out& out, PropertyId id) {
    out.u8(static_cast<uint8_t>(id));
}

// One function a property type; an absent property writes nothing.
template <class Out>
void put_u8_property(Out& out, PropertyId id, std::optional<uint8_t> value) {
    if (!value) return;
    put_id(out, id);
    out.u8(*value);
}

template <class Out>
void put_flag_property(Out& out, PropertyId id, std::optional<bool> value) {
    if (value) put_u8_property(out, id, *value ? uint8_t{1} : uint8_t{0});
}

template <class Out>
void put_u16_property(Out& out, PropertyId id, std::optional<uint16_t> value) {
    if (!value) return;
    put_id(out, id);
    out.u16(*value);
}

template <class Out>
void put_u32_property(Out& out, PropertyId id, std::optional<uint32_t> value) {
    if (!value) return;
    put_id(out, id);
    out.u32(*value);
}

template <class Out>
void put_text_property(Out& out, PropertyId id, std::optional<std::string_view> value) {
    if (!value) return;
    put_id(out, id);
    put_text(out, *value);
}

template <class Out>
void put_binary_property(Out& out, PropertyId id, std::optional<Bytes> value) {
    if (!value) return;
    put_id(out, id);
    put_binary(out, *value);
}

template <class Out>
void put_user_properties(Out& out, const UserProperties& user) {
    user.for_each([&out](std::string_view name, std::string_view value) {
        put_id(out, PropertyId::user);
        put_text(out, name);
        put_text(out, value);
    });
}

// Bytes that `put(counter)` writes. Longer than a packet can be is a bug of the caller.
template <class Put>
uint32_t bytes_of(Put&& put) {
    ByteCounter counter;
    put(counter);
    MR_ASSERT(counter.count() <= var_int_max);
    return static_cast<uint32_t>(counter.count());
}

// A property section: its length, then what `put` writes.
template <class Out, class Put>
void put_section(Out& out, Put&& put) {
    put_var_int(out, bytes_of(put));
    put(out);
}

// The whole packet from its body, `put_body(out)`.
template <class Put>
uint32_t packet_bytes(Put&& put_body) {
    const uint32_t body_bytes = bytes_of(put_body);
    return 1 + var_int_bytes(body_bytes) + body_bytes;
}

template <class Put>
void put_packet(ByteWriter& out, PacketType type, uint8_t flags, Put&& put_body) {
    out.u8(static_cast<uint8_t>(static_cast<uint8_t>(type) << 4 | flags));
    write_var_int(out, bytes_of(put_body));
    put_body(out);
}

}  // namespace millrace::mqtt

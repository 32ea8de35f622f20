// Reading the fields of a received packet, where any length may be a lie.
// Owned by: one decode call; borrows the packet. Thread: any.
// Holds:    past the end or at an ill-formed field it turns failed, stays so, and gives zeros and
//           empty runs; whoever reads asks failed() before the values leave the decoder.
// Not here: what the fields mean.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "codec/mqtt/fixed_header.h"
#include "codec/mqtt/topic_name.h"

namespace millrace::mqtt {

class FieldReader {
public:
    explicit FieldReader(Bytes bytes) : in_(bytes) {}

    bool failed() const { return failed_; }
    size_t remaining() const { return in_.remaining(); }
    Bytes rest() const { return in_.rest(); }
    const uint8_t* position() const { return in_.rest().data(); }

    uint8_t u8() { return has(1) ? in_.u8() : uint8_t{0}; }
    uint16_t u16() { return has(2) ? in_.u16() : uint16_t{0}; }
    uint32_t u32() { return has(4) ? in_.u32() : 0; }
    uint32_t var_int() {
        if (in_.remaining() > 0 && in_.rest()[0] < 0x80) return in_.u8();
        const Result<uint32_t> value = read_var_int(in_);
        if (value) return *value;
        fail_now();
        return 0;
    }
    Bytes take(size_t bytes) { return has(bytes) ? in_.take(bytes) : Bytes{}; }
    // Binary data (1.5.6): two bytes of length, then that many.
    Bytes binary() { return take(u16()); }
    // A UTF-8 string (1.5.4).
    std::string_view text() {
        const std::string_view value = as_text(binary());
        if (is_valid_utf8(value)) return value;
        fail_now();
        return {};
    }
    // A run with a variable byte integer in front: a property section (2.2.2).
    Bytes section() { return take(var_int()); }

private:
    bool has(size_t bytes) {
        if (in_.remaining() >= bytes) return true;
        fail_now();
        return false;
    }
    // Nothing is left to read, so that loops over the rest end.
    void fail_now() {
        failed_ = true;
        in_.take(in_.remaining());
    }

    ByteReader in_;
    bool failed_ = false;
};

}  // namespace millrace::mqtt

// The wire form of Protocol Buffers: fields with a number, a varint or some bytes each.
// Owned by: values; one thread at a time. A reader borrows its bytes.
// Holds:    any bytes may come in; a reader that has failed stays so.
// Not here: which fields there are (pprof.cc).
//
// The form is https://protobuf.dev/programming-guides/encoding.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

class ProtoWriter {
public:
    // Zero and the empty text are what a missing field means.
    void number(uint32_t field, uint64_t value) {
        if (value == 0) return;
        varint(field << 3);
        varint(value);
    }
    void bytes(uint32_t field, std::string_view value) {
        varint(field << 3 | 2);
        varint(value.size());
        text_ += value;
    }
    void varint(uint64_t value) {
        for (; value >= 0x80; value >>= 7) text_ += static_cast<char>(value | 0x80);
        text_ += static_cast<char>(value);
    }
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

struct ProtoField {
    uint32_t number = 0;
    bool is_bytes = false;
    uint64_t value = 0;      // unless is_bytes
    std::string_view bytes;  // with is_bytes
};

class ProtoReader {
public:
    explicit ProtoReader(std::string_view bytes) : bytes_(bytes) {}

    // False at the end, and when what comes is no field.
    bool next(ProtoField& field) {
        if (bytes_.empty()) return false;
        const uint64_t key = varint();
        field = {.number = static_cast<uint32_t>(key >> 3), .is_bytes = (key & 7) == 2};
        if (key > UINT32_MAX || field.number == 0) is_good_ = false;
        switch (key & 7) {
        case 0: field.value = varint(); break;
        case 1: field.value = fixed(8); break;
        case 2: field.bytes = take(varint()); break;
        case 5: field.value = fixed(4); break;
        default: is_good_ = false;
        }
        return is_good_;
    }
    // A number that stands by itself, as in a packed list.
    uint64_t varint() {
        uint64_t value = 0;
        for (uint32_t shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
            const auto byte = static_cast<uint8_t>(bytes_.front());
            bytes_.remove_prefix(1);
            value |= uint64_t{byte & 0x7fu} << shift;
            if (byte < 0x80) return value;
        }
        is_good_ = false;
        return 0;
    }
    bool at_end() const { return bytes_.empty(); }
    bool is_good() const { return is_good_; }

private:
    uint64_t fixed(size_t count) {
        uint64_t value = 0;
        const std::string_view part = take(count);
        for (size_t index = part.size(); index-- > 0;) {
            value = value << 8 | static_cast<uint8_t>(part[index]);
        }
        return value;
    }
    std::string_view take(uint64_t count) {
        if (count > bytes_.size()) {
            is_good_ = false;
            return {};
        }
        const std::string_view part = bytes_.substr(0, count);
        bytes_.remove_prefix(count);
        return part;
    }

    std::string_view bytes_;
    bool is_good_ = true;
};

}  // namespace millrace

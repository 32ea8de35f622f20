// The fixed header and variable byte integers: incomplete is not malformed.
#include <doctest/doctest.h>

#include "codec/mqtt/encode.h"
#include "codec/mqtt/fixed_header.h"
#include "codec/wire.h"

using namespace millrace;
using namespace millrace::mqtt;

namespace {

struct VarIntRow {
    uint32_t value;
    const char* bytes;
};

// The borders of MQTT 5.0, table 1-1, and the example of 3.1.1, 2.2.3.
constexpr VarIntRow var_ints[] = {{0, "00"},           {127, "7f"},          {128, "80 01"},
                                  {321, "c1 02"},      {16'383, "ff 7f"},    {16'384, "80 80 01"},
                                  {2'097'151, "ff ff 7f"}, {2'097'152, "80 80 80 01"},
                                  {268'435'455, "ff ff ff 7f"}};

}  // namespace

TEST_CASE("mqtt: a variable byte integer is written and read at every border") {
    for (const VarIntRow& row : var_ints) {
        INFO(row.value);
        const Wire expected = wire(row.bytes);
        CHECK(var_int_bytes(row.value) == expected.size());
        Wire room(expected.size());
        ByteWriter out(room);
        write_var_int(out, row.value);
        CHECK(room == expected);
        ByteReader in(expected);
        const Result<uint32_t> value = read_var_int(in);
        REQUIRE(value.has_value());
        CHECK(*value == row.value);
        CHECK(in.remaining() == 0);
    }
}

TEST_CASE("mqtt: a variable byte integer that was cut is incomplete") {
    for (const VarIntRow& row : var_ints) {
        const Wire whole = wire(row.bytes);
        for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
            ByteReader in(Bytes(whole).first(bytes));
            const Result<uint32_t> value = read_var_int(in);
            REQUIRE_FALSE(value.has_value());
            CHECK(value.error() == Errc::incomplete);
        }
    }
}

TEST_CASE("mqtt: a variable byte integer with a fifth byte or a needless byte is malformed") {
    for (const char* line : {"ff ff ff ff 7f", "80 80 80 80 00", "80 00", "ff 80 00"}) {
        const Wire bytes = wire(line);
        ByteReader in(bytes);
        const Result<uint32_t> value = read_var_int(in);
        REQUIRE_FALSE(value.has_value());
        CHECK(value.error() == Errc::malformed);
    }
}

TEST_CASE("mqtt: a fixed header is complete with the last length byte, wherever it is cut") {
    for (const VarIntRow& row : var_ints) {
        const Wire whole = wire("30") + wire(row.bytes);
        for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
            const Result<FixedHeader> header = read_fixed_header(Bytes(whole).first(bytes));
            REQUIRE_FALSE(header.has_value());
            CHECK(header.error() == Errc::incomplete);
        }
        const Result<FixedHeader> header = read_fixed_header(whole);
        REQUIRE(header.has_value());
        CHECK(header->type == PacketType::publish);
        CHECK(header->remaining_bytes == row.value);
        CHECK(header->header_bytes == whole.size());
        CHECK(header->packet_bytes() == whole.size() + row.value);
    }
}

TEST_CASE("mqtt: a fixed header with a fifth length byte is malformed at the fourth") {
    const Wire four = wire("30 ff ff ff ff");
    CHECK(read_fixed_header(Bytes(four).first(4)).error() == Errc::incomplete);
    REQUIRE_FALSE(read_fixed_header(four).has_value());
    CHECK(read_fixed_header(four).error() == Errc::malformed);
}

TEST_CASE("mqtt: the first byte alone tells type 0 and reserved flags") {
    for (uint32_t first = 0; first < 256; ++first) {
        INFO(first);
        const uint32_t type = first >> 4;
        const uint32_t flags = first & 15;
        bool legal = flags == 0;
        if (type == 0) legal = false;
        if (type == 6 || type == 8 || type == 10) legal = flags == 2;
        // PUBLISH: no QoS 3, and DUP only above QoS 0.
        if (type == 3) legal = (flags & 6) != 6 && ((flags & 6) != 0 || (flags & 8) == 0);
        const uint8_t byte = static_cast<uint8_t>(first);
        const Result<FixedHeader> header = read_fixed_header(Bytes(&byte, 1));
        REQUIRE_FALSE(header.has_value());
        CHECK(header.error() == (legal ? Errc::incomplete : Errc::malformed));
        const Wire whole{byte, 0};
        const Result<FixedHeader> complete = read_fixed_header(whole);
        CHECK(complete.has_value() == legal);
        if (!complete) continue;
        CHECK(static_cast<uint32_t>(complete->type) == type);
        CHECK(complete->flags == flags);
    }
}

TEST_CASE("mqtt: a packet's length is known from its header alone, and held against the limit") {
    const Wire header = wire("30 80 01");
    CHECK(packet_length(header, 131).value() == 131);
    CHECK(packet_length(header, 130).error() == Errc::too_large);
    CHECK(packet_length(Bytes(header).first(2), 130).error() == Errc::incomplete);
    CHECK(packet_length(wire("00 00"), 130).error() == Errc::malformed);
    CHECK(packet_length(wire("30 ff ff ff 7f"), 0xffffffff).value() == 268'435'460);
}

TEST_CASE("mqtt: the pings are the two bytes of the specification") {
    CHECK(read_fixed_header(pingreq)->type == PacketType::pingreq);
    CHECK(read_fixed_header(pingresp)->type == PacketType::pingresp);
    CHECK(packet_length(pingreq, 2).value() == 2);
}

TEST_CASE("mqtt: only a whole, legal PUBACK without reason counts as the short form") {
    struct Row {
        const char* bytes;
        uint16_t packet_id;
    };
    for (const Row& row : {Row{"40 02 01 02", 0x102}, Row{"40 02 ff ff 40", 0xffff},
                           Row{"40 02 01", 0}, Row{"", 0},
                           Row{"40 02 00 00", 0},      // no legal identifier
                           Row{"40 03 01 02 00", 0},   // has a reason
                           Row{"42 02 01 02", 0},      // illegal flags
                           Row{"50 02 01 02", 0}}) {   // PUBREC
        INFO(row.bytes);
        CHECK(short_puback_id(wire(row.bytes)) == row.packet_id);
    }
}

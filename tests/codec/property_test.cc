// Every property in every packet: table 2-4 of MQTT 5.0, and the range of each value.
#include <doctest/doctest.h>

#include <string>

#include "codec/packet_io.h"
#include "codec/wire.h"

using namespace millrace;
using namespace millrace::mqtt;

namespace {

// A packet that can carry properties: its body is `before`, the section, `after`.
struct Carrier {
    char letter;
    Kind kind;
    const char* before;
    const char* after;
};

constexpr Carrier carriers[] = {
    {'C', {Version::v5, PacketType::connect}, "<MQTT> 05 02 00 00", "<id>"},
    {'W', {Version::v5, PacketType::connect}, "<MQTT> 05 06 00 00 00 <id>", "<t> <p>"},
    {'c', {Version::v5, PacketType::connack}, "00 00", ""},
    {'P', {Version::v5, PacketType::publish}, "<a>", ""},
    {'1', {Version::v5, PacketType::puback}, "00 01 00", ""},
    {'2', {Version::v5, PacketType::pubrec}, "00 01 00", ""},
    {'3', {Version::v5, PacketType::pubrel}, "00 01 00", ""},
    {'4', {Version::v5, PacketType::pubcomp}, "00 01 00", ""},
    {'S', {Version::v5, PacketType::subscribe}, "00 01", "<a> 00"},
    {'s', {Version::v5, PacketType::suback}, "00 01", "00"},
    {'U', {Version::v5, PacketType::unsubscribe}, "00 01", "<a>"},
    {'u', {Version::v5, PacketType::unsuback}, "00 01", "00"},
    {'D', {Version::v5, PacketType::disconnect}, "00", ""},
    {'A', {Version::v5, PacketType::auth}, "18", ""},
};

struct PropertyRow {
    const char* id;
    const char* packets;  // letters of the carriers that may have it
    const char* legal;    // a value
};

constexpr PropertyRow table[] = {
    {"01", "PW", "01"},
    {"02", "PW", "00000001"},
    {"03", "PW", "<text>"},
    {"08", "PW", "<re/ply>"},
    {"09", "PW", "<data>"},
    {"0b", "PS", "80 01"},
    {"11", "CcD", "00000001"},
    {"12", "c", "<id>"},
    {"13", "c", "0001"},
    {"15", "CcA", "<method>"},
    {"16", "CcA", "<data>"},
    {"17", "C", "01"},
    {"18", "W", "00000001"},
    {"19", "C", "01"},
    {"1a", "c", "<info>"},
    {"1c", "cD", "<server>"},
    {"1f", "c1234suDA", "<why>"},
    {"21", "Cc", "0001"},
    {"22", "Cc", "0000"},
    {"23", "P", "0001"},
    {"24", "c", "01"},
    {"25", "c", "00"},
    {"26", "CWcP1234SsUuDA", "<name> <value>"},
    {"27", "Cc", "00000001"},
    {"28", "c", "01"},
    {"29", "c", "01"},
    {"2a", "c", "01"},
};

Reason verdict_on(const Carrier& carrier, const std::string& properties) {
    std::string section = properties;
    // An AUTH always has a method, and data is only legal beside one.
    const bool has_method = properties.starts_with("15");
    const bool has_data = properties.starts_with("16");
    if (!has_method && (carrier.letter == 'A' || has_data)) section = "15 <m>" + section;
    return verdict(carrier.kind, wire(carrier.before) + wire("{" + section + "}") +
                                     wire(carrier.after));
}

bool allows(const PropertyRow& row, const Carrier& carrier) {
    return std::string_view(row.packets).find(carrier.letter) != std::string_view::npos;
}

template <class Visit>
void for_each_place(Visit&& visit) {
    for (const PropertyRow& row : table) {
        for (const Carrier& carrier : carriers) {
            INFO("property " << row.id << " in " << carrier.letter);
            visit(row, carrier);
        }
    }
}

}  // namespace

TEST_CASE("property: each is legal in the packets of table 2-4 and malformed in all others") {
    for_each_place([](const PropertyRow& row, const Carrier& carrier) {
        const Reason expected = allows(row, carrier) ? Reason::success : Reason::malformed_packet;
        CHECK(verdict_on(carrier, std::string(row.id) + row.legal) == expected);
    });
}

TEST_CASE("property: a second time is a protocol error but for two of them") {
    for_each_place([](const PropertyRow& row, const Carrier& carrier) {
        if (!allows(row, carrier)) return;
        const std::string_view id = row.id;
        const bool repeatable = id == "26" || (id == "0b" && carrier.letter == 'P');
        const std::string once = std::string(row.id) + row.legal;
        const Reason expected = repeatable ? Reason::success : Reason::protocol_error;
        CHECK(verdict_on(carrier, once + once) == expected);
        CHECK(verdict_on(carrier, once + "26 <a> <b>" + once) == expected);
    });
}

TEST_CASE("property: one whose value ends early is malformed") {
    for_each_place([](const PropertyRow& row, const Carrier& carrier) {
        if (!allows(row, carrier)) return;
        const Wire value = wire(row.legal);
        const char digits[] = "0123456789abcdef";
        std::string cut = row.id;
        for (const uint8_t byte : value) {
            CHECK(verdict_on(carrier, cut) == Reason::malformed_packet);
            cut += digits[byte >> 4];
            cut += digits[byte & 15];
        }
        CHECK(verdict_on(carrier, cut) == Reason::success);
    });
}

TEST_CASE("property: an identifier that doesn't exist is malformed") {
    for (const Carrier& carrier : carriers) {
        for (const char* unknown : {"00", "04 00", "05", "0a", "14", "1b", "20 00", "2b 00",
                                    "3f", "40 00", "7f 00", "80 01 00", "a6 00 <a> <b>", "ff"}) {
            INFO(unknown << " in " << carrier.letter);
            CHECK(verdict_on(carrier, unknown) == Reason::malformed_packet);
        }
    }
}

TEST_CASE("property: values outside their range are refused in every packet that has them") {
    struct Row {
        const char* id;
        const char* value;
        Reason reason;
    };
    const Reason error = Reason::protocol_error;
    const Row rows[] = {
        {"01", "02", error},         {"17", "02", error},     {"19", "02", error},
        {"24", "02", error},         {"25", "02", error},     {"28", "02", error},
        {"29", "ff", error},         {"2a", "02", error},     {"21", "0000", error},
        {"27", "00000000", error},   {"0b", "00", error},     {"08", "<a/+>", error},
        {"08", "<>", error},         {"23", "0000", Reason::topic_alias_invalid},
        {"0b", "80 00", Reason::malformed_packet},
        {"0b", "ff ff ff ff 01", Reason::malformed_packet},
    };
    for (const Row& row : rows) {
        for (const PropertyRow& known : table) {
            if (std::string_view(known.id) != row.id) continue;
            for (const Carrier& carrier : carriers) {
                if (!allows(known, carrier)) continue;
                INFO(row.id << " " << row.value << " in " << carrier.letter);
                CHECK(verdict_on(carrier, std::string(row.id) + row.value) == row.reason);
            }
        }
    }
}

TEST_CASE("property: the ends of each range are legal") {
    struct Row {
        const char* id;
        const char* value;
    };
    for (const Row& row : {Row{"01", "00"}, Row{"02", "00000000"}, Row{"02", "ffffffff"},
                           Row{"21", "ffff"}, Row{"22", "ffff"}, Row{"23", "ffff"},
                           Row{"27", "ffffffff"}, Row{"11", "00000000"}, Row{"11", "ffffffff"},
                           Row{"0b", "01"}, Row{"0b", "ff ff ff 7f"}, Row{"03", "<>"},
                           Row{"09", "<>"}, Row{"13", "0000"}, Row{"26", "<> <>"}}) {
        for (const PropertyRow& known : table) {
            if (std::string_view(known.id) != row.id) continue;
            for (const Carrier& carrier : carriers) {
                if (!allows(known, carrier)) continue;
                INFO(row.id << " " << row.value << " in " << carrier.letter);
                CHECK(verdict_on(carrier, std::string(row.id) + row.value) == Reason::success);
            }
        }
    }
}

TEST_CASE("property: strings must be UTF-8 and binary data need not be") {
    for (const char* id : {"03", "08", "12", "15", "1a", "1c", "1f", "09", "16"}) {
        const bool is_binary = std::string_view(id) == "09" || std::string_view(id) == "16";
        for (const PropertyRow& known : table) {
            if (std::string_view(known.id) != id) continue;
            for (const Carrier& carrier : carriers) {
                if (!allows(known, carrier)) continue;
                INFO(id << " in " << carrier.letter);
                const Reason expected = is_binary ? Reason::success : Reason::malformed_packet;
                CHECK(verdict_on(carrier, std::string(id) + "0002 c0 80") == expected);
                CHECK(verdict_on(carrier, std::string(id) + "0001 00") == expected);
            }
        }
    }
    for (const Carrier& carrier : carriers) {
        CHECK(verdict_on(carrier, "26 0001 ff <v>") == Reason::malformed_packet);
        CHECK(verdict_on(carrier, "26 <n> 0001 ff") == Reason::malformed_packet);
    }
}

#include <doctest/doctest.h>

#include "base/prng.h"
#include "frame_bytes.h"
#include "wire/toeplitz.h"

using namespace millrace;

namespace {

// "Verifying the RSS hash calculation", the key and the table that Microsoft publishes.
const FrameBytes published_key =
    from_hex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa");

struct PublishedHash {
    const char* source;
    uint16_t source_port;
    const char* destination;
    uint16_t destination_port;
    uint32_t hash;
};

uint32_t published(const PublishedHash& flow) {
    return toeplitz_hash(published_key, ip(flow.source), ip(flow.destination), flow.source_port,
                         flow.destination_port);
}

}  // namespace

TEST_CASE("toeplitz: flows of IPv4 have the published hashes") {
    for (const PublishedHash& flow : {
             PublishedHash{"66.9.149.187", 2794, "161.142.100.80", 1766, 0x51ccc178},
             PublishedHash{"199.92.111.2", 14230, "65.69.140.83", 4739, 0xc626b0ea},
             PublishedHash{"24.19.198.95", 12898, "12.22.207.184", 38024, 0x5c2b394a},
             PublishedHash{"38.27.205.30", 48228, "209.142.163.6", 2217, 0xafc7327f},
             PublishedHash{"153.39.163.191", 44251, "202.188.127.2", 1303, 0x10e828a2},
         }) {
        CAPTURE(flow.source);
        CHECK(published(flow) == flow.hash);
    }
}

TEST_CASE("toeplitz: flows of IPv6 have the published hashes") {
    for (const PublishedHash& flow : {
             PublishedHash{"3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x40207d3d},
             PublishedHash{"3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0xdde51bbf},
             PublishedHash{"3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251,
                           "fe80::200:f8ff:fe21:67cf", 38024, 0x02d1feef},
         }) {
        CAPTURE(flow.source);
        CHECK(published(flow) == flow.hash);
    }
}

TEST_CASE("toeplitz: the tables give what the plain hash gives, both ways") {
    Prng random(9);
    for (uint32_t round = 0; round < 2'000; ++round) {
        IpAddress source, destination;
        for (uint8_t& octet : source.octets) octet = static_cast<uint8_t>(random.next());
        for (uint8_t& octet : destination.octets) octet = static_cast<uint8_t>(random.next());
        if (round % 2 == 0) {
            source = IpAddress::from_ipv4(static_cast<uint32_t>(random.next()));
            destination = IpAddress::from_ipv4(static_cast<uint32_t>(random.next()));
        }
        const uint16_t source_port = static_cast<uint16_t>(random.next());
        const uint16_t destination_port = static_cast<uint16_t>(random.next());
        const uint32_t plain = toeplitz_hash(symmetric_rss_key(), source, destination, source_port,
                                             destination_port);
        REQUIRE(symmetric_flow_hash(source, destination, source_port, destination_port) == plain);
        REQUIRE(symmetric_flow_hash(destination, source, destination_port, source_port) == plain);
    }
}

TEST_CASE("toeplitz: the symmetric key repeats the same two bytes") {
    for (size_t index = 0; index < rss_key_bytes; ++index) {
        CHECK(symmetric_rss_key()[index] == (index % 2 == 0 ? 0x6d : 0x5a));
    }
}

TEST_CASE("toeplitz: neighboring ports of one address fall on different shards") {
    uint32_t taken = 0;
    for (uint16_t port = 1'000; port < 1'064; ++port) {
        taken |= 1u << symmetric_flow_hash(ip("10.0.0.1"), ip("10.0.0.2"), port, 1883) % 8;
    }
    CHECK(taken == 0xff);
}

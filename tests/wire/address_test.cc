#include <doctest/doctest.h>

#include "frame_bytes.h"
#include "wire/address.h"

using namespace millrace;

TEST_CASE("address: a MAC address is its text and back") {
    const auto address = MacAddress::parse("02:00:5E:00:ab:Ff");
    REQUIRE(address.has_value());
    CHECK(address->octets == std::array<uint8_t, 6>{0x02, 0x00, 0x5e, 0x00, 0xab, 0xff});
    CHECK(address->text() == "02:00:5e:00:ab:ff");
    CHECK(MacAddress::broadcast().text() == "ff:ff:ff:ff:ff:ff");
}

TEST_CASE("address: what isn't a MAC address is refused") {
    for (const std::string_view text :
         {"", "02:00:00:00:00", "02:00:00:00:00:0", "02:00:00:00:00:001", "02-00-00-00-00-01",
          "02:00:00:00:00:0g", "+2:00:00:00:00:01", "02:00:00:00:00: 1", "-1:00:00:00:00:01"}) {
        CAPTURE(text);
        CHECK_FALSE(MacAddress::parse(text).has_value());
    }
}

TEST_CASE("address: the group bit makes a MAC address multicast") {
    CHECK(MacAddress::broadcast().is_multicast());
    CHECK(mac("33:33:00:00:00:01").is_multicast());
    CHECK_FALSE(mac("02:00:00:00:00:01").is_multicast());
    CHECK(MacAddress{}.is_zero());
    CHECK_FALSE(mac("00:00:00:00:00:01").is_zero());
}

TEST_CASE("address: IPv4 is kept as a mapped address and shown in dots") {
    const IpAddress address = ip("10.1.2.3");
    CHECK(address == IpAddress::from_ipv4(0x0a010203));
    CHECK(address == ip("::ffff:10.1.2.3"));
    CHECK(address.is_ipv4());
    CHECK(address.ipv4() == 0x0a010203);
    CHECK(address.text() == "10.1.2.3");
}

TEST_CASE("address: IPv6 is shown short and read in every form") {
    CHECK(ip("FD00:0:0:0:0:0:0:1").text() == "fd00::1");
    CHECK(ip("fd00::1").octets[15] == 1);
    CHECK_FALSE(ip("fd00::1").is_ipv4());
    CHECK_FALSE(ip("::fffe:10.1.2.3").is_ipv4());
    CHECK_FALSE(ip("1::ffff:10.1.2.3").is_ipv4());
    CHECK_FALSE(ip("::1:0:ffff:10.1.2.3").is_ipv4());
}

TEST_CASE("address: what isn't an IP address is refused") {
    using namespace std::string_view_literals;
    for (const std::string_view text :
         {""sv, "10.1.2"sv, "10.1.2.256"sv, "10.1.2.3 "sv, "fd00:::1"sv, "fd00::1%eth0"sv,
          "10.1.2.3\0x"sv, "localhost"sv, "10.1.2.3/8"sv}) {
        CAPTURE(text);
        CHECK_FALSE(IpAddress::parse(text).has_value());
    }
}

TEST_CASE("address: multicast, link-local and unspecified are told apart") {
    CHECK(ip("224.0.0.1").is_multicast());
    CHECK(ip("239.255.255.255").is_multicast());
    CHECK(ip("ff02::1").is_multicast());
    CHECK_FALSE(ip("240.0.0.1").is_multicast());
    CHECK_FALSE(ip("223.0.0.1").is_multicast());
    CHECK_FALSE(ip("::e000:1").is_multicast());
    CHECK(ip("fe80::1").is_link_local());
    CHECK(ip("febf::1").is_link_local());
    CHECK_FALSE(ip("fec0::1").is_link_local());
    CHECK(ip("0.0.0.0").is_unspecified());
    CHECK(ip("::").is_unspecified());
    CHECK_FALSE(ip("::1").is_unspecified());
}

TEST_CASE("address: a prefix contains what shares its first bits") {
    CHECK(prefix("10.9.200.1/16").contains(ip("10.9.0.0")));
    CHECK(prefix("10.9.200.1/16").contains(ip("10.9.255.255")));
    CHECK_FALSE(prefix("10.9.200.1/16").contains(ip("10.8.255.255")));
    CHECK(prefix("10.9.200.1/17").contains(ip("10.9.128.0")));
    CHECK_FALSE(prefix("10.9.200.1/17").contains(ip("10.9.127.255")));
    CHECK(prefix("10.9.200.1").contains(ip("10.9.200.1")));
    CHECK_FALSE(prefix("10.9.200.1").contains(ip("10.9.200.0")));
    CHECK(prefix("fd00::1/64").contains(ip("fd00::ffff:0:0:1")));
    CHECK_FALSE(prefix("fd00::1/64").contains(ip("fd00:0:0:1::1")));
    CHECK(prefix("fd00::1/126").contains(ip("fd00::3")));
    CHECK_FALSE(prefix("fd00::1/126").contains(ip("fd00::4")));
}

TEST_CASE("address: the widest prefix of one family leaves the other out") {
    CHECK(prefix("::/0").contains(ip("fd00::1")));
    CHECK_FALSE(prefix("::/0").contains(ip("10.0.0.1")));
    CHECK(prefix("0.0.0.0/0").contains(ip("255.1.2.3")));
    CHECK_FALSE(prefix("0.0.0.0/0").contains(ip("::1")));
}

TEST_CASE("address: a prefix counts its addresses") {
    CHECK(prefix("10.0.0.1").address_count() == 1);
    CHECK(prefix("10.0.0.1/16").address_count() == 65'536);
    CHECK(prefix("0.0.0.0/0").address_count() == uint64_t{1} << 32);
    CHECK(prefix("fd00::/120").address_count() == 256);
    CHECK(prefix("fd00::/64").address_count() == uint64_t{1} << 63);
    CHECK(prefix("::/0").address_count() == uint64_t{1} << 63);
}

TEST_CASE("address: a prefix numbers its addresses from its first one") {
    CHECK(prefix("10.9.200.1/16").at(0) == ip("10.9.0.0"));
    CHECK(prefix("10.9.200.1/16").at(65'535) == ip("10.9.255.255"));
    CHECK(prefix("10.9.200.1").at(0) == ip("10.9.200.1"));
    CHECK(prefix("0.0.0.0/0").at(0xfffffffe) == ip("255.255.255.254"));
    CHECK(prefix("fd00::ff/120").at(3) == ip("fd00::3"));
    CHECK(prefix("fd00::1/48").at(uint64_t{1} << 32) == ip("fd00::1:0:0"));
}

TEST_CASE("address: a prefix is its text and back, its own address kept") {
    CHECK(prefix("10.9.200.1/16").text() == "10.9.200.1/16");
    CHECK(prefix("10.9.200.1").text() == "10.9.200.1/32");
    CHECK(prefix("fd00::1/64").text() == "fd00::1/64");
    CHECK(prefix("fd00::1").length_bits == 128);
}

TEST_CASE("address: what isn't a prefix is refused") {
    for (const std::string_view text :
         {"10.0.0.1/33", "10.0.0.1/", "10.0.0.1/-1", "10.0.0.1/ 8", "10.0.0.1/8x", "fd00::1/129",
          "/8", "", "10.0.0.1/4294967304"}) {
        CAPTURE(text);
        CHECK_FALSE(IpPrefix::parse(text).has_value());
    }
}

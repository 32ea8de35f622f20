#include "stack/interface.h"

#include <doctest/doctest.h>

#include "addresses.h"

namespace millrace::test {

namespace {

Interface example() {
    Interface interface;
    interface.mac = {{2, 0, 0, 0, 0, 1}};
    interface.addresses = {prefix("10.0.0.1/16"), prefix("192.168.7.1/24"), prefix("fe80::1/64"),
                           prefix("fd00::1/64")};
    interface.own_ranges = {prefix("10.0.4.0/30"), prefix("fd00::100/126")};
    interface.gateway_ipv4 = ip("10.0.255.254");
    return interface;
}

}  // namespace

TEST_CASE("interface: addresses and ranges are own, their neighbours are not") {
    const Interface interface = example();
    CHECK(interface.is_own(ip("10.0.0.1")));
    CHECK(interface.is_own(ip("10.0.4.0")));
    CHECK(interface.is_own(ip("10.0.4.3")));
    CHECK(!interface.is_own(ip("10.0.4.4")));
    CHECK(!interface.is_own(ip("10.0.0.2")));
    CHECK(interface.is_own(ip("fd00::103")));
    CHECK(!interface.is_own(ip("fd00::104")));
}

TEST_CASE("interface: what is on the link is its own next hop, the rest goes to the gateway") {
    const Interface interface = example();
    CHECK(interface.next_hop(ip("10.0.9.9")) == ip("10.0.9.9"));
    CHECK(interface.next_hop(ip("192.168.7.9")) == ip("192.168.7.9"));
    CHECK(interface.next_hop(ip("8.8.8.8")) == ip("10.0.255.254"));
    CHECK(interface.next_hop(ip("fe80::77")) == ip("fe80::77"));
    CHECK(!interface.next_hop(ip("2001:db8::1")).has_value());
}

TEST_CASE("interface: the source is of the destination's network when there's one") {
    const Interface interface = example();
    CHECK(interface.source_for(ip("192.168.7.9")) == ip("192.168.7.1"));
    CHECK(interface.source_for(ip("10.0.3.3")) == ip("10.0.0.1"));
    CHECK(interface.source_for(ip("8.8.8.8")) == ip("10.0.0.1"));
    CHECK(interface.source_for(ip("fe80::5")) == ip("fe80::1"));
    CHECK(interface.source_for(ip("2001:db8::1")) == ip("fd00::1"));
}

TEST_CASE("interface: sources are counted and numbered over addresses and ranges") {
    const Interface interface = example();
    CHECK(interface.source_count(true) == 6);
    CHECK(interface.source_count(false) == 6);
    CHECK(interface.source_at(true, 0) == ip("10.0.0.1"));
    CHECK(interface.source_at(true, 1) == ip("192.168.7.1"));
    CHECK(interface.source_at(true, 2) == ip("10.0.4.0"));
    CHECK(interface.source_at(true, 5) == ip("10.0.4.3"));
    CHECK(interface.source_at(false, 2) == ip("fd00::100"));
}

TEST_CASE("interface: broadcast and network addresses are nobody's") {
    const Interface interface = example();
    CHECK(interface.is_broadcast(ip("10.0.255.255")));
    CHECK(interface.is_broadcast(ip("10.0.0.0")));
    CHECK(interface.is_broadcast(ip("192.168.7.255")));
    CHECK(interface.is_broadcast(ip("255.255.255.255")));
    CHECK(!interface.is_broadcast(ip("10.0.7.255")));
    CHECK(!interface.is_broadcast(ip("fd00::")));
}

TEST_CASE("interface: faults are named") {
    CHECK(!example().fault().has_value());
    const auto message = [](auto&& change) {
        Interface interface = example();
        change(interface);
        const auto fault = interface.fault();
        return fault ? fault->message : std::string();
    };
    CHECK(message([](Interface& i) { i.addresses.clear(); }).find("no address") !=
          std::string::npos);
    CHECK(message([](Interface& i) { i.mtu = 9'001; }).find("9001") != std::string::npos);
    CHECK(message([](Interface& i) { i.mtu = 1'279; }).find("1280") != std::string::npos);
    CHECK(message([](Interface& i) { i.own_ranges = {prefix("10.1.0.0/24")}; })
              .find("10.1.0.0/24") != std::string::npos);
    CHECK(message([](Interface& i) { i.own_ranges = {prefix("10.0.0.0/8")}; }) != "");
    CHECK(message([](Interface& i) { i.addresses = {prefix("10.0.0.255/24")}; })
              .find("10.0.0.255") != std::string::npos);
    CHECK(message([](Interface& i) { i.mac = {{1, 0, 0, 0, 0, 0}}; }) != "");
    CHECK(message([](Interface& i) { i.gateway_ipv6 = ip("10.0.0.9"); }) != "");
}

}  // namespace millrace::test

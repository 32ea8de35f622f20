#include "port/port_harness.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include <unistd.h>

#include "port/eal.h"

using namespace millrace;
using namespace millrace::test;

namespace {

std::string fault_of(const PortOptions& options) {
    const auto port = Port::open(options);
    return port ? "" : port.error().message;
}

struct TemporaryFile {
    explicit TemporaryFile(const char* name)
        : path("/tmp/millrace-port-" + std::to_string(::getpid()) + "-" + name) {}
    ~TemporaryFile() { ::unlink(path.c_str()); }

    std::string read() const {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::string path;
};

}  // namespace

TEST_CASE("port: PCI addresses are told from virtual devices") {
    CHECK(is_pci_device("0000:03:00.0"));
    CHECK(is_pci_device("03:00.0"));
    CHECK(is_pci_device("0000:af:00.1,some=argument"));
    CHECK_FALSE(is_pci_device("net_ring0"));
    CHECK_FALSE(is_pci_device("net_memif0,socket=/tmp/a:b.0"));
    CHECK_FALSE(is_pci_device("03:00"));
    CHECK_FALSE(is_pci_device("00.0"));
    CHECK_FALSE(is_pci_device(""));
}

TEST_CASE("port: a device opens again after it was closed") {
    for (int round = 0; round < 3; ++round) {
        const auto port = open_port(small_port("net_ring0"));
        if (port == nullptr) return;
        CHECK(port->describe().find("net_ring0") != std::string::npos);
    }
}

TEST_CASE("port: a device that doesn't exist is an error that names it") {
    if (open_port(small_port("net_ring0")) == nullptr) return;
    CHECK(fault_of(small_port("net_nonsense0")).find("net_nonsense0") != std::string::npos);
}

TEST_CASE("port: an interface that doesn't exist is an error that names it") {
    if (open_port(small_port("net_ring0")) == nullptr) return;
    const std::string fault = fault_of(small_port("net_af_packet0,iface=nosuchinterface"));
    CHECK(fault.find("nosuchinterface") != std::string::npos);
}

TEST_CASE("port: the configured MAC address is the link's") {
    PortMemory memory;
    PortOptions options = small_port("net_ring0");
    options.mac = MacAddress::parse("02:00:00:00:00:77");
    const auto port = open_port(options);
    if (port == nullptr) return;
    CHECK(make_link(*port, 0, memory)->facts().mac == *options.mac);
}

TEST_CASE("port: a device without a MAC address gets one of a single station") {
    PortMemory memory;
    const auto port = open_port(small_port("net_ring0"));
    if (port == nullptr) return;
    const MacAddress mac = make_link(*port, 0, memory)->facts().mac;
    CHECK_FALSE(mac.is_zero());
    CHECK_FALSE(mac.is_multicast());
}

TEST_CASE("port: queues are no more than shards, and the device's") {
    const auto port = open_port(small_port("net_ring0", 20));
    if (port == nullptr) return;
    CHECK(port->describe().find("16 queues") != std::string::npos);
}

TEST_CASE("port: a capture has what went out and what came in") {
    const TemporaryFile file("capture.pcap");
    PortMemory memory;
    PortOptions options = small_port("net_ring0");
    options.capture_path = file.path;
    OutFrame frame = tcp_frame({}, 300);
    {
        const auto port = open_port(options);
        if (port == nullptr) return;
        const auto link = make_link(*port, 0, memory);
        add_payload(frame, memory.slice(std::string(300, 'c')));
        const std::string sent = bytes_of(frame);
        CHECK(link->transmit({&frame, 1}) == 1);
        CHECK(receive_all(*link).size() == 1);
    }
    const size_t record_bytes = 16 + frame.bytes();
    const std::string bytes = file.read();
    REQUIRE(bytes.size() == 24 + 2 * record_bytes);
    CHECK(bytes.substr(24 + 16, frame.bytes()) ==
          bytes.substr(24 + record_bytes + 16, frame.bytes()));
}

TEST_CASE("port: a shard's thread of our own sends and receives") {
    PortMemory memory;
    const auto port = open_port(small_port("net_ring0"));
    if (port == nullptr) return;
    auto link = make_link(*port, 0, memory);
    uint32_t taken = 0;
    size_t received = 0;
    std::thread([&] {
        for (int round = 0; round < 50; ++round) {
            const std::vector<OutFrame> frames(64, tcp_frame({}));
            taken += link->transmit(frames);
            received += receive_all(*link).size();
        }
        link.reset();
    }).join();
    CHECK(taken == 3'200);
    CHECK(received == 3'200);
}

// One Ethernet device of DPDK: found or made, configured, started, and given back.
// Owned by: the port. On the thread that opens it; its queues are used by the shards (ether_link.h).
// Holds:    from open() on it has its queues and their settings and takes queue memory; after
//           start() it receives. The destructor stops it, and then it holds no buffer any more.
// Not here: memory pools, what is sent.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "port/port.h"

struct rte_mempool;

namespace millrace {

class Device {
public:
    static Outcome<std::unique_ptr<Device>> open(const PortOptions& options);
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    // One pool a queue, with buffers of at least `receive_room_bytes()`.
    Outcome<void> start(const std::vector<rte_mempool*>& receive_pools);

    uint16_t port() const { return port_; }
    uint32_t queue_count() const { return queue_count_; }
    int socket() const { return socket_; }
    uint32_t receive_descriptors() const { return receive_descriptors_; }
    uint32_t transmit_descriptors() const { return transmit_descriptors_; }
    uint32_t receive_room_bytes() const;
    const MacAddress& mac() const { return mac_; }
    const std::string& name() const { return name_; }
    const std::string& driver() const { return driver_; }

    // Spreads flows over its queues by our key: queue of flow hash h is
    // redirection()[h % redirection().size()]. Empty: it doesn't.
    const std::vector<uint16_t>& redirection() const { return redirection_; }
    bool transmits_ipv4_checksum() const { return transmits_ipv4_checksum_; }
    bool transmits_tcp_checksum() const { return transmits_tcp_checksum_; }
    bool segments_tcp() const { return segments_tcp_; }
    bool verifies_checksums() const { return verifies_checksums_; }
    // How many buffers a frame may be made of; 1: no more than one.
    uint32_t buffers_a_frame_max() const { return buffers_a_frame_max_; }
    // Its driver copies what it sends on the thread that sends, from wherever it lies. Otherwise
    // a frame has to lie in DPDK's own memory.
    bool reads_any_memory() const { return reads_any_memory_; }

private:
    explicit Device(const PortOptions& options) : options_(options) {}
    Outcome<void> find_or_make();
    Outcome<void> configure();
    Outcome<void> check_mtu();
    Outcome<void> set_mac();
    void hear_multicast();
    void spread_by_key();

    const PortOptions options_;
    std::string name_;       // of the device: the vdev's name, or the PCI address
    std::string arguments_;  // what DPDK is told: `device`, with what the MTU adds
    std::string driver_;
    uint16_t port_ = 0;
    bool exists_ = false;
    bool hashes_flows_ = false;
    bool mtu_by_device_ = true;  // false: DPDK isn't told, the driver goes by its own frame length
    int socket_ = 0;
    uint32_t queue_count_ = 1;
    uint32_t receive_descriptors_ = 0;
    uint32_t transmit_descriptors_ = 0;
    uint32_t frame_room_bytes_ = 0;  // that a driver wants a buffer to have; 0: what a frame needs
    MacAddress mac_;
    std::vector<uint16_t> redirection_;
    bool transmits_ipv4_checksum_ = false;
    bool transmits_tcp_checksum_ = false;
    bool segments_tcp_ = false;
    bool verifies_checksums_ = false;
    bool reads_any_memory_ = false;
    uint32_t buffers_a_frame_max_ = 1;
};

}  // namespace millrace

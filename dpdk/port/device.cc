#include "port/device.h"

#include <fmt/format.h>
#include <net/if.h>
#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <latch>
#include <optional>

#include "base/log.h"
#include "port/eal.h"
#include "wire/toeplitz.h"

namespace millrace {
namespace {

constexpr uint32_t ethernet_bytes_max = 14 + 2 * 4;  // two VLAN tags
constexpr std::string_view af_packet = "net_af_packet";
constexpr std::string_view memif = "net_memif";

std::string_view name_of(std::string_view device) { return device.substr(0, device.find(',')); }

// The value of `key` in "name,key=value,...".
std::optional<std::string> argument_of(std::string_view device, std::string_view key) {
    for (size_t comma = device.find(','); comma != std::string_view::npos;) {
        device.remove_prefix(comma + 1);
        comma = device.find(',');
        const std::string_view pair = device.substr(0, comma);
        if (pair.starts_with(key) && pair.substr(key.size()).starts_with('=')) {
            return std::string(pair.substr(key.size() + 1));
        }
    }
    return std::nullopt;
}

// A frame of an AF_PACKET ring has a header of the kernel's in front, and a ring is made of blocks
// of whole frames. The driver's own 2,048 bytes are right up to an MTU of 1,900.
std::string with_frame_length(const std::string& device, uint32_t mtu) {
    const bool fits = mtu <= 1'900;
    if (!device.starts_with(af_packet) || fits || argument_of(device, "framesz")) return device;
    const uint32_t frame_bytes = std::bit_ceil(mtu + ethernet_bytes_max + 128);
    std::string with = fmt::format("{},framesz={}", device, frame_bytes);
    if (!argument_of(device, "blocksz")) {
        with += fmt::format(",blocksz={}", std::max<uint32_t>(frame_bytes, 4'096));
    }
    return with;
}

// 0 when there's no such interface here.
uint32_t kernel_mtu(const std::string& interface) {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return 0;
    ifreq request{};
    std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
    const bool known = ::ioctl(socket, SIOCGIFMTU, &request) == 0;
    ::close(socket);
    return known ? static_cast<uint32_t>(request.ifr_mtu) : 0;
}

rte_ether_addr to_dpdk(const MacAddress& mac) {
    rte_ether_addr address{};
    std::copy(mac.octets.begin(), mac.octets.end(), address.addr_bytes);
    return address;
}

// Alarms are rung by the thread that handles interrupts.
template <class Work>
void run_on_interrupt_thread(const Work& work) {
    struct Order {
        const Work& work;
        std::latch done{1};
    };
    Order order{work};
    const auto ring = [](void* context) {
        auto& rung = *static_cast<Order*>(context);
        rung.work();
        rung.done.count_down();
    };
    if (::rte_eal_alarm_set(1, ring, &order) != 0) return work();
    order.done.wait();
}

// Which drivers have read a frame's bytes with the processor when their transmit call returns.
bool copies_on_transmit(std::string_view driver, std::string_view device) {
    constexpr std::array<std::string_view, 4> drivers{af_packet, memif, "net_tap", "net_vhost"};
    if (argument_of(device, "zero-copy") == "yes") return false;
    return std::find(drivers.begin(), drivers.end(), driver) != drivers.end();
}

}  // namespace

Outcome<std::unique_ptr<Device>> Device::open(const PortOptions& options) {
    std::unique_ptr<Device> device(new Device(options));
    if (auto done = device->find_or_make(); !done) return tl::unexpected<Error>(done.error());
    if (auto done = device->configure(); !done) return tl::unexpected<Error>(done.error());
    return device;
}

Device::~Device() {
    if (!exists_) return;
    const auto close = [this] {
        rte_eth_dev_info info{};
        ::rte_eth_dev_info_get(port_, &info);
        ::rte_eth_dev_stop(port_);
        ::rte_eth_dev_close(port_);
        if (info.device != nullptr) ::rte_dev_remove(info.device);
    };
    // A memif's other end that closes at the same moment has DPDK's interrupt thread free what we
    // are freeing (seen with 22.11). On that thread the two come one after the other.
    if (driver_ == memif) {
        run_on_interrupt_thread(close);
    } else {
        close();
    }
}

Outcome<void> Device::find_or_make() {
    name_ = name_of(options_.device);
    arguments_ = with_frame_length(options_.device, options_.mtu);
    const EalLog log;
    // A PCI device that was allowed when DPDK started is there already.
    const int status = ::rte_dev_probe(arguments_.c_str());
    if (status < 0 && status != -EEXIST) {
        return fail(Errc::system,
                    fmt::format("dpdk.device \"{}\": DPDK finds no such device or can't open it: {}",
                                arguments_, log.complaint()));
    }
    if (::rte_eth_dev_get_port_by_name(name_.c_str(), &port_) != 0) {
        return fail(Errc::system,
                    fmt::format("dpdk.device \"{}\": not an Ethernet device that DPDK drives; a "
                                "card has to be bound to vfio-pci (dpdk-devbind.py --bind)",
                                options_.device));
    }
    exists_ = true;
    socket_ = ::rte_eth_dev_socket_id(port_);
    return {};
}

Outcome<void> Device::check_mtu() {
    rte_eth_dev_info info{};
    ::rte_eth_dev_info_get(port_, &info);
    if (driver_ == af_packet) {
        // The driver refuses any but 1,500, and sends what the interface takes.
        mtu_by_device_ = false;
        const std::string interface = argument_of(options_.device, "iface").value_or("");
        const uint32_t mtu = kernel_mtu(interface);
        if (mtu >= options_.mtu) return {};
        return fail(Errc::invalid_argument,
                    fmt::format("dpdk.mtu = {}: the interface {} has an MTU of {} (ip link set {} "
                                "mtu {})",
                                options_.mtu, interface, mtu, interface, options_.mtu));
    }
    if (driver_ == memif) {
        // It tells DPDK 1,500 and carries frames of any length, in as many buffers as they need.
        mtu_by_device_ = false;
        return {};
    }
    // As DPDK reckons: what a frame has around its payload, when the driver says so.
    const uint32_t overhead = info.max_mtu != UINT16_MAX && info.max_rx_pktlen > info.max_mtu
                                  ? info.max_rx_pktlen - info.max_mtu
                                  : RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
    const uint32_t mtu_max = std::min<uint32_t>(
        info.max_mtu, info.max_rx_pktlen > overhead ? info.max_rx_pktlen - overhead : 0);
    if (options_.mtu <= mtu_max && options_.mtu >= info.min_mtu) return {};
    return fail(Errc::invalid_argument, fmt::format("dpdk.mtu = {}: {} takes {} to {}",
                                                    options_.mtu, name_, info.min_mtu, mtu_max));
}

Outcome<void> Device::configure() {
    rte_eth_dev_info info{};
    if (::rte_eth_dev_info_get(port_, &info) != 0) {
        return fail(Errc::system, fmt::format("{}: DPDK can't describe it", name_));
    }
    driver_ = info.driver_name;
    if (auto done = check_mtu(); !done) return done;
    const uint32_t wanted =
        options_.queue_count == 0 ? options_.shard_count : options_.queue_count;
    queue_count_ = std::min<uint32_t>(
        {wanted, options_.shard_count, info.max_rx_queues, info.max_tx_queues});

    rte_eth_conf config{};
    if (mtu_by_device_) config.rxmode.mtu = options_.mtu;
    const uint64_t flows = info.flow_type_rss_offloads &
                           (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP);
    std::array<uint8_t, rss_key_bytes> key;
    std::copy_n(symmetric_rss_key().begin(), rss_key_bytes, key.begin());
    hashes_flows_ = queue_count_ > 1 && queue_count_ == options_.shard_count && flows != 0 &&
                    info.reta_size != 0 && info.hash_key_size <= rss_key_bytes;
    if (hashes_flows_) {
        config.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        config.rx_adv_conf.rss_conf.rss_key = key.data();
        config.rx_adv_conf.rss_conf.rss_key_len =
            info.hash_key_size == 0 ? uint8_t{40} : info.hash_key_size;
        config.rx_adv_conf.rss_conf.rss_hf = flows;
    }
    constexpr uint64_t receive_checksums =
        RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
    verifies_checksums_ = (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_CKSUM) != 0;
    config.rxmode.offloads = info.rx_offload_capa & receive_checksums;
    config.txmode.offloads =
        info.tx_offload_capa & (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
                                RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
    const auto transmits = [&](uint64_t offload) {
        return (config.txmode.offloads & offload) != 0;
    };
    transmits_ipv4_checksum_ = transmits(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
    transmits_tcp_checksum_ = transmits(RTE_ETH_TX_OFFLOAD_TCP_CKSUM);
    reads_any_memory_ = copies_on_transmit(driver_, options_.device);
    if (transmits(RTE_ETH_TX_OFFLOAD_MULTI_SEGS)) {
        const uint16_t told = info.tx_desc_lim.nb_mtu_seg_max;
        buffers_a_frame_max_ = told == 0 ? UINT16_MAX : told;
    }
    segments_tcp_ = transmits(RTE_ETH_TX_OFFLOAD_TCP_TSO) && transmits_tcp_checksum_ &&
                    buffers_a_frame_max_ > 1;

    const EalLog log;
    const auto queues = static_cast<uint16_t>(queue_count_);
    if (::rte_eth_dev_configure(port_, queues, queues, &config) != 0) {
        return fail(Errc::system, fmt::format("{}: {} queues and an MTU of {} were refused: {}",
                                              name_, queues, options_.mtu, log.complaint()));
    }
    auto receive = static_cast<uint16_t>(options_.receive_descriptors);
    auto transmit = static_cast<uint16_t>(options_.transmit_descriptors);
    if (::rte_eth_dev_adjust_nb_rx_tx_desc(port_, &receive, &transmit) != 0) {
        return fail(Errc::system, fmt::format("{}: the descriptors were refused: {}", name_,
                                              log.complaint()));
    }
    receive_descriptors_ = receive;
    transmit_descriptors_ = transmit;
    if (driver_ == af_packet) {
        const std::string frame = argument_of(arguments_, "framesz").value_or("2048");
        frame_room_bytes_ = static_cast<uint32_t>(std::strtoul(frame.c_str(), nullptr, 10));
    }
    return {};
}

uint32_t Device::receive_room_bytes() const {
    // Cards are told of a buffer's length in steps of 1 KiB, rounded down.
    constexpr uint32_t step = 1'024;
    const uint32_t needed = std::max(
        {options_.mtu + ethernet_bytes_max + RTE_ETHER_CRC_LEN, frame_room_bytes_, 2 * step});
    return (needed + step - 1) / step * step;
}

Outcome<void> Device::start(const std::vector<rte_mempool*>& receive_pools) {
    const EalLog log;
    const auto refuse = [&](const char* what) {
        return fail(Errc::system, fmt::format("{}: {}: {}", name_, what, log.complaint()));
    };
    for (uint16_t queue = 0; queue < queue_count_; ++queue) {
        if (::rte_eth_rx_queue_setup(port_, queue, static_cast<uint16_t>(receive_descriptors_),
                                     static_cast<unsigned>(socket_), nullptr,
                                     receive_pools[queue]) != 0) {
            return refuse("a receive queue can't be made");
        }
        if (::rte_eth_tx_queue_setup(port_, queue, static_cast<uint16_t>(transmit_descriptors_),
                                     static_cast<unsigned>(socket_), nullptr) != 0) {
            return refuse("a transmit queue can't be made");
        }
    }
    if (::rte_eth_dev_start(port_) != 0) return refuse("the device doesn't start");
    if (auto done = set_mac(); !done) return done;
    hear_multicast();
    spread_by_key();
    return {};
}

Outcome<void> Device::set_mac() {
    rte_ether_addr own{};
    ::rte_eth_macaddr_get(port_, &own);
    std::copy_n(own.addr_bytes, mac_.octets.size(), mac_.octets.begin());
    if (options_.mac && *options_.mac == mac_) return {};
    rte_ether_addr wanted{};
    if (options_.mac) {
        wanted = to_dpdk(*options_.mac);
    } else if (mac_.is_zero() || mac_.is_multicast()) {
        ::rte_eth_random_addr(wanted.addr_bytes);  // a locally administered one
    } else {
        return {};
    }
    std::copy_n(wanted.addr_bytes, mac_.octets.size(), mac_.octets.begin());
    if (::rte_eth_dev_default_mac_addr_set(port_, &wanted) == 0) return {};
    // A device that can't take it still may show us everything.
    if (::rte_eth_promiscuous_enable(port_) == 0) return {};
    if (!is_pci_device(options_.device)) return {};  // virtual devices filter nothing
    return fail(Errc::unsupported,
                fmt::format("dpdk.mac = \"{}\": {} takes no other address than its own", mac_.text(),
                            name_));
}

// Neighbor discovery asks at multicast addresses (RFC 4861, 7.2.2).
void Device::hear_multicast() {
    if (::rte_eth_allmulticast_enable(port_) == 0) return;
    ::rte_eth_promiscuous_enable(port_);
}

// Takes the device's word for nothing: reads back what it was told.
void Device::spread_by_key() {
    if (!hashes_flows_) return;
    rte_eth_dev_info info{};
    ::rte_eth_dev_info_get(port_, &info);
    std::array<uint8_t, rss_key_bytes> key{};
    rte_eth_rss_conf hash{};
    hash.rss_key = key.data();
    hash.rss_key_len = info.hash_key_size == 0 ? uint8_t{40} : info.hash_key_size;
    if (::rte_eth_dev_rss_hash_conf_get(port_, &hash) != 0 ||
        !std::equal(key.begin(), key.begin() + hash.rss_key_len, symmetric_rss_key().begin())) {
        log_warning("flows spread in software", field("device", name_),
                    field("reason", "it doesn't take our hash key"));
        return;
    }
    std::vector<rte_eth_rss_reta_entry64> table(
        (info.reta_size + RTE_ETH_RETA_GROUP_SIZE - 1u) / RTE_ETH_RETA_GROUP_SIZE);
    for (uint32_t index = 0; index < info.reta_size; ++index) {
        rte_eth_rss_reta_entry64& group = table[index / RTE_ETH_RETA_GROUP_SIZE];
        group.mask |= uint64_t{1} << (index % RTE_ETH_RETA_GROUP_SIZE);
        group.reta[index % RTE_ETH_RETA_GROUP_SIZE] = static_cast<uint16_t>(index % queue_count_);
    }
    if (::rte_eth_dev_rss_reta_update(port_, table.data(), info.reta_size) != 0 ||
        ::rte_eth_dev_rss_reta_query(port_, table.data(), info.reta_size) != 0) {
        log_warning("flows spread in software", field("device", name_),
                    field("reason", "it has no redirection table"));
        return;
    }
    for (uint32_t index = 0; index < info.reta_size; ++index) {
        redirection_.push_back(
            table[index / RTE_ETH_RETA_GROUP_SIZE].reta[index % RTE_ETH_RETA_GROUP_SIZE]);
    }
}

}  // namespace millrace

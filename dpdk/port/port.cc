#include "port/port.h"

#include <fmt/format.h>
#include <rte_ethdev.h>

#include <algorithm>

#include "base/assert.h"
#include "port/capture.h"
#include "port/device.h"
#include "port/eal.h"
#include "port/ether_link.h"
#include "port/memory_needed.h"
#include "port/mempool.h"
#include "port/spread.h"

namespace millrace {
namespace {

constexpr uint32_t frame_bytes_around_mtu = 14 + 4;  // Ethernet, one VLAN tag

// The members' order is that of their end, backwards: the device gives its buffers back while
// the pools are still there.
class DevicePort final : public Port {
public:
    explicit DevicePort(const PortOptions& options)
        : options_(options), links_made_(options.shard_count, false) {}

    Outcome<void> set_up();
    Outcome<std::unique_ptr<Link>> make_link(uint32_t shard, BlockPool& blocks) override;
    std::string describe() const override;
    std::vector<PortBuffers> buffers() const override;

private:
    Outcome<void> make_pools();
    bool sends_by_reference(uint32_t shard) const;
    LinkFacts facts_of(uint32_t shard) const;

    const PortOptions options_;
    std::vector<bool> links_made_;
    std::vector<Mempool> receive_pools_;  // by queue
    std::vector<Mempool> header_pools_;   // by shard
    std::vector<Mempool> payload_pools_;  // by shard; null: it copies
    std::unique_ptr<SpreadMesh> spread_;  // null: one shard
    std::unique_ptr<Capture> capture_;
    std::unique_ptr<Device> device_;
};

Outcome<void> DevicePort::set_up() {
    if (!options_.capture_path.empty()) {
        auto capture = Capture::create(options_.capture_path, options_.capture_bytes_max);
        if (!capture) return tl::unexpected<Error>(capture.error());
        capture_ = std::move(*capture);
    }
    auto device = Device::open(options_);
    if (!device) return tl::unexpected<Error>(device.error());
    device_ = std::move(*device);
    if (options_.shard_count > 1) {
        auto spread = SpreadMesh::create(options_.shard_count, device_->queue_count());
        if (!spread) return tl::unexpected<Error>(spread.error());
        spread_ = std::move(*spread);
    }
    if (auto made = make_pools(); !made) return made;
    std::vector<rte_mempool*> pools;
    for (const Mempool& pool : receive_pools_) pools.push_back(pool.get());
    return device_->start(pools);
}

// A shard whose frames leave on another's thread copies: blocks are counted without atomics.
bool DevicePort::sends_by_reference(uint32_t shard) const {
    return shard < device_->queue_count() && device_->reads_any_memory() &&
           device_->buffers_a_frame_max() > 1;
}

Outcome<void> DevicePort::make_pools() {
    const auto add = [&](std::vector<Mempool>& pools, MempoolOptions pool) -> Outcome<void> {
        pool.socket = device_->socket();
        auto made = make_mempool(pool);
        if (!made) return tl::unexpected<Error>(made.error());
        pools.push_back(std::move(*made));
        return {};
    };
    const uint32_t receive = std::max(
        options_.buffer_count != 0 ? options_.buffer_count : 4 * device_->receive_descriptors(),
        device_->receive_descriptors() + spare_buffers);
    for (uint32_t queue = 0; queue < device_->queue_count(); ++queue) {
        if (auto done = add(receive_pools_, {.purpose = "receive buffers",
                                             .buffer_count = receive,
                                             .room_bytes = device_->receive_room_bytes()});
            !done) {
            return done;
        }
    }
    const uint32_t transmit = device_->transmit_descriptors() + spare_buffers;
    for (uint32_t shard = 0; shard < options_.shard_count; ++shard) {
        const bool refers = sends_by_reference(shard);
        const uint32_t room = OutFrame::header_bytes_max +
                              (refers ? options_.copy_bytes_max
                                      : options_.mtu + frame_bytes_around_mtu);
        if (auto done = add(header_pools_, {.purpose = "header buffers",
                                            .buffer_count = transmit,
                                            .room_bytes = room});
            !done) {
            return done;
        }
        if (!refers) {
            payload_pools_.emplace_back();
        } else if (auto done = add(payload_pools_,
                                   {.purpose = "payload buffers", .buffer_count = transmit});
                   !done) {
            return done;
        }
    }
    return {};
}

LinkFacts DevicePort::facts_of(uint32_t shard) const {
    const bool refers = sends_by_reference(shard);
    LinkFacts facts;
    facts.mac = device_->mac();
    facts.mtu = options_.mtu;
    facts.tx_ipv4_checksum = device_->transmits_ipv4_checksum();
    facts.tx_tcp_checksum = device_->transmits_tcp_checksum();
    facts.tcp_segmentation = device_->segments_tcp() && refers;
    if (refers) {
        facts.slices_max = std::min(OutFrame::slices_max, device_->buffers_a_frame_max() - 1);
    }
    facts.name = describe();
    return facts;
}

std::vector<PortBuffers> DevicePort::buffers() const {
    const auto sum = [](std::string_view name, const std::vector<Mempool>& pools) {
        PortBuffers all{.name = name};
        for (const Mempool& pool : pools) {
            if (pool == nullptr) continue;
            const uint64_t each = pool->header_size + pool->elt_size + pool->trailer_size;
            const uint64_t in_use = ::rte_mempool_in_use_count(pool.get());
            all.in_use += in_use;
            all.in_use_bytes += in_use * each;
            all.pool_bytes += pool->size * each;
        }
        return all;
    };
    return {sum("dpdk receive buffers", receive_pools_), sum("dpdk header buffers", header_pools_),
            sum("dpdk payload buffers", payload_pools_)};
}

Outcome<std::unique_ptr<Link>> DevicePort::make_link(uint32_t shard, BlockPool& blocks) {
    MR_ASSERT(shard < options_.shard_count);
    MR_ASSERT(!links_made_[shard]);
    links_made_[shard] = true;
    EtherLinkOptions link;
    link.port = device_->port();
    link.shard = shard;
    link.has_queue = shard < device_->queue_count();
    link.prepares = device_->transmits_ipv4_checksum() || device_->transmits_tcp_checksum();
    link.facts = facts_of(shard);
    link.build = {.headers = header_pools_[shard].get(),
                  .payloads = payload_pools_[shard].get(),
                  .copy_bytes_max = options_.copy_bytes_max};
    link.copies = receive_pools_[shard % device_->queue_count()].get();
    link.spread = spread_.get();
    link.redirection = device_->redirection();
    link.capture = capture_.get();
    return std::make_unique<EtherLink>(std::move(link), blocks);
}

std::string DevicePort::describe() const {
    std::string offloads;
    const auto add = [&](bool has, const char* what) {
        if (has) offloads += fmt::format("{}{}", offloads.empty() ? "" : ", ", what);
    };
    add(device_->transmits_tcp_checksum(), "transmit checksums");
    add(device_->verifies_checksums(), "receive checksums");
    add(device_->segments_tcp(), "segmentation");
    const char* spread = spread_ == nullptr                ? ""
                         : device_->redirection().empty() ? ", flows spread in software"
                                                          : ", flows spread by the device";
    const uint32_t queues = device_->queue_count();
    return fmt::format("dpdk {} ({}), {} queue{}{}, payload {}, offloads: {}{}", device_->name(),
                       device_->driver(), queues, queues == 1 ? "" : "s", spread,
                       sends_by_reference(0) ? "by reference" : "copied",
                       offloads.empty() ? "none" : offloads,
                       capture_ == nullptr ? "" : ", captured to " + options_.capture_path);
}

}  // namespace

Outcome<std::unique_ptr<Port>> Port::open(const PortOptions& options) {
    MR_ASSERT(options.shard_count > 0);
    EalOptions eal;
    eal.arguments = options.eal_arguments;
    if (is_pci_device(options.device)) eal.pci_device = options.device;
    eal.memory_bytes = memory_needed(options);
    eal.huge_pages = options.huge_pages;
    if (auto started = start_eal(eal); !started) return tl::unexpected<Error>(started.error());
    auto port = std::make_unique<DevicePort>(options);
    if (auto done = port->set_up(); !done) return tl::unexpected<Error>(done.error());
    return port;
}

}  // namespace millrace

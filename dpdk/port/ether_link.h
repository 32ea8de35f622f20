// A shard's link over a device of DPDK: its queue pair, or another shard's when it has none.
// Owned by: the shard's transport; on the shard's thread, the destructor too.
// Holds:    a frame that transmit() took is sent or waits here for the device's room, in order; what
//           waits goes before anything newer. It's looked after by receive() too, so that nothing
//           waits for more to send.
// Not here: where frames belong (spread.h), how they become buffers (frame_builder.h).
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "port/capture.h"
#include "port/eal.h"
#include "port/frame_builder.h"
#include "port/spread.h"
#include "stack/link.h"

namespace millrace {

struct EtherLinkOptions {
    uint16_t port = 0;
    uint32_t shard = 0;
    bool has_queue = true;             // of the shard's own number
    bool prepares = false;             // offloads are on: the driver looks at frames before
    LinkFacts facts;
    FrameBuilder::Options build;
    rte_mempool* copies = nullptr;     // for what every shard hears
    SpreadMesh* spread = nullptr;      // null: one shard
    // Of the device (device.h); empty: flows are spread here.
    std::vector<uint16_t> redirection;
    Capture* capture = nullptr;        // null: none
};

class EtherLink final : public Link {
public:
    EtherLink(EtherLinkOptions options, BlockPool& blocks);
    ~EtherLink() override;
    EtherLink(const EtherLink&) = delete;
    EtherLink& operator=(const EtherLink&) = delete;

    std::span<const InFrame> receive() override;
    void release_received() override;
    uint32_t transmit(std::span<const OutFrame> frames) override;
    const LinkFacts& facts() const override { return options_.facts; }
    const LinkCounters& counters() const override { return counters_; }
    uint32_t shard_of(const IpAddress& local, uint16_t local_port, const IpAddress& remote,
                      uint16_t remote_port) const override;

private:
    static constexpr uint32_t burst_frames = 64;
    static constexpr uint32_t held_frames_max = 1'024;

    void use_on_this_thread();
    void receive_burst();
    void receive_handed(uint32_t room);
    void spread(rte_mbuf* frame);
    void spread_to_everyone(rte_mbuf* frame);
    void hand_over(uint32_t to, rte_mbuf* frame, bool is_copy);
    void accept(rte_mbuf* frame, bool is_copy);
    void send_for_others();
    void record_sent(rte_mbuf* const* frames, uint32_t count);

    // Frames that can't go now wait. False when there are some, old or new.
    bool send_pending();
    bool send_or_keep(rte_mbuf** frames, uint32_t count);
    uint32_t hand_to_device(rte_mbuf** frames, uint32_t count);
    void refuse(rte_mbuf* frame);

    const EtherLinkOptions options_;
    LinkCounters counters_;
    std::optional<EalThread> thread_;  // from the first use on a thread that DPDK doesn't know
    FrameBuilder builder_;

    uint32_t held_count_ = 0;          // of both
    std::unique_ptr<InFrame[]> frames_;
    std::unique_ptr<rte_mbuf*[]> held_;

    uint32_t pending_first_ = 0;
    uint32_t pending_count_ = 0;
    std::array<rte_mbuf*, burst_frames> pending_;
};

}  // namespace millrace

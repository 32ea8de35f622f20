// The publishers' side of a shard: which messages are due, and sending them.
// Owned by: the LoadShard.
// Holds:    a publisher has at most 256 KiB unsent and never reuses a packet identifier in flight;
//           what is held up is sent later with the time at which it was due (open loop), so that
//           waiting counts as latency.
// Not here: packets that come in (load_packets.cc).
#pragma once

#include <cstdint>
#include <vector>

#include "codec/mqtt/packet.h"
#include "load/client.h"
#include "load/mail.h"
#include "load/payload.h"
#include "load/plan.h"
#include "load/publish_schedule.h"
#include "load/totals.h"
#include "net/outbox.h"
#include "runtime/block.h"

namespace millrace {

class PublishPath {
public:
    PublishPath(const LoadPlan& plan, uint32_t shard, const PayloadPattern& pattern,
                Outbox& outbox, BlockStream& stream, LoadTotals& totals);

    // The publishers of the shard, in order; before anything else.
    void add(Client& client);
    void on_ready(Client& client, uint16_t receive_maximum);
    void on_gone(Client& client);
    void on_drained(Client& client) { stand_in_line(publishers_[client.local]); }

    void begin_phase(const LoadCommand& command);
    void stop();
    // All receivers on `from_shard` have the messages of `publisher` below `complete`.
    void on_progress(uint32_t from_shard, uint32_t publisher, uint64_t complete);

    // An answer to a PUBLISH of `client`; false when it answers nothing.
    bool on_puback(Client& client, uint16_t packet_id, bool refused);
    // A PUBREL answers it, unless it's refused.
    bool on_pubrec(Client& client, uint16_t packet_id, bool refused);
    bool on_pubcomp(Client& client, uint16_t packet_id);

    void end_turn(Instant now);
    // When end_turn() has something to do that no event announces.
    Instant next_deadline() const {
        return line_.empty() ? schedule_.next_due() : Instant{0};
    }

private:
    static constexpr uint32_t queued_bytes_max = 256 * 1024;  // a connection
    static constexpr uint32_t turn_bytes_max = 1024 * 1024;   // sent in one turn
    static constexpr uint32_t batch_count_max = 256;          // of one publisher in one turn

    enum class Sent : uint8_t { done, blocked, more };

    void stand_in_line(Publisher& publisher);
    Sent send_batch(Publisher& publisher, uint32_t& bytes_left);
    bool send_one(Publisher& publisher, int64_t sent_at_ns);
    void finish(Publisher& publisher);
    void end_flow(Publisher& publisher, bool refused);

    const LoadPlan& plan_;
    const PayloadPattern& pattern_;
    Outbox& outbox_;
    BlockStream& stream_;
    LoadTotals& totals_;
    uint32_t shard_;
    mqtt::Version version_;
    uint8_t qos_;
    bool closed_loop_;
    std::vector<Publisher> publishers_;
    std::vector<uint64_t> completes_;  // [local publisher][shard]; UINT64_MAX without receivers
    std::vector<uint32_t> line_;       // local publishers with work to look at
    std::vector<uint32_t> served_;     // the line of this turn; empty between turns
    PublishSchedule schedule_;
    uint32_t packet_bytes_ = 0;
};

}  // namespace millrace

// What a shard's broker counts. One writer, the shard; any thread reads.
#pragma once

#include "runtime/ledger.h"

namespace millrace {

struct BrokerCounters {
    // Now.
    Counter connections, sessions, subscriptions, retained_messages, retained_bytes;
    Counter connections_active;        // an estimate (activity.h)
    Counter waiting_messages;
    Counter mail_waiting_bytes;        // to other shards, for room in their rings
    // Since the start.
    Counter connects_accepted, connects_refused, takeovers;
    Counter publishes_received, publishes_sent, publishes_denied;
    Counter dropped_slow_receiver;     // QoS 0 past a full send ring
    Counter dropped_queue_full;        // a session's queue was full
    Counter dropped_too_large;         // past the client's maximum packet size
    Counter dropped_expired;
    Counter dropped_exhausted;         // no memory for a frame or a queue entry
    Counter refused_quota;             // publishes answered with "quota exceeded"
    Counter protocol_errors, keep_alive_timeouts, connect_timeouts, slow_receivers_closed;
    Counter session_moves;
    Counter sheds;                     // clients told to go, one by one
    Counter sheds_late;                // of them: before they had acknowledged everything
};

}  // namespace millrace

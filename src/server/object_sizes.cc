#include "server/object_sizes.h"

#include "broker/broker.h"
#include "tcp/half_open.h"
#include "tcp/tcp_connection.h"
#include "tcp/time_wait.h"

namespace millrace {
namespace {

// A place in the table of flows is 8 bytes; the table is 85% full at most.
constexpr uint32_t flow_slot_bytes = 10;

}  // namespace

ObjectSizes object_sizes() {
    return {
        .connection_bytes = sizeof(Connection),
        .tcp_connection_bytes = sizeof(TcpConnection) + flow_slot_bytes,
        .time_wait_bytes = sizeof(TimeWait),
        .half_open_bytes = sizeof(HalfOpen),
        .session_bytes = sizeof(Session),
        .subscription_bytes = sizeof(Subscription),
        .filter_bytes = sizeof(ExactFilter) + sizeof(void*),
        .retained_bytes = sizeof(StoredMessage),
        .queued_message_bytes = sizeof(QueuedMessage) + sizeof(StoredMessage),
        .inflight_bytes = sizeof(InflightEntry),
    };
}

}  // namespace millrace

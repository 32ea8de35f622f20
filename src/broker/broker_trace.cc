// What single packets and the worst receivers show of themselves: traces and top lists.
#include "broker/broker.h"

namespace millrace {

void Broker::adopt_traces(std::shared_ptr<const TraceList> list) {
    tracer_.adopt(std::move(list));
}

// One packet of a traced client: told before its answers are, with what came of it.
bool Broker::on_traced_packet(Connection& connection, Bytes packet) {
    const Tracer::OpenPacket open = tracer_.begin_packet(connection, packet);
    const bool may_go_on = on_packet(connection, packet);
    tracer_.end_packet(open);
    return may_go_on;
}

}  // namespace millrace

// The part of the configuration that may change while a broker runs.
// Owned by: whoever runs the broker, who keeps it unchanged until every user has gone over to
//           another (Broker::adopt()); any thread may read it meanwhile.
// Not here: what is fixed at start (memory, rings, addresses, cores), which the broker never sees.
#pragma once

#include "millrace/config.h"

namespace millrace {

struct LiveConfig {
    MqttLimits mqtt;  // what a CONNACK promises goes by terms.h, not by this
    QueueLimits queues;
    Timeouts timeouts;
    DrainOptions drain;
};

inline LiveConfig live_config_of(const Config& config) {
    return {config.mqtt, config.queues, config.timeouts, config.drain};
}

}  // namespace millrace

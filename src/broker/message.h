// A publish on its way through the broker, and its canonical form: an encoded MQTT 5.0 PUBLISH.
// Owned by: a value that borrows every byte run from a received packet, a mail or a store.
// Holds:    no packet identifier and no topic alias: those belong to one connection. Subscription
//           identifiers only where a message waits for one receiver that has several. The
//           canonical form is what mails and stores carry, so that the codec is the only grammar
//           of a message there is.
#pragma once

#include <string_view>

#include "base/time.h"
#include "codec/mqtt/packet.h"

namespace millrace {

struct Message {
    std::string_view topic;
    Bytes payload;
    mqtt::Qos qos = mqtt::Qos::at_most_once;
    bool retain = false;
    mqtt::PublishProperties properties;    // message expiry and alias not used
    Instant expires = Instant::never();
    uint64_t topic_hash = 0;               // ShardContext::hash(topic)
    uint64_t publisher = 0;                // hash of the client id, for "no local"; 0: nobody
    Instant received{};                    // by the shard or the host that published it first

    bool expired(Instant now) const { return expires <= now; }
    // Seconds left of the message expiry interval, to be sent on (3.3.2.3.3).
    std::optional<uint32_t> expiry_left_s(Instant now) const;
};

// The canonical form. A packet identifier of 1 stands in for QoS 1 and 2.
uint32_t canonical_bytes(const Message& message);
void write_canonical(std::span<uint8_t> out, const Message& message);
// From bytes that write_canonical made; `expires` travels beside them.
Message read_canonical(Bytes bytes, Instant expires);

// The PUBLISH to send for `message`, but for what is a receiver's own.
mqtt::Publish as_publish(const Message& message, Instant now);

}  // namespace millrace

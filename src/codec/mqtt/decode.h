// Decoding one complete packet in place: what comes out borrows from `body`.
// Owned by: nothing is kept. Thread: any.
// Holds:    whatever the bytes are, the answer is a legal value or the reason code that MQTT 5.0
//           section 4.13 asks for; nothing is read outside `body`.
// Not here: rules that need a session (packet identifiers in use, alias tables, quotas).
#pragma once

#include <tl/expected.hpp>

#include "codec/mqtt/fixed_header.h"
#include "codec/mqtt/packet.h"

namespace millrace::mqtt {

template <class T>
using Decoded = tl::expected<T, Reason>;

// `body` is the packet without its fixed header; `flags` are the fixed header's.
// CONNECT: unsupported_protocol_version for a level other than 4 and 5 (or another name);
//          client_identifier_not_valid for an empty id without clean session in 3.1.1.
Decoded<Connect> decode_connect(Bytes body);
Decoded<Connack> decode_connack(Version version, Bytes body);
// topic_name_invalid for wildcards; protocol_error for an empty topic without alias (3.1.1:
// topic_name_invalid); topic_alias_invalid for alias 0. A payload whose format indicator says UTF-8 is checked: payload_format_invalid.
Decoded<Publish> decode_publish(Version version, uint8_t flags, Bytes body);
Decoded<Ack> decode_ack(Version version, PacketType type, Bytes body);
// topic_filter_invalid is not reported here: a bad filter fails alone (see is_valid_filter).
Decoded<Subscribe> decode_subscribe(Version version, Bytes body);
Decoded<SubscribeAck> decode_subscribe_ack(Version version, PacketType type, Bytes body);
Decoded<Unsubscribe> decode_unsubscribe(Version version, Bytes body);
// Both directions: a session expiry interval is legal from a client only; the caller checks.
Decoded<Disconnect> decode_disconnect(Version version, Bytes body);
Decoded<Auth> decode_auth(Version version, Bytes body);
// PINGREQ and PINGRESP have no body: malformed_packet otherwise.
Decoded<void> decode_empty(Bytes body);

}  // namespace millrace::mqtt

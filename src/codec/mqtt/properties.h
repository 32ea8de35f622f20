// The property section of MQTT 5.0 packets (2.2.2): identifiers, their types, and one walk over
// a received section that checks everything a property can be wrong in by itself.
// Owned by: one decode call; borrows the packet. Thread: any.
// Holds:    a property given out is allowed in its packet, not a repetition, of legal value.
// Not here: putting them into packet fields (decode*.cc), writing them (field_writer.h).
#pragma once

#include <cstdint>
#include <initializer_list>

#include "base/bytes.h"
#include "codec/mqtt/field_reader.h"
#include "codec/mqtt/packet.h"
#include "codec/mqtt/reason.h"

namespace millrace::mqtt {

enum class PropertyId : uint8_t {
    payload_format = 0x01,
    message_expiry = 0x02,
    content_type = 0x03,
    response_topic = 0x08,
    correlation_data = 0x09,
    subscription_id = 0x0b,
    session_expiry = 0x11,
    assigned_client_id = 0x12,
    server_keep_alive = 0x13,
    authentication_method = 0x15,
    authentication_data = 0x16,
    request_problem_information = 0x17,
    will_delay = 0x18,
    request_response_information = 0x19,
    response_information = 0x1a,
    server_reference = 0x1c,
    reason_string = 0x1f,
    receive_maximum = 0x21,
    topic_alias_maximum = 0x22,
    topic_alias = 0x23,
    maximum_qos = 0x24,
    retain_available = 0x25,
    user = 0x26,
    maximum_packet_bytes = 0x27,
    wildcard_available = 0x28,
    subscription_ids_available = 0x29,
    shared_available = 0x2a,
};

// Identifiers are below 64, so a set of them is one word.
using PropertySet = uint64_t;

constexpr PropertySet property_set(std::initializer_list<PropertyId> ids) {
    PropertySet set = 0;
    for (const PropertyId id : ids) set |= PropertySet{1} << static_cast<uint8_t>(id);
    return set;
}

struct Property {
    PropertyId id = PropertyId::user;
    uint32_t number = 0;  // of integers of any width
    Bytes bytes;          // of strings and binary data; the name of a user property

    std::string_view text() const { return as_text(bytes); }
};

class PropertyReader {
public:
    PropertyReader(Bytes section, PropertySet allowed,
                   PropertySet repeatable = property_set({PropertyId::user}))
        : in_(section), allowed_(allowed), repeatable_(repeatable) {}

    // The next property; false at the end, and at the first that is wrong (see error()).
    bool next(Property& property);
    // Reason::success unless the walk stopped at something wrong.
    Reason error() const { return error_; }
    bool seen(PropertyId id) const { return (seen_ & property_set({id})) != 0; }
    // The shortest run that has all user properties, and all subscription identifiers.
    UserProperties user() const { return {user_.bytes()}; }
    SubscriptionIds subscription_ids() const { return {{}, subscription_ids_.bytes()}; }

private:
    struct Run {
        const uint8_t* begin = nullptr;
        const uint8_t* end = nullptr;
        void extend(const uint8_t* from, const uint8_t* to) {
            if (begin == nullptr) begin = from;
            end = to;
        }
        Bytes bytes() const { return {begin, static_cast<size_t>(end - begin)}; }
    };

    bool stop(Reason why) {
        error_ = why;
        return false;
    }
    void read_value(Property& property);

    FieldReader in_;
    PropertySet allowed_;
    PropertySet repeatable_;
    PropertySet seen_ = 0;
    Run user_;
    Run subscription_ids_;
    Reason error_ = Reason::success;
};

}  // namespace millrace::mqtt

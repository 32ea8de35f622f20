// The walk over a received property section.
#include "codec/mqtt/properties.h"

namespace millrace::mqtt {
namespace {

Reason error_unless(bool legal) { return legal ? Reason::success : Reason::protocol_error; }

// What the specification asks of a property's value, the same in every packet that has it.
Reason check_value(const Property& property) {
    switch (property.id) {
    case PropertyId::payload_format:
    case PropertyId::request_problem_information:
    case PropertyId::request_response_information:
    case PropertyId::maximum_qos:
    case PropertyId::retain_available:
    case PropertyId::wildcard_available:
    case PropertyId::subscription_ids_available:
    case PropertyId::shared_available:
        return error_unless(property.number <= 1);
    case PropertyId::receive_maximum:
    case PropertyId::maximum_packet_bytes:
    case PropertyId::subscription_id:
        return error_unless(property.number != 0);
    case PropertyId::topic_alias:
        return property.number != 0 ? Reason::success : Reason::topic_alias_invalid;
    case PropertyId::response_topic:
        return error_unless(is_valid_topic(property.text()));
    case PropertyId::message_expiry:
    case PropertyId::content_type:
    case PropertyId::correlation_data:
    case PropertyId::session_expiry:
    case PropertyId::assigned_client_id:
    case PropertyId::server_keep_alive:
    case PropertyId::authentication_method:
    case PropertyId::authentication_data:
    case PropertyId::will_delay:
    case PropertyId::response_information:
    case PropertyId::server_reference:
    case PropertyId::reason_string:
    case PropertyId::topic_alias_maximum:
    case PropertyId::user:
        return Reason::success;
    }
    return Reason::malformed_packet;
}

}  // namespace

void PropertyReader::read_value(Property& property) {
    switch (property.id) {
    case PropertyId::payload_format:
    case PropertyId::request_problem_information:
    case PropertyId::request_response_information:
    case PropertyId::maximum_qos:
    case PropertyId::retain_available:
    case PropertyId::wildcard_available:
    case PropertyId::subscription_ids_available:
    case PropertyId::shared_available:
        property.number = in_.u8();
        return;
    case PropertyId::server_keep_alive:
    case PropertyId::receive_maximum:
    case PropertyId::topic_alias_maximum:
    case PropertyId::topic_alias:
        property.number = in_.u16();
        return;
    case PropertyId::message_expiry:
    case PropertyId::session_expiry:
    case PropertyId::will_delay:
    case PropertyId::maximum_packet_bytes:
        property.number = in_.u32();
        return;
    case PropertyId::subscription_id:
        property.number = in_.var_int();
        return;
    case PropertyId::correlation_data:
    case PropertyId::authentication_data:
        property.bytes = in_.binary();
        return;
    case PropertyId::user:
        property.bytes = as_bytes(in_.text());
        in_.text();
        return;
    case PropertyId::content_type:
    case PropertyId::response_topic:
    case PropertyId::assigned_client_id:
    case PropertyId::authentication_method:
    case PropertyId::response_information:
    case PropertyId::server_reference:
    case PropertyId::reason_string:
        property.bytes = as_bytes(in_.text());
        return;
    }
}

bool PropertyReader::next(Property& property) {
    if (in_.remaining() == 0) return false;
    const uint8_t* const begin = in_.position();
    // An identifier is a variable byte integer, but every one there is fits in one byte.
    const uint8_t id = in_.u8();
    if (id >= 64 || (allowed_ >> id & 1) == 0) return stop(Reason::malformed_packet);  // 2.2.2.2
    const PropertySet bit = PropertySet{1} << id;
    property.id = static_cast<PropertyId>(id);
    read_value(property);
    if (in_.failed()) return stop(Reason::malformed_packet);
    if ((seen_ & bit) != 0 && (repeatable_ & bit) == 0) return stop(Reason::protocol_error);
    seen_ |= bit;
    if (const Reason why = check_value(property); why != Reason::success) return stop(why);
    if (property.id == PropertyId::user) user_.extend(begin, in_.position());
    if (property.id == PropertyId::subscription_id) {
        subscription_ids_.extend(begin, in_.position());
    }
    return true;
}

}  // namespace millrace::mqtt

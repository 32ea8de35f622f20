// Control packets to clients: everything but PUBLISH.
// Owned by: the shard's Broker.
// Holds:    packets of one turn stand side by side in one stream, so that a client's run of
//           acknowledgements is one reference in its send ring. A packet longer than the client's
//           maximum loses its reason string and user properties at the caller's, not here.
#pragma once

#include "base/probes.h"
#include "broker/context.h"
#include "broker/tracer.h"
#include "codec/mqtt/encode.h"

namespace millrace {

class ControlWriter {
public:
    explicit ControlWriter(ShardContext& context) : context_(context), stream_(context.blocks) {}

    // False when memory is used up or the ring is full: the client can't be served any longer, so
    // callers close it.
    bool send_ack(Connection& connection, mqtt::Version version, mqtt::PacketType type,
                  const mqtt::Ack& packet) {
        return send(connection, mqtt::encoded_bytes(version, type, packet), [&](ByteWriter& out) {
            mqtt::encode(out, version, type, packet);
        });
    }
    bool send_subscribe_ack(Connection& connection, mqtt::Version version, mqtt::PacketType type,
                            const mqtt::SubscribeAck& packet) {
        return send(connection, mqtt::encoded_bytes(version, type, packet), [&](ByteWriter& out) {
            mqtt::encode(out, version, type, packet);
        });
    }
    template <class Packet>  // Connack, Disconnect
    bool send_packet(Connection& connection, mqtt::Version version, const Packet& packet) {
        return send(connection, mqtt::encoded_bytes(version, packet),
                    [&](ByteWriter& out) { mqtt::encode(out, version, packet); });
    }
    // Connack or Disconnect with a reason string, and with "use another server" which one, as far as
    // the client takes a packet that long.
    template <class Packet>
    bool send_with_text(Connection& connection, mqtt::Version version, Packet packet,
                        uint32_t packet_bytes_max) {
        if (packet.reason == mqtt::Reason::use_another_server) {
            packet.server_reference = context_.live->drain.server_reference;
            if (mqtt::encoded_bytes(version, packet) > packet_bytes_max) {
                packet.server_reference.reset();
            }
            return send_packet(connection, version, packet);
        }
        const std::string_view text = mqtt::text_of(packet.reason);
        if (version == mqtt::Version::v5 && !text.empty()) {
            packet.reason_string = text;
            if (mqtt::encoded_bytes(version, packet) > packet_bytes_max) packet.reason_string.reset();
        }
        return send_packet(connection, version, packet);
    }
    bool send_bytes(Connection& connection, Bytes bytes) {
        return send(connection, static_cast<uint32_t>(bytes.size()),
                    [&](ByteWriter& out) { out.bytes(bytes); });
    }
    void rewind() { stream_.rewind_if_unused(); }

private:
    template <class Write>
    bool send(Connection& connection, uint32_t bytes, Write&& write) {
        const std::span<uint8_t> room = stream_.try_reserve(bytes);
        if (room.empty()) return false;
        ByteWriter out(room.first(bytes));
        write(out);
        MR_PROBE(packet_out, &connection, room[0] >> 4, bytes);
        if (connection.is_traced) context_.tracer->packet_out(connection, room.first(bytes));
        return context_.outbox.send(connection, stream_.commit(bytes));
    }

    ShardContext& context_;
    BlockStream stream_;
};

}  // namespace millrace

// Packets of many clients as a capture file (pcap, link type "raw IP"), so that tools for networks
// read them: each client gets an address and TCP connections to port 1883 that never were.
// Owned by: values; one thread at a time. Gives bytes to append to a file.
// Holds:    sequence numbers and lengths are those of the whole packets, also where only their first
//           bytes are known: such a frame is told as cut off. TCP's checksums are 0.
// Not here: what the packets are; files.
//
//   server 10.0.0.1:1883 ◄──► client n: 10.1.(n / 256).(n % 256), a port for each connection
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace millrace {

class PcapWriter {
public:
    struct Packet {
        double time_s = 0;             // since the epoch
        std::string_view client_id;
        bool is_from_client = false;
        uint64_t bytes = 0;            // of the whole packet
        Bytes data;                    // its first bytes
        bool opens = false;            // the first one of a connection, an MQTT CONNECT
    };

    // The file begins with it.
    static std::string file_header() {
        std::string out;
        put32(out, 0xa1b2'c3d4);  // microseconds
        put16(out, 2);
        put16(out, 4);
        put32(out, 0);
        put32(out, 0);
        put32(out, 262'144);
        put32(out, 101);  // LINKTYPE_RAW
        return out;
    }

    std::string packet(const Packet& packet) {
        std::string out;
        Client& client = clients_.try_emplace(std::string(packet.client_id), Client{}).first->second;
        if (client.number == 0) client.number = static_cast<uint16_t>(++last_number_);
        if (packet.opens && client.is_open) out += close_of(client, packet.time_s);
        if (!client.is_open) out += open_of(client, packet.time_s);
        for (uint64_t at = 0; at < packet.bytes; at += segment_bytes_max) {
            const uint64_t length = std::min<uint64_t>(segment_bytes_max, packet.bytes - at);
            const size_t known = packet.data.size() > at ? packet.data.size() - at : 0;
            const Bytes data =
                known == 0 ? Bytes{} : packet.data.subspan(at, std::min<size_t>(known, length));
            frame(out, packet.time_s, client, packet.is_from_client, push | ack,
                  static_cast<uint32_t>(length), data);
        }
        return out;
    }
    // Its connection has ended.
    std::string closed(double time_s, std::string_view client_id) {
        const auto place = clients_.find(std::string(client_id));
        if (place == clients_.end() || !place->second.is_open) return {};
        return close_of(place->second, time_s);
    }

private:
    static constexpr uint32_t segment_bytes_max = 60'000;
    static constexpr uint32_t header_bytes = 40;  // IPv4 and TCP
    static constexpr uint8_t fin = 1, syn = 2, push = 8, ack = 16;
    static constexpr uint32_t server_address = 0x0a00'0001;

    struct Client {
        uint16_t number = 0;         // 0: not given yet
        uint16_t connections = 0;
        bool is_open = false;
        uint32_t sent[2] = {0, 0};   // the next sequence number: the server's, the client's
    };

    static void put16(std::string& out, uint16_t value) {  // of the file: the writer's order, little
        out += static_cast<char>(value & 0xff);
        out += static_cast<char>(value >> 8);
    }
    static void put32(std::string& out, uint32_t value) {
        put16(out, static_cast<uint16_t>(value & 0xffff));
        put16(out, static_cast<uint16_t>(value >> 16));
    }

    std::string open_of(Client& client, double time_s) {
        client.is_open = true;
        ++client.connections;
        client.sent[0] = 1'000;
        client.sent[1] = 2'000;
        std::string out;
        frame(out, time_s, client, true, syn, 0, {});
        frame(out, time_s, client, false, syn | ack, 0, {});
        frame(out, time_s, client, true, ack, 0, {});
        return out;
    }
    std::string close_of(Client& client, double time_s) {
        std::string out;
        frame(out, time_s, client, false, fin | ack, 0, {});
        frame(out, time_s, client, true, fin | ack, 0, {});
        client.is_open = false;
        return out;
    }

    // `length` bytes of payload, of which `data` are known.
    static void frame(std::string& out, double time_s, Client& client, bool is_from_client,
                      uint8_t flags, uint32_t length, Bytes data) {
        const auto us = static_cast<uint64_t>(std::max(time_s, 0.0) * 1e6);
        put32(out, static_cast<uint32_t>(us / 1'000'000));
        put32(out, static_cast<uint32_t>(us % 1'000'000));
        put32(out, header_bytes + static_cast<uint32_t>(data.size()));
        put32(out, header_bytes + length);

        uint8_t header[header_bytes];
        ByteWriter writer{std::span<uint8_t>(header)};
        const uint32_t client_address = 0x0a01'0000 | client.number;
        writer.u8(0x45);
        writer.u8(0);
        writer.u16(static_cast<uint16_t>(header_bytes + length));
        writer.u16(0);
        writer.u16(0x4000);  // don't fragment
        writer.u8(64);
        writer.u8(6);        // TCP
        writer.u16(0);       // the checksum, below
        writer.u32(is_from_client ? client_address : server_address);
        writer.u32(is_from_client ? server_address : client_address);
        const uint16_t client_port = static_cast<uint16_t>(40'000 + client.connections % 20'000);
        writer.u16(is_from_client ? client_port : 1883);
        writer.u16(is_from_client ? 1883 : client_port);
        writer.u32(client.sent[is_from_client ? 1 : 0]);
        writer.u32((flags & ack) == 0 ? 0 : client.sent[is_from_client ? 0 : 1]);
        writer.u8(5 << 4);
        writer.u8(flags);
        writer.u16(65'535);
        writer.u16(0);
        writer.u16(0);
        put_checksum(header);
        client.sent[is_from_client ? 1 : 0] += length + ((flags & (syn | fin)) != 0 ? 1 : 0);
        out.append(reinterpret_cast<const char*>(header), header_bytes);
        out.append(reinterpret_cast<const char*>(data.data()), data.size());
    }
    // Of the IPv4 header (RFC 791).
    static void put_checksum(uint8_t* header) {
        uint32_t sum = 0;
        for (int at = 0; at < 20; at += 2) sum += static_cast<uint32_t>(header[at] << 8 | header[at + 1]);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        header[10] = static_cast<uint8_t>(~sum >> 8);
        header[11] = static_cast<uint8_t>(~sum);
    }

    std::map<std::string, Client> clients_;
    uint32_t last_number_ = 0;
};

}  // namespace millrace

// A bare accept loop that looks like an MQTT broker from outside: CONNACK to everybody, answers to
// PINGREQ and SUBSCRIBE, and nothing else. It believes all it's told, except lengths.

#include <optional>
#include <vector>

#include <fmt/format.h>

#include "commands.h"
#include "measure.h"
#include "server_loop.h"

namespace millrace::floors {
namespace {

constexpr size_t buffer_bytes = 256 * 1024;
constexpr size_t packet_bytes_max = 64 * 1024;

constexpr uint8_t connack_v4[] = {0x20, 0x02, 0x00, 0x00};
constexpr uint8_t connack_v5[] = {0x20, 0x03, 0x00, 0x00, 0x00};
constexpr uint8_t pingresp[] = {0xd0, 0x00};

struct Packet {
    uint8_t type;  // with its flags
    Bytes body;
    size_t bytes;  // header included
};

// Variable Byte Integer (MQTT 5.0, 1.5.5). Empty: more bytes are needed, or it's too long.
std::optional<uint32_t> take_var_int(ByteReader& in) {
    uint32_t value = 0;
    for (uint32_t shift = 0; shift <= 21 && in.remaining() > 0; shift += 7) {
        const uint8_t byte = in.u8();
        value |= (byte & 0x7fu) << shift;
        if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
}

// The first packet in `bytes`; empty when it isn't whole.
std::optional<Packet> first_packet(Bytes bytes) {
    ByteReader in(bytes);
    if (in.remaining() < 2) return std::nullopt;
    const uint8_t type = in.u8();
    const std::optional<uint32_t> length = take_var_int(in);
    if (!length || *length > in.remaining()) return std::nullopt;
    const Bytes body = in.take(*length);
    return Packet{type, body, bytes.size() - in.remaining()};
}

// Its protocol level, which stands behind the protocol's name; 0 when it isn't there.
uint8_t level_of_connect(Bytes body) {
    ByteReader in(body);
    if (in.remaining() < 2) return 0;
    const uint16_t name_bytes = in.u16();
    if (in.remaining() <= name_bytes) return 0;
    in.take(name_bytes);
    return in.u8();
}

// QoS 0 for every filter. Empty when the body isn't a SUBSCRIBE's.
std::vector<uint8_t> suback_of(Bytes body, uint8_t level) {
    ByteReader in(body);
    if (in.remaining() < 2) return {};
    const uint16_t id = in.u16();
    const bool has_properties = level >= 5;
    if (has_properties) {
        const std::optional<uint32_t> length = take_var_int(in);
        if (!length || *length > in.remaining()) return {};
        in.take(*length);
    }
    std::vector<uint8_t> out{0x90, 0, static_cast<uint8_t>(id >> 8), static_cast<uint8_t>(id)};
    if (has_properties) out.push_back(0);
    while (in.remaining() >= 2) {
        const uint16_t filter_bytes = in.u16();
        if (in.remaining() <= filter_bytes) return {};
        in.take(filter_bytes);
        in.u8();
        out.push_back(0);
    }
    if (out.size() - 2 > 127) return {};  // nobody asks this server for that many
    out[1] = static_cast<uint8_t>(out.size() - 2);
    return out;
}

class AcceptLoop {
public:
    explicit AcceptLoop(const AcceptOptions& options) : options_(options), buffer_(buffer_bytes) {}

    void run() {
        const Moment from = moment_now();
        Moment to = from;  // the last CONNACK: what comes after is clients that leave
        uint64_t connects_before = 0;
        loop_.run(
            options_.local, options_.seconds,
            [this](Connection& connection) { return serve(connection); },
            [&] {
                if (connects_ != connects_before) to = moment_now();
                connects_before = connects_;
            });
        report(from, to);
    }

private:
    struct Connection {
        Socket socket;
        std::vector<uint8_t> partial;  // of a packet that came in parts
        uint8_t level = 0;             // set by its CONNECT
    };

    // False when the connection is to be closed.
    bool serve(Connection& connection) {
        const int64_t came = read_some(connection.socket, buffer_);
        if (came <= 0) return came == 0;
        const Bytes bytes(buffer_.data(), static_cast<size_t>(came));
        if (connection.partial.empty()) return answer(connection, bytes);
        std::vector<uint8_t> joined = std::move(connection.partial);
        connection.partial.clear();
        joined.insert(joined.end(), bytes.begin(), bytes.end());
        return answer(connection, joined);
    }

    bool answer(Connection& connection, Bytes bytes) {
        while (const std::optional<Packet> packet = first_packet(bytes)) {
            if (!answer_packet(connection, *packet)) return false;
            bytes = bytes.subspan(packet->bytes);
        }
        connection.partial.assign(bytes.begin(), bytes.end());
        return bytes.size() <= packet_bytes_max;
    }

    bool answer_packet(Connection& connection, const Packet& packet) {
        switch (packet.type) {
            case 0x10:
                connection.level = level_of_connect(packet.body);
                if (connection.level == 0) return false;
                ++connects_;
                return send(connection,
                            connection.level >= 5 ? Bytes(connack_v5) : Bytes(connack_v4));
            case 0x82: {
                const std::vector<uint8_t> suback = suback_of(packet.body, connection.level);
                return !suback.empty() && send(connection, suback);
            }
            case 0xc0:
                return send(connection, pingresp);
            default:
                return true;
        }
    }

    // An answer is so short that a peer without room for it isn't one that reads.
    static bool send(const Connection& connection, Bytes bytes) {
        return write_some(connection.socket, bytes) == static_cast<int64_t>(bytes.size());
    }

    void report(const Moment& from, const Moment& to) const {
        Report line;
        line.add("accepted", loop_.accepted());
        line.add("connects", connects_);
        line.add("closed", loop_.closed());
        line.add_cost(from, to, "connects", connects_);
        line.print();
    }

    const AcceptOptions options_;
    ServerLoop<Connection> loop_;
    std::vector<uint8_t> buffer_;
    uint64_t connects_ = 0;  // answered by a CONNACK
};

}  // namespace

void run_accept(const AcceptOptions& options) {
    end_at_the_latest_after(options.seconds + 30);
    AcceptLoop(options).run();
}

}  // namespace millrace::floors

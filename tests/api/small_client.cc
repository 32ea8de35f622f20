#include "small_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

// Types and flags of the packets (MQTT 3.1.1, 2.2).
constexpr uint8_t connect_first = 0x10;
constexpr uint8_t connack_first = 0x20;
constexpr uint8_t publish_type = 0x30;
constexpr uint8_t puback_first = 0x40;
constexpr uint8_t subscribe_first = 0x82;
constexpr uint8_t suback_first = 0x90;

void append_text(std::vector<uint8_t>& body, std::string_view text) {
    body.push_back(static_cast<uint8_t>(text.size() >> 8));
    body.push_back(static_cast<uint8_t>(text.size()));
    body.insert(body.end(), text.begin(), text.end());
}

}  // namespace

SmallClient::~SmallClient() {
    if (socket_ >= 0) ::close(socket_);
}

bool SmallClient::connect(uint16_t port, std::string_view client_id) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return false;
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(socket_, generic, sizeof(address)) != 0) return false;

    std::vector<uint8_t> body;
    append_text(body, "MQTT");
    body.insert(body.end(), {4, 0x02, 0, 60});  // 3.1.1, clean session, keep-alive of a minute
    append_text(body, client_id);
    if (!send_packet(connect_first, body)) return false;
    const std::optional<Packet> answer = read_packet();
    return answer && answer->first == connack_first && answer->body.size() == 2 &&
           answer->body[1] == 0;
}

bool SmallClient::subscribe(std::string_view filter) {
    std::vector<uint8_t> body{0, 1};  // packet identifier
    append_text(body, filter);
    body.push_back(1);  // quality of service
    if (!send_packet(subscribe_first, body)) return false;
    std::optional<Packet> answer = read_packet();
    // Messages may come before the answer (3.8.4).
    while (answer && (answer->first & 0xf0) == publish_type) {
        early_.push_back(std::move(*answer));
        answer = read_packet();
    }
    return answer && answer->first == suback_first && answer->body.size() == 3 &&
           answer->body[2] == 1;
}

std::optional<ReceivedMessage> SmallClient::receive() {
    std::optional<Packet> packet;
    if (early_.empty()) {
        packet = read_packet();
    } else {
        packet = std::move(early_.front());
        early_.pop_front();
    }
    if (!packet || (packet->first & 0xf0) != publish_type) return std::nullopt;
    const std::vector<uint8_t>& body = packet->body;
    if (body.size() < 2) return std::nullopt;
    const size_t topic_bytes = size_t{body[0]} << 8 | body[1];
    const bool has_id = (packet->first & 0x06) != 0;
    const size_t payload_at = 2 + topic_bytes + (has_id ? 2 : 0);
    if (body.size() < payload_at) return std::nullopt;
    if (has_id && !send_packet(puback_first, {body[payload_at - 2], body[payload_at - 1]})) {
        return std::nullopt;
    }
    const char* text = reinterpret_cast<const char*>(body.data());
    return ReceivedMessage{std::string(text + 2, topic_bytes),
                           std::string(text + payload_at, body.size() - payload_at),
                           (packet->first & 0x01) != 0};
}

bool SmallClient::is_closed_by_peer() {
    uint8_t byte = 0;
    return ::recv(socket_, &byte, 1, 0) == 0;
}

// Bodies here are below 128 bytes: their length is one byte.
bool SmallClient::send_packet(uint8_t first, const std::vector<uint8_t>& body) {
    if (body.size() > 127) return false;
    std::vector<uint8_t> packet{first, static_cast<uint8_t>(body.size())};
    packet.insert(packet.end(), body.begin(), body.end());
    const ssize_t sent = ::send(socket_, packet.data(), packet.size(), MSG_NOSIGNAL);
    return sent == static_cast<ssize_t>(packet.size());
}

std::optional<SmallClient::Packet> SmallClient::read_packet() {
    Packet packet{};
    if (!read_bytes(&packet.first, 1)) return std::nullopt;
    size_t body_bytes = 0;
    for (uint32_t shift = 0; shift <= 21; shift += 7) {
        uint8_t byte = 0;
        if (!read_bytes(&byte, 1)) return std::nullopt;
        body_bytes |= size_t{byte & 0x7fu} << shift;
        if ((byte & 0x80) != 0) continue;
        packet.body.resize(body_bytes);
        if (!read_bytes(packet.body.data(), body_bytes)) return std::nullopt;
        return packet;
    }
    return std::nullopt;
}

bool SmallClient::read_bytes(uint8_t* bytes, size_t count) {
    while (count > 0) {
        const ssize_t received = ::recv(socket_, bytes, count, 0);
        if (received <= 0) return false;
        bytes += received;
        count -= static_cast<size_t>(received);
    }
    return true;
}

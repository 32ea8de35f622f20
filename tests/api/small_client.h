// As much of an MQTT 3.1.1 client as the example needs: it subscribes and waits for messages.
// Owned by: the caller. Thread: one.
// Holds:    its socket from connect() until it is destroyed.
// Not here: the library: a client in another process on another machine does the same.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct ReceivedMessage {
    std::string topic;
    std::string payload;
    bool retain = false;
};

class SmallClient {
public:
    // To 127.0.0.1; false when there is no broker or it says no.
    bool connect(uint16_t port, std::string_view client_id);
    ~SmallClient();
    SmallClient() = default;
    SmallClient(const SmallClient&) = delete;
    SmallClient& operator=(const SmallClient&) = delete;

    // True when the broker has granted quality of service 1.
    bool subscribe(std::string_view filter);
    // The next message, acknowledged; empty when the connection ends, or after ten seconds.
    std::optional<ReceivedMessage> receive();
    // True when the broker closes the connection.
    bool is_closed_by_peer();

private:
    struct Packet {
        uint8_t first;  // type and flags
        std::vector<uint8_t> body;
    };

    bool send_packet(uint8_t first, const std::vector<uint8_t>& body);
    std::optional<Packet> read_packet();
    bool read_bytes(uint8_t* bytes, size_t count);

    int socket_ = -1;
    std::deque<Packet> early_;  // publishes that came before a SUBACK
};

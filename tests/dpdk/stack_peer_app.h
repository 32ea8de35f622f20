// Everything stack_peer does above the transport: roles of connections, commands, reports.
// Owned by: main; on the shard's thread.
// Holds:    a conversation lives from `accepted` (or connect) until `closed` has been reported.
//           Each report is one line of JSON on standard output.
// Not here: TCP; options (peer_options.h); where commands come from (command_reader.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "conversation.h"
#include "runtime/block.h"
#include "stack/stack_transport.h"

namespace millrace::test {

class StackPeerApp {
public:
    // `notices_half_open`: connections survive their peer's FIN, so it's looked for.
    StackPeerApp(StackTransport& net, BlockPool& blocks, bool notices_half_open);

    // "listen ADDRESS PORT ROLE [BYTES]"
    // "connect ADDRESS PORT ROLE [BYTES [COUNT]]"
    // "abort ID", "close ID", "pause ID", "resume ID", "status ID": of one, or of "all"
    // "counters", "dump", "quit"
    void on_command(const std::string& line);
    void on_event(const Event& event, Instant now);
    // At the end of a turn, before its flush.
    void end_turn();
    bool finished() const { return finished_; }
    void report_counters();

private:
    struct Listener {
        Role role;
        uint64_t bytes;
    };
    static constexpr uint32_t queued_bytes_max = 1024 * 1024;
    static constexpr uint32_t piece_bytes = BlockPool::standard_capacity_bytes / 4;

    void listen(std::istringstream& words);
    void connect(std::istringstream& words);
    void act_on(const std::string& verb, const std::string& whom);
    void act(const std::string& verb, Conversation& conversation);
    void report_dump();

    Conversation& begin(Connection& connection, Role role, uint64_t bytes);
    void on_accepted(Connection& connection, Instant now);
    void on_connected(Conversation& conversation, Instant now);
    void on_received(Conversation& conversation, Bytes bytes, Instant now);
    void on_drained(Conversation& conversation);
    void on_closed(Conversation& conversation);
    void on_request(Conversation& conversation, Bytes bytes);
    void send_back(Conversation& conversation, Bytes bytes);
    void pump(Conversation& conversation);
    bool send_piece(Conversation& conversation, uint32_t bytes);
    void finish(Conversation& conversation);
    void look_for_finished_peers();
    void report(const char* event, const Conversation& conversation, const std::string& more = {});

    StackTransport& net_;
    BlockStream stream_;
    const bool notices_half_open_;
    std::map<uint16_t, Listener> listeners_;                       // by port
    std::map<uint32_t, std::unique_ptr<Conversation>> conversations_;  // by id
    uint32_t next_id_ = 1;
    bool finished_ = false;
};

}  // namespace millrace::test

// Clients as who looks after a server sees them: lists, one client, and the way out for it.
// Owned by: tasks (shard_task.h); rows are values.
// Not here: their subscriptions (subscriptions.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/inspect/session_walk.h"
#include "broker/shard_task.h"

namespace millrace {

// A session, and its client when that is connected.
struct ClientRow {
    std::string client_id;
    uint32_t shard = 0;
    bool is_connected = false;
    // While connected, else 0.
    bool is_v5 = false;
    uint16_t keep_alive_s = 0;
    uint32_t silent_ms = 0;          // since it sent something
    uint32_t send_queue_bytes = 0;
    // Always.
    uint32_t expiry_s = 0;           // UINT32_MAX: never
    uint32_t subscriptions = 0;
    uint32_t inflight = 0;           // sent, not acknowledged
    uint32_t waiting_messages = 0;
    uint64_t waiting_bytes = 0;
};

// The next so many clients of one shard.
class ClientsPage final : public ShardTask {
public:
    struct Wanted {
        uint64_t place = 0;                 // 0, or `rest` of the page before
        uint32_t rows_max = 100;
        std::string prefix;                 // of the client id
        std::optional<bool> is_connected;
    };
    explicit ClientsPage(Wanted wanted) : wanted_(std::move(wanted)), walk_(wanted_.place) {}

    bool step(Broker& broker) override;

    // Valid once done.
    const std::vector<ClientRow>& rows() const { return rows_; }
    std::optional<uint64_t> rest() const { return walk_.rest(); }

private:
    Wanted wanted_;
    SessionWalk walk_;
    TextBudget text_;
    std::vector<ClientRow> rows_;
};

// One client, if this shard holds its session. Ask every shard.
class ClientLookup final : public ShardTask {
public:
    explicit ClientLookup(std::string client_id) : client_id_(std::move(client_id)) {}

    bool step(Broker& broker) override;

    const std::optional<ClientRow>& row() const { return row_; }

private:
    const std::string client_id_;
    std::optional<ClientRow> row_;
};

// Ends a client's connection, and its session too if that is wanted. Ask every shard.
class ClientKick final : public ShardTask {
public:
    ClientKick(std::string client_id, bool ends_session)
        : client_id_(std::move(client_id)), ends_session_(ends_session) {}

    bool step(Broker& broker) override;

    struct Done {
        bool was_connected;
        bool session_ended;
    };
    // Empty: this shard has no such session, or it's on its way between shards.
    const std::optional<Done>& done() const { return done_; }
    bool is_moving() const { return is_moving_; }

private:
    const std::string client_id_;
    const bool ends_session_;
    std::optional<Done> done_;
    bool is_moving_ = false;
};

}  // namespace millrace

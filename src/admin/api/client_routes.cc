#include "admin/api/client_routes.h"

#include <optional>

#include "admin/api/cursor.h"
#include "admin/api/shard_work.h"
#include "base/json_line.h"
#include "broker/inspect/clients.h"
#include "broker/inspect/subscriptions.h"

namespace millrace {
namespace {

std::string to_json(const ClientRow& row) {
    JsonLine line;
    line.add_text("client_id", row.client_id);
    line.add("shard", row.shard);
    line.add("connected", row.is_connected);
    if (row.is_connected) line.add_text("protocol", row.is_v5 ? "5.0" : "3.1.1");
    else line.add("protocol", "null");
    line.add("keep_alive_s", row.keep_alive_s);
    if (row.expiry_s == UINT32_MAX) line.add("expiry_s", "null");
    else line.add("expiry_s", row.expiry_s);
    line.add("subscriptions", row.subscriptions);
    line.add("inflight", row.inflight);
    line.add("waiting_messages", row.waiting_messages);
    line.add("waiting_bytes", row.waiting_bytes);
    line.add("send_queue_bytes", row.send_queue_bytes);
    line.add("silent_ms", row.silent_ms);
    return line.object();
}

std::string to_json(const SubscriptionRow& row) {
    JsonLine line;
    line.add_text("client_id", row.client_id);
    line.add_text("filter", row.filter);
    line.add("qos", static_cast<int>(row.grant.qos()));
    line.add("no_local", row.grant.no_local());
    line.add("retain_as_published", row.grant.retain_as_published());
    if (row.grant.identifier() == 0) line.add("identifier", "null");
    else line.add("identifier", row.grant.identifier());
    return line.object();
}

template <class Rows>
AdminResponse page(std::string_view name, const Rows& rows, const std::optional<ApiCursor>& next) {
    JsonLine line;
    line.add(name, json_list(rows, [](const auto& row) { return to_json(row); }));
    line.add("next", next ? json_text(to_text(*next)) : "null");
    return json_response(line.object());
}

tl::unexpected<ApiError> no_such_client() {
    return refuse(ApiFault::not_found, "path client_id", "no session has this client id");
}

tl::unexpected<ApiError> lost_place() {
    return refuse(ApiFault::conflict, "query cursor",
                  "the subscription at which the page before ended has gone: begin anew");
}

class Clients {
public:
    explicit Clients(AdminSubject& subject) : subject_(subject) {}

    ApiResult<AdminResponse> list(const ApiCall& call) const {
        const auto limit = call.limit();
        if (!limit) return tl::unexpected<ApiError>(limit.error());
        const auto is_connected = call.truth("connected");
        if (!is_connected) return tl::unexpected<ApiError>(is_connected.error());
        auto cursor = read_cursor(call.text("cursor"), shard_count());
        if (!cursor) return tl::unexpected<ApiError>(cursor.error());
        const auto task = std::make_shared<ClientsPage>(ClientsPage::Wanted{
            cursor->place, *limit, call.text("prefix").value_or(""), *is_connected});
        if (auto run = run_on_shard(subject_, cursor->shard, task); !run) {
            return tl::unexpected<ApiError>(run.error());
        }
        std::optional<ApiCursor> next;
        if (task->rest()) next = ApiCursor{cursor->shard, *task->rest(), 0, {}};
        else next = next_shard(cursor->shard);
        return page("clients", task->rows(), next);
    }

    ApiResult<AdminResponse> show(const ApiCall& call) const {
        auto tasks = run_on_all_shards<ClientLookup>(subject_, [&](uint32_t) {
            return std::make_shared<ClientLookup>(call.captured("client_id"));
        });
        if (!tasks) return tl::unexpected<ApiError>(tasks.error());
        for (const auto& task : *tasks) {
            if (task->row()) return json_response(to_json(*task->row()));
        }
        return no_such_client();
    }

    ApiResult<AdminResponse> kick(const ApiCall& call) const {
        const auto session = call.choice("session", {"keep", "end"});
        if (!session) return tl::unexpected<ApiError>(session.error());
        const bool ends_session = session->value_or(0) == 1;
        auto tasks = run_on_all_shards<ClientKick>(subject_, [&](uint32_t) {
            return std::make_shared<ClientKick>(call.captured("client_id"), ends_session);
        });
        if (!tasks) return tl::unexpected<ApiError>(tasks.error());
        for (const auto& task : *tasks) {
            if (task->is_moving()) {
                return refuse(ApiFault::conflict, "path client_id",
                              "its session is on its way between two shards: ask again");
            }
            if (!task->done()) continue;
            JsonLine line;
            line.add_text("client_id", call.captured("client_id"));
            line.add("was_connected", task->done()->was_connected);
            line.add_text("session", task->done()->session_ended ? "ended" : "kept");
            return json_response(line.object());
        }
        return no_such_client();
    }

    ApiResult<AdminResponse> subscriptions_of_one(const ApiCall& call) const {
        const auto limit = call.limit();
        if (!limit) return tl::unexpected<ApiError>(limit.error());
        const auto cursor = read_cursor(call.text("cursor"), shard_count());
        if (!cursor) return tl::unexpected<ApiError>(cursor.error());
        auto tasks = run_on_all_shards<ClientSubscriptions>(subject_, [&](uint32_t) {
            return std::make_shared<ClientSubscriptions>(
                call.captured("client_id"), SubscriptionsRead{cursor->after, cursor->number},
                *limit);
        });
        if (!tasks) return tl::unexpected<ApiError>(tasks.error());
        for (const auto& task : *tasks) {
            if (!task->is_found()) continue;
            if (task->is_lost()) return lost_place();
            std::optional<ApiCursor> next;
            if (const auto rest = task->rest()) next = ApiCursor{0, 0, rest->count, rest->last};
            return page("subscriptions", task->rows(), next);
        }
        return no_such_client();
    }

    ApiResult<AdminResponse> subscriptions(const ApiCall& call) const {
        const auto limit = call.limit();
        if (!limit) return tl::unexpected<ApiError>(limit.error());
        const auto cursor = read_cursor(call.text("cursor"), shard_count());
        if (!cursor) return tl::unexpected<ApiError>(cursor.error());
        const auto task = std::make_shared<SubscriptionsPage>(
            SubscriptionsPage::Rest{cursor->place, {cursor->after, cursor->number}}, *limit);
        if (auto run = run_on_shard(subject_, cursor->shard, task); !run) {
            return tl::unexpected<ApiError>(run.error());
        }
        if (task->is_lost()) return lost_place();
        std::optional<ApiCursor> next;
        if (const auto rest = task->rest()) {
            next = ApiCursor{cursor->shard, rest->place, rest->read.count, rest->read.last};
        } else {
            next = next_shard(cursor->shard);
        }
        return page("subscriptions", task->rows(), next);
    }

private:
    uint32_t shard_count() const { return static_cast<uint32_t>(subject_.shards().size()); }
    std::optional<ApiCursor> next_shard(uint32_t shard) const {
        return shard + 1 < shard_count() ? std::optional<ApiCursor>({shard + 1, 0, 0, {}})
                                         : std::nullopt;
    }

    AdminSubject& subject_;
};

}  // namespace

std::vector<Route> client_routes(AdminSubject& subject) {
    const Clients clients(subject);
    std::vector<Route> routes;
    routes.push_back({"GET", "/api/v1/clients", {"limit", "cursor", "prefix", "connected"}, {},
                      [=](const ApiCall& call) { return clients.list(call); }});
    routes.push_back({"GET", "/api/v1/clients/{client_id}", {}, {},
                      [=](const ApiCall& call) { return clients.show(call); }});
    routes.push_back({"DELETE", "/api/v1/clients/{client_id}", {"session"}, {},
                      [=](const ApiCall& call) { return clients.kick(call); }});
    routes.push_back({"GET", "/api/v1/clients/{client_id}/subscriptions", {"limit", "cursor"}, {},
                      [=](const ApiCall& call) { return clients.subscriptions_of_one(call); }});
    routes.push_back({"GET", "/api/v1/subscriptions", {"limit", "cursor"}, {},
                      [=](const ApiCall& call) { return clients.subscriptions(call); }});
    return routes;
}

}  // namespace millrace

#include "admin/api/trace_routes.h"

#include <charconv>
#include <mutex>

#include <fmt/format.h>

#include "admin/api/shard_work.h"
#include "admin/api/trace_desk.h"
#include "base/base64.h"
#include "base/json_line.h"
#include "broker/inspect/top.h"
#include "codec/mqtt/topic_name.h"

namespace millrace {
namespace {

std::string to_json(const TraceDesk::Row& row) {
    const TraceDesk::Wish& wish = row.wish;
    const bool is_client = wish.by == TraceTarget::By::client_id;
    JsonLine line;
    line.add_text("id", std::to_string(row.id));
    line.add("client_id", is_client ? json_text(wish.text) : "null");
    line.add("topic", is_client ? "null" : json_text(wish.text));
    line.add("seconds", wish.seconds);
    line.add("payload_bytes_max", wish.payload_bytes_max);
    line.add_decimal("started", row.started_s);
    line.add("events", row.events);
    line.add("lost", row.lost);
    line.add("ended", row.ended);
    return line.object();
}

std::string to_json(const TraceDesk::Event& event) {
    const TraceEvent& seen = event.seen;
    JsonLine line;
    line.add("number", event.number);
    line.add_decimal("time", event.time_s, 6);
    line.add("shard", seen.shard);
    line.add_text("client_id", event.client_id);
    line.add_text("direction", name_of(seen.direction));
    line.add_text("kind", name_of(seen.kind));
    line.add("bytes", seen.bytes);
    if (seen.packet_id != 0) line.add("packet_id", seen.packet_id);
    if (!event.topic.empty()) line.add_text("topic", event.topic);
    if (seen.has_qos) line.add("qos", seen.qos);
    if (!seen.reason.empty()) line.add_text("reason", seen.reason);
    if (seen.has_receivers) line.add("receivers", seen.receivers);
    if (seen.has_took) line.add("took_us", seen.took.to_us());
    if (!event.data.empty()) line.add_text("data_base64", base64(event.data));
    return line.object();
}

ApiResult<TraceDesk::Wish> read_wish(const JsonBody& body) {
    auto client_id = body.text("client_id");
    if (!client_id) return tl::unexpected<ApiError>(client_id.error());
    auto topic = body.text("topic");
    if (!topic) return tl::unexpected<ApiError>(topic.error());
    if (client_id->has_value() == topic->has_value()) {
        return refuse(ApiFault::invalid_argument, "body client_id",
                      "one of client_id and topic (a filter) is wanted");
    }
    const auto seconds = body.number("seconds", 1, 3'600, 60);
    if (!seconds) return tl::unexpected<ApiError>(seconds.error());
    const auto bytes = body.number("payload_bytes_max", 0, TraceEvent::data_bytes_max, 256);
    if (!bytes) return tl::unexpected<ApiError>(bytes.error());
    TraceDesk::Wish wish{TraceTarget::By::client_id, {}, static_cast<uint32_t>(*seconds),
                         static_cast<uint32_t>(*bytes)};
    if (*client_id) {
        wish.text = std::move(**client_id);
        if (wish.text.empty() || wish.text.size() > UINT16_MAX) {
            return refuse(ApiFault::invalid_argument, "body client_id", "1 to 65535 bytes are wanted");
        }
        return wish;
    }
    wish.by = TraceTarget::By::topic;
    wish.text = std::move(**topic);
    if (wish.text.size() > UINT16_MAX || !mqtt::is_valid_utf8(wish.text) ||
        !mqtt::is_valid_filter(wish.text)) {
        return refuse(ApiFault::invalid_argument, "body topic",
                      "not a topic filter: 1 to 65535 bytes, '+' and '#' as whole levels only");
    }
    return wish;
}

class Traces {
public:
    Traces(AdminSubject& subject, WallTime (*clock)())
        : subject_(subject), clock_(clock),
          desk_(static_cast<uint32_t>(subject.shards().size())) {}

    ApiResult<AdminResponse> start(const ApiCall& call) {
        auto wish = read_wish(call.body());
        if (!wish) return tl::unexpected<ApiError>(wish.error());
        const std::unique_lock<std::mutex> lock(changing_, std::try_to_lock);
        if (!lock.owns_lock()) return is_changing();
        const auto row = desk_.start(moment(), std::move(*wish));
        if (!row) {
            return refuse(ApiFault::too_many, "traces",
                          fmt::format("{} run already: remove one, or wait for its end",
                                      TraceDesk::traces_max));
        }
        if (auto posted = post_list(); !posted) {
            desk_.remove(moment(), row->id);
            post_list();
            return tl::unexpected<ApiError>(posted.error());
        }
        return json_response(to_json(*row), 201);
    }

    AdminResponse list() {
        JsonLine line;
        line.add("traces", json_list(desk_.rows(moment()),
                                     [](const TraceDesk::Row& row) { return to_json(row); }));
        return json_response(line.object());
    }

    ApiResult<AdminResponse> events(const ApiCall& call) {
        const auto limit = call.limit();
        if (!limit) return tl::unexpected<ApiError>(limit.error());
        const auto after = call.number("after", 0, INT64_MAX, 0);
        if (!after) return tl::unexpected<ApiError>(after.error());
        const auto id = id_of(call);
        const auto page = id ? desk_.page(moment(), *id, *after, *limit) : std::nullopt;
        if (!page) return no_such_trace();
        JsonLine line;
        line.add("events", json_list(page->events, [](const TraceDesk::Event& event) {
                     return to_json(event);
                 }));
        line.add("next", page->next);
        line.add("lost", page->lost);
        line.add("ended", page->ended);
        return json_response(line.object());
    }

    // It's gone even if a shard is too busy to hear of it: its records are read by nobody.
    ApiResult<AdminResponse> remove(const ApiCall& call) {
        const std::unique_lock<std::mutex> lock(changing_, std::try_to_lock);
        if (!lock.owns_lock()) return is_changing();
        const auto id = id_of(call);
        if (!id || !desk_.remove(moment(), *id)) return no_such_trace();
        if (auto posted = post_list(); !posted) return tl::unexpected<ApiError>(posted.error());
        JsonLine line;
        line.add_text("id", std::to_string(*id));
        return json_response(line.object());
    }

private:
    TraceDesk::Moment moment() const {
        const WallTime now = clock_();
        return {now.monotonic, now.wall_s};
    }
    static std::optional<uint32_t> id_of(const ApiCall& call) {
        const std::string& text = call.captured("id");
        uint32_t id = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
        const bool is_number = error == std::errc() && end == text.data() + text.size();
        return is_number ? std::optional(id) : std::nullopt;
    }
    // With a shard that hangs a change takes seconds: one worker waits for it, not all of them.
    static tl::unexpected<ApiError> is_changing() {
        return refuse(ApiFault::unavailable, "server",
                      "another request changes the traces just now: ask again");
    }
    static tl::unexpected<ApiError> no_such_trace() {
        return refuse(ApiFault::not_found, "path id", "no trace has this id: /api/v1/traces lists them");
    }
    ApiResult<void> post_list() {
        const auto list = desk_.list(moment());
        const auto tasks = run_on_all_shards<AdoptTraces>(
            subject_, [&](uint32_t) { return std::make_shared<AdoptTraces>(list); });
        if (!tasks) return tl::unexpected<ApiError>(tasks.error());
        return {};
    }

    AdminSubject& subject_;
    WallTime (*const clock_)();
    TraceDesk desk_;
    std::mutex changing_;   // lists reach every shard in the order in which they were made
};

}  // namespace

std::vector<Route> trace_routes(AdminSubject& subject, WallTime (*clock)()) {
    const auto traces = std::make_shared<Traces>(subject, clock);
    std::vector<Route> routes;
    routes.push_back({"POST", "/api/v1/traces", {},
                      {"client_id", "topic", "seconds", "payload_bytes_max"},
                      [traces](const ApiCall& call) { return traces->start(call); }});
    routes.push_back({"GET", "/api/v1/traces", {}, {}, [traces](const ApiCall&) {
                          return ApiResult<AdminResponse>(traces->list());
                      }});
    routes.push_back({"GET", "/api/v1/traces/{id}/events", {"after", "limit"}, {},
                      [traces](const ApiCall& call) { return traces->events(call); }});
    routes.push_back({"DELETE", "/api/v1/traces/{id}", {}, {},
                      [traces](const ApiCall& call) { return traces->remove(call); }});
    return routes;
}

}  // namespace millrace

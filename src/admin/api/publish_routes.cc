#include "admin/api/publish_routes.h"

#include "admin/api/shard_work.h"
#include "base/base64.h"
#include "base/json_line.h"
#include "broker/inspect/broadcast.h"
#include "codec/mqtt/topic_name.h"

namespace millrace {
namespace {

// A walk over all clients takes a moment.
constexpr std::chrono::milliseconds broadcast_time{30'000};
// A shard encodes it anew for each step's clients, and keeps it until the slowest of them has it.
constexpr size_t broadcast_bytes_max = 16 * 1'024;

ApiResult<std::vector<uint8_t>> payload_of(const JsonBody& body) {
    auto text = body.text("payload");
    if (!text) return tl::unexpected<ApiError>(text.error());
    const auto encoded = body.text("payload_base64");
    if (!encoded) return tl::unexpected<ApiError>(encoded.error());
    if (text->has_value() == encoded->has_value()) {
        return refuse(ApiFault::invalid_argument, "body payload",
                      "one of payload (text) and payload_base64 is wanted");
    }
    if (*text) return std::vector<uint8_t>((*text)->begin(), (*text)->end());
    auto bytes = from_base64(**encoded);
    if (!bytes) {
        return refuse(ApiFault::invalid_argument, "body payload_base64",
                      "not base64 with padding (RFC 4648, 4)");
    }
    return std::move(*bytes);
}

ApiResult<std::string> topic_of(const JsonBody& body) {
    auto topic = body.wanted_text("topic");
    if (topic && (topic->size() > UINT16_MAX || !mqtt::is_valid_utf8(*topic) ||
                  !mqtt::is_valid_topic(*topic))) {
        return refuse(ApiFault::invalid_argument, "body topic",
                      "not a topic name: 1 to 65535 bytes of UTF-8 without '+', '#' and U+0000");
    }
    return topic;
}

ApiResult<AdminResponse> publish(AdminSubject& subject, const ApiCall& call) {
    const auto topic = topic_of(call.body());
    if (!topic) return tl::unexpected<ApiError>(topic.error());
    const auto payload = payload_of(call.body());
    if (!payload) return tl::unexpected<ApiError>(payload.error());
    const auto qos = call.body().number("qos", 0, 2, 0);
    if (!qos) return tl::unexpected<ApiError>(qos.error());
    const auto retain = call.body().truth("retain", false);
    if (!retain) return tl::unexpected<ApiError>(retain.error());
    const auto error = subject.publish(*topic, *payload, static_cast<uint8_t>(*qos), *retain);
    if (!error) {
        JsonLine line;
        line.add("accepted", true);
        return json_response(line.object(), 202);
    }
    switch (error->code) {
    case Errc::too_large: return refuse(ApiFault::too_large, "body payload", error->message);
    case Errc::exhausted: return refuse(ApiFault::unavailable, "shard", error->message);
    default:              return refuse(ApiFault::invalid_argument, "body", error->message);
    }
}

ApiResult<AdminResponse> broadcast(AdminSubject& subject, const ApiCall& call) {
    Broadcast::Text text;
    auto topic = topic_of(call.body());
    if (!topic) return tl::unexpected<ApiError>(topic.error());
    text.topic = std::move(*topic);
    auto payload = payload_of(call.body());
    if (!payload) return tl::unexpected<ApiError>(payload.error());
    if (payload->size() > broadcast_bytes_max) {
        return refuse(ApiFault::too_large, "body payload", "a broadcast has 16384 bytes at most");
    }
    text.payload = std::move(*payload);
    const auto qos = call.body().number("qos", 0, 1, 0);
    if (!qos) return tl::unexpected<ApiError>(qos.error());
    text.qos = static_cast<mqtt::Qos>(*qos);
    auto prefix = call.body().text("prefix");
    if (!prefix) return tl::unexpected<ApiError>(prefix.error());
    text.prefix = prefix->value_or("");
    const auto shared = std::make_shared<const Broadcast::Text>(std::move(text));
    auto tasks = run_on_all_shards<Broadcast>(
        subject, [&](uint32_t) { return std::make_shared<Broadcast>(shared); }, broadcast_time);
    if (!tasks) return tl::unexpected<ApiError>(tasks.error());
    uint64_t clients = 0;
    for (const auto& task : *tasks) clients += task->client_count();
    JsonLine line;
    line.add("clients", clients);
    return json_response(line.object());
}

}  // namespace

std::vector<Route> publish_routes(AdminSubject& subject) {
    std::vector<Route> routes;
    routes.push_back({"POST", "/api/v1/publish", {},
                      {"topic", "payload", "payload_base64", "qos", "retain"},
                      [&](const ApiCall& call) { return publish(subject, call); }});
    routes.push_back({"POST", "/api/v1/broadcast", {},
                      {"topic", "payload", "payload_base64", "qos", "prefix"},
                      [&](const ApiCall& call) { return broadcast(subject, call); },
                      Duration::ms(broadcast_time.count())});
    return routes;
}

}  // namespace millrace

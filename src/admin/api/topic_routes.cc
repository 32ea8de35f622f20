#include "admin/api/topic_routes.h"

#include "admin/api/cursor.h"
#include "admin/api/shard_work.h"
#include "base/json_line.h"
#include "broker/inspect/topics.h"
#include "codec/mqtt/topic_name.h"

namespace millrace {
namespace {

constexpr std::string_view kind_names[] = {"exact", "wildcard", "shared"};

std::string_view name_of(Filter::Kind kind) { return kind_names[static_cast<size_t>(kind)]; }

std::string to_json(const TopicRow& row) {
    JsonLine line;
    line.add_text("filter", row.filter);
    line.add_text("kind", name_of(row.kind));
    line.add("shard", row.shard);
    line.add("subscribers", row.subscribers);
    return line.object();
}

std::string to_json(const std::vector<TopicRow>& rows) {
    return json_list(rows, [](const TopicRow& row) { return to_json(row); });
}

// The cursor's place has the walk's two parts: exact filters come first.
ApiCursor cursor_of(uint32_t shard, const TopicsPage::Rest& rest) {
    return {shard, rest.place, rest.taken, rest.is_exact ? "e" : "o"};
}

ApiResult<AdminResponse> list(AdminSubject& subject, const ApiCall& call) {
    const auto shard_count = static_cast<uint32_t>(subject.shards().size());
    const auto limit = call.limit();
    if (!limit) return tl::unexpected<ApiError>(limit.error());
    const auto chosen = call.choice("kind", {"exact", "wildcard", "shared"});
    if (!chosen) return tl::unexpected<ApiError>(chosen.error());
    const auto cursor = read_cursor(call.text("cursor"), shard_count);
    if (!cursor) return tl::unexpected<ApiError>(cursor.error());
    const std::optional<Filter::Kind> kind =
        *chosen ? std::optional(static_cast<Filter::Kind>(**chosen)) : std::nullopt;
    const auto task = std::make_shared<TopicsPage>(
        TopicsPage::Rest{cursor->after != "o", cursor->place, cursor->number}, kind, *limit);
    if (auto run = run_on_shard(subject, cursor->shard, task); !run) {
        return tl::unexpected<ApiError>(run.error());
    }
    std::string next = "null";
    if (const auto rest = task->rest()) {
        next = json_text(to_text(cursor_of(cursor->shard, *rest)));
    } else if (cursor->shard + 1 < shard_count) {
        next = json_text(to_text({cursor->shard + 1, 0, 0, {}}));
    }
    JsonLine line;
    line.add("topics", to_json(task->rows()));
    line.add("next", next);
    return json_response(line.object());
}

ApiResult<AdminResponse> lookup(AdminSubject& subject, const ApiCall& call) {
    const auto topic = call.text("topic");
    if (!topic || topic->size() > UINT16_MAX || !mqtt::is_valid_utf8(*topic) ||
        !mqtt::is_valid_topic(*topic)) {
        return refuse(ApiFault::invalid_argument, "query topic",
                      "a topic name is wanted: 1 to 65535 bytes of UTF-8 without '+' and '#'");
    }
    auto tasks = run_on_all_shards<TopicLookup>(
        subject, [&](uint32_t) { return std::make_shared<TopicLookup>(*topic); });
    if (!tasks) return tl::unexpected<ApiError>(tasks.error());
    std::vector<TopicRow> rows;
    uint64_t subscribers = 0;
    size_t home = 0;
    std::string retained = "null";
    for (size_t shard = 0; shard < tasks->size(); ++shard) {
        const TopicLookup& task = *(*tasks)[shard];
        rows.insert(rows.end(), task.rows().begin(), task.rows().end());
        for (const TopicRow& row : task.rows()) subscribers += row.subscribers;
        if (task.is_home()) home = shard;
        if (!task.retained()) continue;
        JsonLine line;
        line.add("bytes", task.retained()->bytes);
        line.add("qos", static_cast<int>(task.retained()->qos));
        retained = line.object();
    }
    JsonLine line;
    line.add_text("topic", *topic);
    line.add("home_shard", home);
    line.add("subscribers", subscribers);
    line.add("filters", to_json(rows));
    line.add("retained", retained);
    return json_response(line.object());
}

}  // namespace

std::vector<Route> topic_routes(AdminSubject& subject) {
    std::vector<Route> routes;
    routes.push_back({"GET", "/api/v1/topics", {"limit", "cursor", "kind"}, {},
                      [&](const ApiCall& call) { return list(subject, call); }});
    routes.push_back({"GET", "/api/v1/topics/lookup", {"topic"}, {},
                      [&](const ApiCall& call) { return lookup(subject, call); }});
    return routes;
}

}  // namespace millrace

#include "admin/api/top_routes.h"

#include <algorithm>

#include <fmt/format.h>

#include "admin/api/shard_work.h"
#include "admin/api/wall_time.h"
#include "base/json_line.h"
#include "broker/inspect/top.h"

namespace millrace {
namespace {

struct Merged {
    TopList list;
    Instant since = Instant::never();
};

ApiResult<Merged> merge_lists(AdminSubject& subject, TopListCopy::Of of, TopList::Names names) {
    auto tasks = run_on_all_shards<TopListCopy>(
        subject, [&](uint32_t) { return std::make_shared<TopListCopy>(of); });
    if (!tasks) return tl::unexpected<ApiError>(tasks.error());
    Merged merged;
    for (uint32_t shard = 0; shard < tasks->size(); ++shard) {
        const TopLists::Recent& list = (*tasks)[shard]->list();
        merged.list.merge(list.list(shard), names);
        merged.since = std::min(merged.since, list.since());
    }
    return merged;
}

using Entries = std::vector<TopList::Entry>;

std::shared_ptr<const std::vector<std::string>> names_of(const Entries& entries) {
    std::vector<std::string> names;
    for (const TopList::Entry& entry : entries) names.push_back(entry.name);
    return std::make_shared<const std::vector<std::string>>(std::move(names));
}

// A name that is longer than what is kept of it.
std::string shown_name(const TopList::Entry& entry) {
    return entry.is_name_cut ? entry.name + "\u2026" : entry.name;
}

ApiResult<AdminResponse> hot_topics(AdminSubject& subject, const ApiCall& call) {
    const auto limit = call.limit();
    if (!limit) return tl::unexpected<ApiError>(limit.error());
    // A topic is counted at its home alone.
    const auto merged = merge_lists(subject, TopListCopy::Of::topics, TopList::Names::apart);
    if (!merged) return tl::unexpected<ApiError>(merged.error());
    const Entries entries = merged->list.heaviest(*limit);
    const auto topics = names_of(entries);
    const auto tasks = run_on_all_shards<SubscriberCounts>(
        subject, [&](uint32_t) { return std::make_shared<SubscriberCounts>(topics); });
    if (!tasks) return tl::unexpected<ApiError>(tasks.error());
    std::string rows;
    for (size_t index = 0; index < entries.size(); ++index) {
        const TopList::Entry& entry = entries[index];
        uint64_t receivers = 0;
        for (const auto& task : *tasks) receivers += task->counts()[index];
        JsonLine row;
        row.add_text("topic", shown_name(entry));
        row.add("messages", entry.count);
        row.add("messages_error", entry.error);
        row.add("receivers", entry.is_name_cut ? "null" : std::to_string(receivers));
        if (!rows.empty()) rows += ',';
        rows += row.object();
    }
    JsonLine line;
    line.add_decimal("since", WallTime::now().of(merged->since));
    line.add_text("sampled", fmt::format("1 of {}", sampled_one_of));
    line.add("topics", fmt::format("[{}]", rows));
    return json_response(line.object());
}

std::string receiver_row(const TopList::Entry& entry, uint32_t shard,
                         const ReceiverStates::State* state) {
    JsonLine row;
    row.add_text("client_id", shown_name(entry));
    row.add("shard", shard);
    row.add("dropped", entry.part);
    row.add("waited", entry.count - entry.error - entry.part);
    row.add("dropped_error", entry.error);
    row.add("queued_bytes", state == nullptr ? "null" : std::to_string(state->queued_bytes));
    row.add("waiting_messages", state == nullptr ? "null" : std::to_string(state->waiting_messages));
    row.add("connected", state != nullptr && state->is_connected);
    return row.object();
}

ApiResult<AdminResponse> slow_receivers(AdminSubject& subject, const ApiCall& call) {
    const auto limit = call.limit();
    if (!limit) return tl::unexpected<ApiError>(limit.error());
    const auto merged = merge_lists(subject, TopListCopy::Of::receivers, TopList::Names::anywhere);
    if (!merged) return tl::unexpected<ApiError>(merged.error());
    const Entries entries = merged->list.heaviest(*limit);
    const auto client_ids = names_of(entries);
    const auto tasks = run_on_all_shards<ReceiverStates>(
        subject, [&](uint32_t) { return std::make_shared<ReceiverStates>(client_ids); });
    if (!tasks) return tl::unexpected<ApiError>(tasks.error());
    std::string rows;
    for (size_t index = 0; index < entries.size(); ++index) {
        uint32_t shard = entries[index].source;
        const ReceiverStates::State* state = nullptr;
        for (uint32_t at = 0; at < tasks->size() && !entries[index].is_name_cut; ++at) {
            const ReceiverStates::State& here = (*tasks)[at]->states()[index];
            if (!here.is_here) continue;
            state = &here;
            shard = at;
        }
        if (!rows.empty()) rows += ',';
        rows += receiver_row(entries[index], shard, state);
    }
    JsonLine line;
    line.add_decimal("since", WallTime::now().of(merged->since));
    line.add("receivers", fmt::format("[{}]", rows));
    return json_response(line.object());
}

}  // namespace

std::vector<Route> top_routes(AdminSubject& subject) {
    std::vector<Route> routes;
    routes.push_back({"GET", "/api/v1/topics/hot", {"limit"}, {},
                      [&](const ApiCall& call) { return hot_topics(subject, call); }});
    routes.push_back({"GET", "/api/v1/receivers/slow", {"limit"}, {},
                      [&](const ApiCall& call) { return slow_receivers(subject, call); }});
    return routes;
}

}  // namespace millrace

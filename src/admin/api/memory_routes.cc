#include "admin/api/memory_routes.h"

#include "admin/memory_diff.h"
#include "base/json_line.h"

namespace millrace {
namespace {

constexpr std::string_view now_id = "now";

tl::unexpected<ApiError> refuse_id(std::string where, bool may_be_now) {
    return refuse(ApiFault::invalid_argument, std::move(where),
                  std::string("accepted is the id of a snapshot such as 20261130T120000Z") +
                      (may_be_now ? ", or now" : "") + ": /api/v1/memory/snapshots has them");
}

// A broken file is the server's trouble, not the caller's.
tl::unexpected<ApiError> refusal(const Error& error, std::string where) {
    const ApiFault fault = error.code == Errc::not_found   ? ApiFault::not_found
                           : error.code == Errc::exhausted ? ApiFault::too_many
                                                           : ApiFault::unavailable;
    return refuse(fault, std::move(where), error.message);
}

ApiResult<AdminResponse> kept(MemoryHistory& history) {
    const Outcome<HistoryRecord> record = history.keep();
    if (!record) return refusal(record.error(), "server");
    JsonLine line;
    line.add_text("id", record->id.text());
    line.add("time", record->id.time_s);
    line.add("bytes", record->bytes);
    return json_response(line.object(), 201);
}

ApiResult<AdminResponse> one(const MemoryHistory& history, const std::string& id) {
    if (!HistoryId::parse(id)) return refuse_id("path id", false);
    const Outcome<MemorySnapshot> snapshot = history.at(id);
    if (!snapshot) return refusal(snapshot.error(), "path id");
    return json_response(to_json(*snapshot));
}

ApiResult<AdminResponse> difference(const MemoryHistory& history, const ApiCall& call) {
    const std::string from = call.text("from").value_or("");
    const std::string to = call.text("to").value_or("");
    if (!HistoryId::parse(from)) return refuse_id("query from", false);
    if (to != now_id && !HistoryId::parse(to)) return refuse_id("query to", true);
    const Outcome<MemorySnapshot> before = history.at(from);
    if (!before) return refusal(before.error(), "query from");
    const Outcome<MemorySnapshot> after = history.at(to);
    if (!after) return refusal(after.error(), "query to");
    return json_response(
        to_json(diff_memory(*before, *after), {from, before->time, to, after->time}));
}

}  // namespace

std::vector<Route> memory_routes(MemoryHistory& history) {
    std::vector<Route> routes;
    routes.push_back({"GET", "/api/v1/memory", {}, {}, [&](const ApiCall&) {
                          return json_response(to_json(history.now()));
                      }});
    routes.push_back({"GET", "/api/v1/memory/snapshots", {}, {}, [&](const ApiCall&) {
                          return json_response(history.list_json());
                      }});
    routes.push_back({"POST", "/api/v1/memory/snapshots", {}, {},
                      [&](const ApiCall&) { return kept(history); }});
    routes.push_back({"GET", "/api/v1/memory/snapshots/{id}", {}, {}, [&](const ApiCall& call) {
                          return one(history, call.captured("id"));
                      }});
    routes.push_back({"GET", "/api/v1/memory/diff", {"from", "to"}, {},
                      [&](const ApiCall& call) { return difference(history, call); }});
    return routes;
}

}  // namespace millrace

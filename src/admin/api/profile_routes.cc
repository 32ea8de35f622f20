#include "admin/api/profile_routes.h"

#include <chrono>

#include <fmt/format.h>

#include "admin/profiles/pprof.h"
#include "admin/profiles/views.h"
#include "base/json_line.h"

namespace millrace {
namespace {

constexpr uint64_t seconds_max = 60;

double seconds(Duration duration) { return static_cast<double>(duration.nanoseconds) / 1e9; }

ApiFault fault_of(Errc code) {
    switch (code) {
    case Errc::exhausted: return ApiFault::conflict;   // another one is being taken
    case Errc::not_found: return ApiFault::not_found;
    case Errc::incomplete:
    case Errc::malformed:
    case Errc::too_large:
    case Errc::invalid_argument:
    case Errc::unsupported:
    case Errc::system:    return ApiFault::unavailable;
    }
    MR_UNREACHABLE();
}

tl::unexpected<ApiError> refuse_with(const Error& error, std::string where) {
    return refuse(fault_of(error.code), std::move(where), error.message);
}

CpuSampler::Wait wait_of(const ApiCall& call) {
    return [&call](Duration duration) {
        return call.stop().wait_for(std::chrono::milliseconds(duration.to_ms()));
    };
}

AdminResponse pprof_response(std::string bytes, std::string_view name) {
    AdminResponse response{200, "application/octet-stream", std::move(bytes), {}};
    response.headers.emplace_back(
        "Content-Disposition", fmt::format("attachment; filename=\"millrace-{}.pb.gz\"", name));
    return response;
}

// What Go's servers have at this path, with the same parameter: `go tool pprof URL` works.
ApiResult<AdminResponse> take_now(ProfileHistory& history, const ApiCall& call) {
    const auto wanted = call.number("seconds", 1, seconds_max, 10);
    if (!wanted) return tl::unexpected<ApiError>(wanted.error());
    const auto profile =
        history.take(Duration::s(static_cast<int64_t>(*wanted)), wait_of(call));
    if (!profile) return refuse_with(profile.error(), "profile");
    return pprof_response(write_pprof(*profile), "now");
}

std::string record_json(const ProfileRecord& record) {
    JsonLine line;
    line.add_text("id", record.id.text());
    line.add_decimal("time", static_cast<double>(record.time_ns) / 1e9);
    line.add_decimal("seconds", seconds(record.duration));
    line.add("samples", record.sample_count);
    return line.object();
}

ApiResult<AdminResponse> keep(ProfileHistory& history, const ApiCall& call) {
    const auto wanted = call.body().number("seconds", 1, seconds_max, 10);
    if (!wanted) return tl::unexpected<ApiError>(wanted.error());
    const auto record =
        history.keep(Duration::s(static_cast<int64_t>(*wanted)), wait_of(call));
    if (!record) return refuse_with(record.error(), "profile");
    return json_response(record_json(*record), 201);
}

ApiResult<AdminResponse> list(ProfileHistory& history, const ApiCall&) {
    JsonLine line;
    line.add("interval_seconds", history.options().interval.to_s());
    line.add("seconds", history.options().duration.to_s());
    line.add("kept_max", history.kept_max());
    line.add("profiles", json_list(history.list(), record_json));
    return json_response(line.object());
}

ApiResult<AdminResponse> file(ProfileHistory& history, const ApiCall& call) {
    auto bytes = history.file(call.captured("id"));
    if (!bytes) return refuse_with(bytes.error(), "path id");
    return pprof_response(std::move(*bytes), HistoryId::parse(call.captured("id"))->text());
}

ApiResult<AdminResponse> flame(ProfileHistory& history, const ApiCall& call) {
    const auto profile = history.read(call.captured("id"));
    if (!profile) return refuse_with(profile.error(), "path id");
    return json_response(flame_json(*profile));
}

template <class List>
void keep_first(List& list, size_t count) {
    if (list.size() > count) list.resize(count);
}

ApiResult<AdminResponse> functions(ProfileHistory& history, const ApiCall& call) {
    const auto limit = call.limit();
    if (!limit) return tl::unexpected<ApiError>(limit.error());
    const auto profile = history.read(call.captured("id"));
    if (!profile) return refuse_with(profile.error(), "path id");
    std::vector<FunctionTime> rows = functions_of(*profile);
    keep_first(rows, *limit);
    JsonLine line;
    line.add("samples", profile->sample_count());
    line.add("functions", json_list(rows, [](const FunctionTime& one) {
                 JsonLine row;
                 row.add_text("name", one.name);
                 row.add("self", one.self);
                 row.add("total", one.total);
                 return row.object();
             }));
    return json_response(line.object());
}

ApiResult<Profile> profile_of_query(ProfileHistory& history, const ApiCall& call,
                                    std::string_view name) {
    const std::string where = fmt::format("query {}", name);
    const auto id = call.text(name);
    if (!id || !HistoryId::parse(*id)) {
        return refuse(ApiFault::invalid_argument, where,
                      "a profile's id is wanted, such as 20261130T120000Z: /api/v1/profiles has them");
    }
    auto profile = history.read(*id);
    if (!profile) return refuse_with(profile.error(), where);
    return std::move(*profile);
}

ApiResult<AdminResponse> growth(ProfileHistory& history, const ApiCall& call) {
    const auto limit = call.limit();
    if (!limit) return tl::unexpected<ApiError>(limit.error());
    const auto from = profile_of_query(history, call, "from");
    if (!from) return tl::unexpected<ApiError>(from.error());
    const auto to = profile_of_query(history, call, "to");
    if (!to) return tl::unexpected<ApiError>(to.error());
    std::vector<FunctionGrowth> rows = growth_between(*from, *to);
    keep_first(rows, *limit);
    JsonLine line;
    line.add("functions", json_list(rows, [](const FunctionGrowth& one) {
                 JsonLine row;
                 row.add_text("name", one.name);
                 row.add_decimal("self_share_from", one.self_share_from, 6);
                 row.add_decimal("self_share_to", one.self_share_to, 6);
                 row.add_decimal("change", one.change(), 6);
                 return row.object();
             }));
    return json_response(line.object());
}

}  // namespace

std::vector<Route> profile_routes(ProfileHistory& history) {
    // A profile's time, and some for a busy machine to find the names.
    constexpr Duration time_max = Duration::s(static_cast<int64_t>(seconds_max) + 30);
    using Handler = ApiResult<AdminResponse> (*)(ProfileHistory&, const ApiCall&);
    const auto on_history = [&history](Handler handler) {
        return [&history, handler](const ApiCall& call) { return handler(history, call); };
    };
    std::vector<Route> routes;
    routes.push_back(
        {"GET", "/debug/pprof/profile", {"seconds"}, {}, on_history(take_now), time_max});
    routes.push_back({"GET", "/api/v1/profiles", {}, {}, on_history(list)});
    routes.push_back({"POST", "/api/v1/profiles", {}, {"seconds"}, on_history(keep), time_max});
    routes.push_back(
        {"GET", "/api/v1/profiles/growth", {"from", "to", "limit"}, {}, on_history(growth)});
    routes.push_back({"GET", "/api/v1/profiles/{id}", {}, {}, on_history(file)});
    routes.push_back({"GET", "/api/v1/profiles/{id}/flame", {}, {}, on_history(flame)});
    routes.push_back(
        {"GET", "/api/v1/profiles/{id}/functions", {"limit"}, {}, on_history(functions)});
    return routes;
}

}  // namespace millrace

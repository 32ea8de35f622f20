#include "admin/api/routes.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "admin/api/words.h"
#include "base/json_line.h"

namespace millrace {
namespace {

// Up to the next slash, which goes too.
std::string_view next_segment(std::string_view& pattern) {
    const size_t end = std::min(pattern.find('/'), pattern.size());
    const std::string_view segment = pattern.substr(0, end);
    pattern.remove_prefix(std::min(end + 1, pattern.size()));
    return segment;
}

bool is_capture(std::string_view segment) { return segment.starts_with('{'); }

std::vector<std::string_view> segments_of(std::string_view pattern) {
    pattern.remove_prefix(1);
    std::vector<std::string_view> segments;
    do segments.push_back(next_segment(pattern));
    while (!pattern.empty());
    return segments;
}

bool matches(std::string_view pattern, const std::vector<std::string>& segments) {
    const std::vector<std::string_view> wanted = segments_of(pattern);
    return std::equal(wanted.begin(), wanted.end(), segments.begin(), segments.end(),
                      [](std::string_view want, const std::string& is) {
                          return is_capture(want) ? !is.empty() : want == is;
                      });
}

bool is_literal(std::string_view pattern) { return pattern.find('{') == pattern.npos; }

bool answers(const Route& route, std::string_view method) {
    return route.method == method || (route.method == "GET" && method == "HEAD");
}

// The media type without parameters, whatever its case.
bool is_json(std::string_view content_type) {
    constexpr std::string_view json = "application/json";
    const std::string_view type = content_type.substr(0, content_type.find_first_of("; \t"));
    return std::equal(type.begin(), type.end(), json.begin(), json.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
    });
}

std::optional<ApiError> check_query(const Route& route, const ApiTarget& target) {
    for (size_t index = 0; index < target.query.size(); ++index) {
        const std::string& name = target.query[index].first;
        const std::string where = fmt::format("query {}", name.substr(0, 100));
        if (std::find(route.query.begin(), route.query.end(), name) == route.query.end()) {
            const std::string known =
                route.query.empty() ? "there are none here"
                                    : "there are " + comma_list(route.query);
            return ApiError{ApiFault::invalid_argument, where, "no such parameter: " + known, {}};
        }
        const auto is_same = [&](const auto& other) { return other.first == name; };
        if (std::any_of(target.query.begin(), target.query.begin() + static_cast<ptrdiff_t>(index),
                        is_same)) {
            return ApiError{ApiFault::invalid_argument, where, "it's there twice", {}};
        }
    }
    return std::nullopt;
}

}  // namespace

const std::string& ApiCall::captured(std::string_view name) const {
    const std::vector<std::string_view> wanted = segments_of(pattern_);
    for (size_t index = 0; index < wanted.size(); ++index) {
        const std::string_view segment = wanted[index];
        if (is_capture(segment) && segment.substr(1, segment.size() - 2) == name) {
            return target_.segments[index];
        }
    }
    MR_UNREACHABLE();
}

std::optional<std::string> ApiCall::text(std::string_view name) const {
    for (const auto& [parameter, value] : target_.query) {
        if (parameter == name) return value;
    }
    return std::nullopt;
}

ApiResult<uint64_t> ApiCall::number(std::string_view name, uint64_t min, uint64_t max,
                                    uint64_t otherwise) const {
    const auto given = text(name);
    if (!given) return otherwise;
    uint64_t number = 0;
    const char* end = given->data() + given->size();
    const auto [rest, code] = std::from_chars(given->data(), end, number);
    if (given->empty() || code != std::errc() || rest != end || number < min || number > max) {
        return refuse(ApiFault::invalid_argument, fmt::format("query {}", name),
                      fmt::format("\"{}\" is no whole number from {} to {}", given->substr(0, 100),
                                  min, max));
    }
    return number;
}

ApiResult<std::optional<size_t>> ApiCall::choice(
    std::string_view name, const std::vector<std::string_view>& accepted) const {
    const auto given = text(name);
    if (!given) return std::optional<size_t>();
    const auto place = std::find(accepted.begin(), accepted.end(), *given);
    if (place == accepted.end()) {
        return refuse(ApiFault::invalid_argument, fmt::format("query {}", name),
                      fmt::format("\"{}\": accepted are {}", given->substr(0, 100),
                                  comma_list(accepted)));
    }
    return std::optional<size_t>(place - accepted.begin());
}

ApiResult<std::optional<bool>> ApiCall::truth(std::string_view name) const {
    const auto chosen = choice(name, {"false", "true"});
    if (!chosen) return tl::unexpected<ApiError>(chosen.error());
    return *chosen ? std::optional<bool>(**chosen == 1) : std::nullopt;
}

ApiResult<uint32_t> ApiCall::limit() const {
    const auto limit = number("limit", 1, 1'000, 100);
    if (!limit) return tl::unexpected<ApiError>(limit.error());
    return static_cast<uint32_t>(*limit);
}

// Where a literal path and one with a part to fill in both match, the literal one is meant.
void ApiRoutes::add(std::vector<Route> routes) {
    for (Route& route : routes) routes_.push_back(std::move(route));
    std::stable_partition(routes_.begin(), routes_.end(),
                          [](const Route& route) { return is_literal(route.pattern); });
}

ApiResult<const Route*> ApiRoutes::find(const AdminRequest& request) const {
    const auto target = parse_target(request.target);
    if (!target) return tl::unexpected<ApiError>(target.error());
    std::vector<std::string_view> methods;
    for (const Route& route : routes_) {
        if (!matches(route.pattern, target->segments)) continue;
        if (answers(route, request.method)) return &route;
        methods.push_back(route.method);
        if (route.method == "GET") methods.push_back("HEAD");
    }
    if (methods.empty()) {
        return refuse(ApiFault::not_found, "path",
                      "there's no such path; /api/v1/openapi.json lists those of the API");
    }
    const std::string allowed = comma_list(methods);
    return tl::unexpected<ApiError>(ApiError{ApiFault::method_not_allowed, "method",
                                             "accepted are " + allowed, allowed});
}

ApiResult<AdminResponse> ApiRoutes::answer(const Route& route, const AdminRequest& request,
                                           const StopSignal& stop) const {
    const auto target = parse_target(request.target);
    if (!target) return tl::unexpected<ApiError>(target.error());
    if (const auto error = check_query(route, *target)) return tl::unexpected<ApiError>(*error);
    if (route.method != "POST") {
        if (request.has_body) {
            return refuse(ApiFault::too_large, "body", "this request has no body");
        }
        return route.handler(ApiCall(request, *target, route.pattern, nullptr, stop));
    }
    if (!is_json(request.content_type)) {
        return refuse(ApiFault::unsupported_media_type, "header Content-Type",
                      "application/json is wanted");
    }
    const auto body = JsonBody::parse(request.body, route.members);
    if (!body) return tl::unexpected<ApiError>(body.error());
    return route.handler(ApiCall(request, *target, route.pattern, &*body, stop));
}

AdminResponse json_response(std::string body, unsigned status) {
    return {status, "application/json", std::move(body) + "\n", {}};
}

AdminResponse error_response(const ApiError& error) {
    JsonLine inner;
    inner.add_text("code", name_of(error.fault));
    inner.add_text("message", error.message);
    inner.add_text("where", error.where);
    JsonLine line;
    line.add("error", inner.object());
    AdminResponse response = json_response(line.object(), status_of(error.fault));
    if (error.fault == ApiFault::unauthorized) {
        response.headers.emplace_back("WWW-Authenticate", "Bearer");
    }
    if (!error.allowed.empty()) response.headers.emplace_back("Allow", error.allowed);
    return response;
}

}  // namespace millrace

#include "admin/static_files.h"

#include <algorithm>

#include "admin/api/error.h"
#include "admin/api/routes.h"

namespace millrace {
namespace {

// The page's own script, styles and icon, and requests to where it came from; nothing from
// elsewhere, nothing written into the markup, and no page around it.
constexpr std::string_view content_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// RFC 9110, 13.1.2: a list, or "*". A weak one is as good.
bool names_etag(std::string_view header, std::string_view etag) {
    return header == "*" || header.find(etag) != header.npos;
}

AdminResponse file_response(const AdminRequest& request, const DashboardFile& file) {
    const bool is_known = names_etag(request.if_none_match, file.etag);
    AdminResponse response{is_known ? 304u : 200u, file.content_type,
                           is_known ? std::string() : std::string(file.bytes), {}};
    response.headers.emplace_back("ETag", file.etag);
    // Kept, and asked about each time: another version of the server has other files.
    response.headers.emplace_back("Cache-Control", "no-cache");
    response.headers.emplace_back("Content-Security-Policy", content_policy);
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
    return response;
}

ApiError missing(std::string_view path, bool has_files) {
    if (has_files || path != "/") {
        return {ApiFault::not_found, "path", "there's no such file", {}};
    }
    return {ApiFault::unavailable, "path",
            "this build has no dashboard: run scripts/install_packages.sh build, then meson setup "
            "--reconfigure build, and build again", {}};
}

}  // namespace

std::optional<AdminResponse> answer_static(const AdminRequest& request,
                                           std::span<const DashboardFile> files) {
    const std::string_view target = request.target;
    const std::string_view path = target.substr(0, target.find('?'));
    if (path != "/" && !path.starts_with("/assets/")) return std::nullopt;
    if (request.method != "GET" && request.method != "HEAD") {
        return error_response({ApiFault::method_not_allowed, "method", "accepted are GET, HEAD",
                               "GET, HEAD"});
    }
    if (request.has_body) {
        return error_response({ApiFault::too_large, "body", "this request has no body", {}});
    }
    const auto file = std::find_if(files.begin(), files.end(),
                                   [&](const DashboardFile& one) { return one.path == path; });
    if (file == files.end()) return error_response(missing(path, !files.empty()));
    return file_response(request, *file);
}

}  // namespace millrace

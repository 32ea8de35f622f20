#include "admin/api/own_page.h"

#include <arpa/inet.h>
#include <strings.h>

#include <string>

namespace millrace {
namespace {

// Without the port, and without an IPv6 address's brackets.
std::string host_of(std::string_view authority) {
    if (authority.starts_with('[')) {
        const size_t end = authority.find(']');
        return std::string(end == authority.npos ? authority : authority.substr(1, end - 1));
    }
    return std::string(authority.substr(0, authority.find(':')));
}

bool is_address(const std::string& host) {
    unsigned char address[sizeof(in6_addr)];
    return ::inet_pton(AF_INET, host.c_str(), address) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), address) == 1;
}

}  // namespace

std::optional<ApiError> check_own_page(const AdminRequest& request) {
    const std::string host = host_of(request.host);
    const bool is_own =
        request.host.empty() || ::strcasecmp(host.c_str(), "localhost") == 0 || is_address(host);
    if (!is_own) {
        return ApiError{ApiFault::forbidden, "header Host",
                        "without admin.token_file the server answers to \"localhost\" and to "
                        "addresses alone", {}};
    }
    if (request.origin.empty() || request.method == "GET" || request.method == "HEAD") {
        return std::nullopt;
    }
    const size_t scheme_end = request.origin.find("://");
    const std::string origin_host =
        scheme_end == std::string::npos ? "" : request.origin.substr(scheme_end + 3);
    if (::strcasecmp(origin_host.c_str(), request.host.c_str()) == 0) return std::nullopt;
    return ApiError{ApiFault::forbidden, "header Origin", "a page from elsewhere may not ask this",
                    {}};
}

}  // namespace millrace

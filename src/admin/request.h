// A request to the admin listener, and its answer, as values.
// Owned by: values; a request goes from the listener's thread to a worker as a whole.
// Not here: HTTP (http_listener.cc), what is answered (requests.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

struct AdminRequest {
    std::string method;
    std::string target;         // as it came: path and query, encoded
    // The headers of these names; empty: none.
    std::string authorization;
    std::string accept;
    std::string host;
    std::string origin;
    std::string content_type;
    std::string if_none_match;
    std::string body;
    bool has_body = false;      // known before it's read
    uint64_t body_bytes = 0;    // likewise; 0: it comes in chunks, or there is none
};

struct AdminResponse {
    unsigned status = 200;
    std::string_view content_type;
    std::string body;
    std::vector<std::pair<std::string_view, std::string>> headers;   // beside the usual ones
};

}  // namespace millrace

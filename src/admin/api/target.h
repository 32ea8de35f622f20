// What a request is for: path and query of its target, decoded (RFC 3986, 3.3 and 3.4).
// Owned by: values.
// Holds:    segments, names and values are UTF-8 without U+0000. In the query a plus sign is a
//           space, as HTML forms and URLSearchParams write it.
// Not here: what a path stands for (routes.h).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/api/error.h"

namespace millrace {

struct ApiTarget {
    std::vector<std::string> segments;   // "/a/b%2Fc" has "a" and "b/c"; "/" has one, which is empty
    std::vector<std::pair<std::string, std::string>> query;   // in its order
};

ApiResult<ApiTarget> parse_target(std::string_view text);

}  // namespace millrace

// gzip's form of a text (RFC 1952), both ways.
// Owned by: nobody; functions over zlib. Thread: any.
// Holds:    any bytes may come in; what comes out of ungzip() is bounded by its caller.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace {

std::string gzip(std::string_view bytes);

// Errc::malformed for what isn't gzip, is cut, or has something behind it; Errc::too_large past
// `bytes_max`.
Outcome<std::string> ungzip(std::string_view bytes, uint64_t bytes_max);

}  // namespace millrace

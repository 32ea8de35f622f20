// The secret of the admin listener: who sends it may ask.
// Owned by: values. Thread: any.
// Source:   RFC 6750, 2.1: Authorization: Bearer TOKEN.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace {

constexpr size_t token_bytes_min = 16;
constexpr size_t token_bytes_max = 1'024;

// What the file holds, without white space at its end. An error says what is wrong with it, and
// never shows it.
Outcome<std::string> read_token(const std::string& path);

// Whether the header's value is "Bearer " and that token. The time it takes says nothing about the
// token but its length.
bool carries_token(std::string_view authorization, std::string_view token);

}  // namespace millrace

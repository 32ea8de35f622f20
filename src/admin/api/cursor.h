// Where a page of a list ended, as text for the next request.
// Owned by: values. Thread: any.
// Holds:    any text may come back as a cursor: it's read, or refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "admin/api/error.h"

namespace millrace {

// What lists go on from. Each uses what it needs.
struct ApiCursor {
    uint32_t shard = 0;
    uint64_t place = 0;      // on that shard
    uint32_t number = 0;     // of what was taken at that place
    std::string after;       // a filter
};

std::string to_text(const ApiCursor& cursor);
// Of "query cursor"; without one the beginning.
ApiResult<ApiCursor> read_cursor(const std::optional<std::string>& text, uint32_t shard_count);

}  // namespace millrace

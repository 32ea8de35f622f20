// Tables of bodies and what the decoder says to each.
// Owned by: tests. Thread: any.
#pragma once

#include <doctest/doctest.h>

#include <initializer_list>
#include <string_view>

#include "codec/packet_io.h"
#include "codec/wire.h"

namespace millrace::mqtt {

struct VerdictRow {
    std::string_view what;
    std::string_view body;  // see wire()
    Reason reason;
};

inline void check_verdicts(Kind kind, std::initializer_list<VerdictRow> rows) {
    for (const VerdictRow& row : rows) {
        INFO(row.what);
        const Wire body = wire(row.body);
        CHECK(static_cast<int>(verdict(kind, body)) == static_cast<int>(row.reason));
    }
}

// A packet body has no length of its own, so a body that was cut short is wrong, never incomplete.
// `whole_at` are the lengths at which the cut leaves a legal short form.
inline void check_every_cut(Kind kind, std::string_view line,
                            std::initializer_list<size_t> whole_at = {}) {
    const Wire body = wire(line);
    REQUIRE(verdict(kind, body) == Reason::success);
    for (size_t bytes = 0; bytes < body.size(); ++bytes) {
        bool whole = false;
        for (const size_t at : whole_at) whole = whole || at == bytes;
        // A copy of the exact length, so that a sanitizer sees a read past it.
        const Wire cut(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(bytes));
        INFO(line << " cut to " << bytes);
        CHECK((verdict(kind, cut) == Reason::success) == whole);
    }
}

}  // namespace millrace::mqtt

// Tables and figures for a terminal.
// Owned by: nobody; pure functions. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::remote {

enum class Align : uint8_t { left, right };

struct Column {
    std::string_view title;
    Align align = Align::right;
};

// Columns as wide as their longest text, two spaces between them; no space at a line's end. Each
// line ends with a newline.
std::string render_table(const std::vector<Column>& columns,
                         const std::vector<std::vector<std::string>>& rows);

// How many places of a terminal a text takes, each character counted as one.
size_t places(std::string_view text);
// Cut to so many places, the last one a "~" then; filled with spaces up to them.
std::string fit(std::string_view text, size_t width, Align align = Align::left);

// "1,234,567", "+12", "-3"; a plus only where it's asked for.
std::string grouped(int64_t value, bool with_plus = false);
// "0 B", "+1.5 MiB", "-12 B".
std::string signed_bytes(int64_t bytes);
// Short, for narrow columns: "999", "1.2k", "34k", "5.6M".
std::string short_number(double value);
// The same by 1,024: "999", "1.2K", "34M", "5.6G".
std::string short_bytes(double bytes);
// "2026-11-30 12:00:00", UTC.
std::string time_text(double seconds_since_epoch);

}  // namespace millrace::remote

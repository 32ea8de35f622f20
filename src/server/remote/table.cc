#include "server/remote/table.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include <fmt/format.h>

#include "server/budget.h"

namespace millrace::remote {
namespace {

bool begins_character(char letter) { return (static_cast<unsigned char>(letter) & 0xc0) != 0x80; }

std::string shortened(double value, double step, std::string_view units) {
    size_t unit = 0;
    value = std::max(value, 0.0);
    while (value >= step * 0.9995 && unit < units.size()) {
        value /= step;
        ++unit;
    }
    if (unit == 0) {
        const bool is_small = value > 0 && value < 9.95 && std::abs(value - std::round(value)) > 0.05;
        return fmt::format("{:.{}f}", value, is_small ? 1 : 0);
    }
    return fmt::format("{:.{}f}{}", value, value < 9.95 ? 1 : 0, units[unit - 1]);
}

}  // namespace

size_t places(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string fit(std::string_view text, size_t width, Align align) {
    const size_t count = places(text);
    if (count <= width) {
        std::string room(width - count, ' ');
        return room.insert(align == Align::left ? 0 : room.size(), text);
    }
    std::string cut;
    size_t kept = 0;
    for (const char letter : text) {
        if (begins_character(letter) && ++kept >= width) break;
        cut += letter;
    }
    if (width > 0) cut += '~';
    return cut;
}

std::string render_table(const std::vector<Column>& columns,
                         const std::vector<std::vector<std::string>>& rows) {
    std::vector<size_t> widths;
    for (const Column& column : columns) widths.push_back(places(column.title));
    for (const std::vector<std::string>& row : rows) {
        for (size_t index = 0; index < columns.size(); ++index) {
            widths[index] = std::max(widths[index], places(row[index]));
        }
    }
    std::string out;
    const auto add = [&](auto&& text_of) {
        std::string line;
        for (size_t index = 0; index < columns.size(); ++index) {
            if (index > 0) line += "  ";
            line += fit(text_of(index), widths[index], columns[index].align);
        }
        while (line.ends_with(' ')) line.pop_back();
        out += line + "\n";
    };
    add([&](size_t index) { return std::string(columns[index].title); });
    for (const std::vector<std::string>& row : rows) {
        add([&](size_t index) { return row[index]; });
    }
    return out;
}

std::string grouped(int64_t value, bool with_plus) {
    const bool is_negative = value < 0;
    const uint64_t absolute =
        is_negative ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
    const std::string digits = std::to_string(absolute);
    std::string text = is_negative ? "-" : with_plus && value > 0 ? "+" : "";
    for (size_t index = 0; index < digits.size(); ++index) {
        if (index > 0 && (digits.size() - index) % 3 == 0) text += ',';
        text += digits[index];
    }
    return text;
}

std::string signed_bytes(int64_t bytes) {
    const uint64_t absolute =
        bytes < 0 ? ~static_cast<uint64_t>(bytes) + 1 : static_cast<uint64_t>(bytes);
    return fmt::format("{}{}", bytes < 0 ? "-" : bytes > 0 ? "+" : "", readable_bytes(absolute));
}

std::string short_number(double value) { return shortened(value, 1'000, "kMGTPE"); }
std::string short_bytes(double bytes) { return shortened(bytes, 1'024, "KMGTPE"); }

std::string time_text(double seconds_since_epoch) {
    // Far outside of what a calendar has it's nonsense.
    constexpr double year_9999 = 253'402'300'799.0;
    if (!(seconds_since_epoch >= 0 && seconds_since_epoch <= year_9999)) return "?";
    const auto time = static_cast<time_t>(seconds_since_epoch);
    tm parts{};
    ::gmtime_r(&time, &parts);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace millrace::remote

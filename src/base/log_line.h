// One line of the log: a time, a level, what happened, and fields `name=value`, as text or as JSON.
// Owned by: values on the stack of who logs. Nothing is allocated.
// Holds:    a line has at most 1,024 bytes and is valid UTF-8 (as JSON: one valid object), whatever
//           bytes a field has and wherever it had to be cut; then a field `cut` says so. A peer's
//           bytes can't forge a line, a field, or what a terminal does.
// Not here: levels, limits and writing (log.h).
//
//   2026-03-01T12:00:00.123456Z info    client closed shard=0 client="a b" reason=peer_reset
//   {"time":"2026-03-01T12:00:00.123456Z","level":"info","event":"client closed","shard":0,...}
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "base/json_text.h"
#include "millrace/config.h"

namespace millrace {

constexpr std::string_view log_level_name(LogLevel level) {
    switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
    }
    return "";
}

// Not defined: a word that breaks the rules below calls it, which stops the compiler.
void log_word_is_not_allowed();

// What happened, 1 to 40 lower case letters and spaces that stay the same for ever: filters name
// them. Checked by the compiler, so that nothing needs escaping.
class LogEvent {
public:
    consteval LogEvent(const char* text) : text_(text) {
        if (text_.empty() || text_.size() > 40) log_word_is_not_allowed();
        for (const char letter : text_) {
            if (letter != ' ' && (letter < 'a' || letter > 'z')) log_word_is_not_allowed();
        }
    }
    constexpr std::string_view text() const { return text_; }

private:
    std::string_view text_;
};

// The name of a field: 1 to 32 of a to z, 0 to 9 and '_', and none that every line has.
class LogName {
public:
    consteval LogName(const char* text) : text_(text) {
        if (text_.empty() || text_.size() > 32) log_word_is_not_allowed();
        for (const std::string_view own : {"time", "level", "event", "suppressed", "cut"}) {
            if (text_ == own) log_word_is_not_allowed();
        }
        for (const char letter : text_) {
            const bool is_letter = (letter >= 'a' && letter <= 'z') || letter == '_';
            if (!is_letter && (letter < '0' || letter > '9')) log_word_is_not_allowed();
        }
    }
    constexpr std::string_view text() const { return text_; }

private:
    std::string_view text_;
};

struct LogField {
    enum class Kind : uint8_t { text, natural, integer, boolean };

    std::string_view name;
    Kind kind;
    std::string_view text;  // borrowed until the call that logs returns
    uint64_t number = 0;    // an integer's two's complement
};

inline LogField field(LogName name, std::string_view text) {
    return {name.text(), LogField::Kind::text, text};
}
template <std::integral Number>
LogField field(LogName name, Number number) {
    const auto kind = std::same_as<Number, bool>  ? LogField::Kind::boolean
                      : std::signed_integral<Number> ? LogField::Kind::integer
                                                     : LogField::Kind::natural;
    return {name.text(), kind, {}, static_cast<uint64_t>(number)};
}

class LogLine {
public:
    static constexpr size_t bytes_max = 1'024;      // with the end of the line
    static constexpr size_t text_bytes_max = 512;   // of one field, so that others find room

    LogLine(LogFormat format, LogLevel level, std::chrono::system_clock::time_point now,
            LogEvent event)
        : is_json_(format == LogFormat::json) {
        namespace chrono = std::chrono;
        const auto day = chrono::floor<chrono::days>(now);
        const chrono::year_month_day date{day};
        const chrono::hh_mm_ss time{chrono::floor<chrono::microseconds>(now - day)};
        put(is_json_ ? "{\"time\":\"" : "");
        put_formatted("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                      time.hours().count(), time.minutes().count(), time.seconds().count(),
                      time.subseconds().count());
        put_formatted(is_json_ ? "\",\"level\":\"{}\",\"event\":\"{}\"" : " {:<7} {}",
                      log_level_name(level), event.text());
        head_bytes_ = used_;
    }

    // A text that doesn't fit is cut, anything else left out.
    void add(const LogField& field) {
        const size_t begin = used_;
        if (put_name(field.name) && put_value(field)) return;
        used_ = begin;
        is_cut_ = true;
    }
    // How many lines like this one were left out before it.
    void add_suppressed(uint64_t count) {
        add({"suppressed", LogField::Kind::natural, {}, count});
    }

    // The line with its end, valid as long as this object. Nothing is added afterwards.
    std::string_view finish() {
        room_end_ = bytes_max;
        if (is_cut_) put(is_json_ ? ",\"cut\":true" : " cut=true");
        put(is_json_ ? "}\n" : "\n");
        return {text_.data(), used_};
    }
    // Of a finished line of JSON: its fields as members of an object, without the braces.
    std::string_view fields() const {
        const size_t end = used_ - std::string_view("}\n").size();
        const size_t begin = std::min(head_bytes_ + 1, end);   // a comma stands before the first
        return {text_.data() + begin, end - begin};
    }

private:
    static constexpr size_t tail_bytes = std::string_view(",\"cut\":true}\n").size();

    bool put(std::string_view text) {
        if (text.size() > room_end_ - used_) return false;
        std::memcpy(text_.data() + used_, text.data(), text.size());
        used_ += text.size();
        return true;
    }
    template <class... Arguments>
    bool put_formatted(fmt::string_view format, const Arguments&... arguments) {
        std::array<char, 128> text;
        const auto result = fmt::vformat_to_n(text.data(), text.size(), format,
                                              fmt::make_format_args(arguments...));
        return put({text.data(), static_cast<size_t>(result.out - text.data())});
    }

    bool put_name(std::string_view name) {
        return is_json_ ? put(",\"") && put(name) && put("\":") : put(" ") && put(name) && put("=");
    }
    bool put_value(const LogField& field) {
        switch (field.kind) {
        case LogField::Kind::text: return put_text(field.text);
        case LogField::Kind::natural: return put_formatted("{}", field.number);
        case LogField::Kind::integer:
            return put_formatted("{}", static_cast<int64_t>(field.number));
        case LogField::Kind::boolean: return put(field.number != 0 ? "true" : "false");
        }
        return false;
    }

    // What reads as one word without quotation marks.
    static bool is_plain(std::string_view text) {
        for (const char letter : text) {
            if (letter <= ' ' || letter > '~' || letter == '"' || letter == '=' || letter == '\\') {
                return false;
            }
        }
        return !text.empty();
    }

    // In quotation marks a text is JSON's in both formats.
    bool put_text(std::string_view text) {
        const bool quotes = is_json_ || text.size() > text_bytes_max || !is_plain(text);
        if (!quotes) return put(text) || put_quoted(text);
        return put_quoted(text);
    }
    bool put_quoted(std::string_view text) {
        if (!put("\"") || used_ == room_end_) return false;
        const size_t end = std::min(used_ + text_bytes_max, room_end_ - 1);
        while (!text.empty()) {
            std::array<char, json_character_bytes_max> character;
            const char* written_end = write_json_character(character.data(), text);
            const std::string_view written(character.data(),
                                           static_cast<size_t>(written_end - character.data()));
            if (written.size() > end - used_) {
                is_cut_ = true;
                break;
            }
            put(written);
        }
        return put("\"");
    }

    std::array<char, bytes_max> text_;
    size_t used_ = 0;
    size_t head_bytes_ = 0;   // before the first field
    size_t room_end_ = bytes_max - tail_bytes;
    const bool is_json_;
    bool is_cut_ = false;
};

}  // namespace millrace

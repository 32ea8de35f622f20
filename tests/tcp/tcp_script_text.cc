#include "tcp_script_text.h"

#include <charconv>

#include <fmt/format.h>

namespace millrace::test {

namespace {

struct FlagName {
    char letter;
    uint8_t flag;
};
constexpr FlagName flag_names[] = {
    {'S', tcp_flag::syn}, {'F', tcp_flag::fin}, {'R', tcp_flag::rst}, {'P', tcp_flag::psh},
    {'U', tcp_flag::urg}, {'E', tcp_flag::ece}, {'C', tcp_flag::cwr}, {'.', tcp_flag::ack},
};

std::optional<uint8_t> parse_flags(std::string_view word) {
    uint8_t flags = 0;
    for (const char letter : word) {
        bool is_known = false;
        for (const FlagName& name : flag_names) {
            if (name.letter != letter) continue;
            flags |= name.flag;
            is_known = true;
        }
        if (!is_known) return std::nullopt;
    }
    return flags;
}

SegmentText::Range parse_range(std::string_view text) {
    const size_t middle = text.find(':');
    const int64_t begin = parse_number(text.substr(0, middle));
    if (middle == std::string_view::npos) return {begin, begin};
    return {begin, parse_number(text.substr(middle + 1))};
}

std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> words;
    for (size_t at = 0; at < text.size();) {
        const size_t begin = text.find_first_not_of(" \t,", at);
        if (begin == std::string_view::npos) break;
        size_t end = text.find_first_of(" \t,<>", begin);
        // Brackets are words of their own.
        if (end == begin) end = begin + 1;
        if (end == std::string_view::npos) end = text.size();
        words.emplace_back(text.substr(begin, end - begin));
        at = end;
    }
    return words;
}

// Reads a segment's words one after another.
class SegmentReader {
public:
    explicit SegmentReader(const std::vector<std::string>& words) : words_(words) {}

    SegmentText read() {
        read_flags();
        while (at_ < words_.size()) {
            const std::string& word = next();
            if (word == "ack") out_.ack = parse_number(next());
            else if (word == "win") out_.window = static_cast<uint32_t>(parse_number(next()));
            else if (word == "<") read_options();
            else read_range(word);
        }
        return out_;
    }

private:
    const std::string& next() {
        if (at_ == words_.size()) throw ScriptFault("the line ends too early");
        return words_[at_++];
    }
    void read_flags() {
        std::string_view word = next();
        if (word[0] == 'x') {
            out_.repeat = static_cast<uint32_t>(parse_number(word.substr(1)));
            word = next();
        }
        const std::optional<uint8_t> flags = parse_flags(word);
        if (!flags) throw ScriptFault(fmt::format("'{}' aren't flags", word));
        out_.flags = *flags;
    }
    void read_range(std::string_view word) {
        const size_t cut = word.find('/');
        out_.range = parse_range(word.substr(0, cut));
        if (cut == std::string_view::npos) return;
        out_.cut_bytes = static_cast<uint32_t>(parse_number(word.substr(cut + 1)));
    }
    void read_options() {
        out_.has_options = true;
        for (std::string_view word = next(); word != ">"; word = next()) {
            if (word == "mss") out_.mss = static_cast<uint16_t>(parse_number(next()));
            else if (word == "ws") out_.window_scale = static_cast<uint8_t>(parse_number(next()));
            else if (word == "sackOK") out_.sack_permitted = true;
            else if (word == "sack") out_.sack.push_back(parse_range(next()));
            else if (word == "ts") read_timestamps();
            else throw ScriptFault(fmt::format("'{}' isn't an option", word));
        }
    }
    void read_timestamps() {
        const int64_t value = parse_number(next());
        out_.timestamps = {value, parse_number(next())};
    }

    const std::vector<std::string>& words_;
    size_t at_ = 0;
    SegmentText out_;
};

bool is_time(std::string_view word) {
    return word[0] == '+' || (word[0] >= '0' && word[0] <= '9');
}

ScriptLine::Kind kind_of(std::string_view word) {
    if (word == "<") return ScriptLine::Kind::arrives;
    if (word == ">") return ScriptLine::Kind::leaves;
    if (word == "=") return ScriptLine::Kind::state;
    if (word == "!") return ScriptLine::Kind::action;
    throw ScriptFault(fmt::format("'{}' is none of < > = !", word));
}

ScriptLine parse_line(uint32_t number, std::string_view text) {
    ScriptLine line;
    line.number = number;
    line.text = text;
    std::vector<std::string> words = split_words(text);
    size_t at = 0;
    if (is_time(words[0])) {
        line.is_relative = words[0][0] == '+';
        line.at_ms = parse_number(std::string_view(words[0]).substr(line.is_relative ? 1 : 0));
        at = 1;
    }
    if (at + 1 >= words.size()) throw ScriptFault("there is nothing behind the time");
    line.kind = kind_of(words[at]);
    line.words.assign(words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
    if (line.kind == ScriptLine::Kind::arrives || line.kind == ScriptLine::Kind::leaves) {
        line.segment = parse_segment(line.words);
    }
    return line;
}

std::string flags_as_text(uint8_t flags) {
    std::string text;
    for (const FlagName& name : flag_names) {
        if ((flags & name.flag) != 0) text.push_back(name.letter);
    }
    return text.empty() ? "none" : text;
}

int32_t relative(SeqNumber seq, SeqNumber first) {
    return static_cast<int32_t>(seq.value - first.value);
}

std::string options_as_text(const TcpOptions& options, const Numbering& numbering) {
    std::string text;
    const auto add = [&](std::string_view option) {
        text += text.empty() ? "<" : ", ";
        text += option;
    };
    if (options.mss != 0) add(fmt::format("mss {}", options.mss));
    if (options.has_window_scale) add(fmt::format("ws {}", options.window_scale));
    if (options.sack_permitted) add("sackOK");
    if (options.has_timestamps) {
        add(fmt::format("ts {} {}",
                        static_cast<int32_t>(options.timestamp_value - numbering.own_clock),
                        static_cast<int32_t>(options.timestamp_echo - numbering.other_clock)));
    }
    for (uint32_t index = 0; index < options.sack_count; ++index) {
        const SeqRange& range = options.sack[index];
        add(fmt::format("sack {}:{}", relative(range.begin, numbering.other_first),
                        relative(range.end, numbering.other_first)));
    }
    return text.empty() ? text : " " + text + ">";
}

}  // namespace

int64_t parse_number(std::string_view text) {
    int64_t value = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end.ec != std::errc{} || end.ptr != text.data() + text.size()) {
        throw ScriptFault(fmt::format("'{}' isn't a number", text));
    }
    return value;
}

SegmentText parse_segment(const std::vector<std::string>& words) {
    return SegmentReader(words).read();
}

std::vector<ScriptLine> parse_script(std::string_view script) {
    std::vector<ScriptLine> lines;
    uint32_t number = 0;
    while (!script.empty()) {
        const size_t end = std::min(script.find('\n'), script.size());
        std::string_view text = script.substr(0, end);
        script.remove_prefix(std::min(end + 1, script.size()));
        ++number;
        text = text.substr(0, text.find('#'));
        const size_t first = text.find_first_not_of(" \t");
        if (first == std::string_view::npos) continue;
        text = text.substr(first, text.find_last_not_of(" \t") + 1 - first);
        try {
            lines.push_back(parse_line(number, text));
        } catch (const ScriptFault& fault) {
            throw ScriptFault(fmt::format("line {}, {}: {}", number, text, fault.what()));
        }
    }
    return lines;
}

std::string segment_as_text(const OutSegment& segment, const Numbering& numbering) {
    const int32_t begin = relative(segment.seq, numbering.own_first);
    std::string text = fmt::format("{} {}:{}", flags_as_text(segment.flags), begin,
                                   begin + int64_t{segment.payload_bytes});
    if (segment.has(tcp_flag::ack)) {
        text += fmt::format(" ack {}", relative(segment.ack, numbering.other_first));
    }
    return text + fmt::format(" win {}", segment.window) +
           options_as_text(segment.options, numbering);
}

}  // namespace millrace::test

// One JSON object in one line, built of `"name":value` pairs in their order.
// Owned by: values; one thread at a time.
// Not here: escaping names. Those that need it aren't for this.
#pragma once

#include <iterator>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/json_text.h"

namespace millrace {

class JsonLine {
public:
    // A number, a truth, or JSON as text.
    template <class Value>
    void add(std::string_view name, const Value& value) {
        fmt::format_to(std::back_inserter(text_), "{}\"{}\":{}", separator_, name, value);
        separator_ = ",";
    }
    void add_decimal(std::string_view name, double value, int decimals = 3) {
        add(name, fmt::format("{:.{}f}", value, decimals));
    }
    // Whatever is in it.
    void add_text(std::string_view name, std::string_view text) { add(name, json_text(text)); }
    std::string object() const { return "{" + text_ + "}"; }

private:
    std::string text_;
    std::string_view separator_;
};

}  // namespace millrace

#include "admin/exposition.h"

#include <iterator>

#include <fmt/format.h>

#include "base/assert.h"

namespace millrace {
namespace {

std::string_view without_ending(std::string_view name, std::string_view ending) {
    MR_ASSERT(name.ends_with(ending));
    name.remove_suffix(ending.size());
    return name;
}

void append_escaped(std::string& text, std::string_view value) {
    for (const char letter : value) {
        if (letter == '\\' || letter == '"') text += '\\';
        if (letter == '\n') {
            text += "\\n";
        } else {
            text += letter;
        }
    }
}

}  // namespace

void Exposition::head(std::string_view family, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(text_), "# HELP {0} {2}\n# TYPE {0} {1}\n", family, type,
                   help);
}

void Exposition::family(std::string_view name, MetricKind kind, std::string_view help) {
    name_ = name;
    if (kind == MetricKind::gauge) return head(name, "gauge", help);
    const std::string_view base = without_ending(name, "_total");
    head(format_ == ExpositionFormat::open_metrics ? base : name, "counter", help);
}

void Exposition::info(std::string_view name, std::string_view help,
                      std::span<const MetricLabel> labels) {
    name_ = name;
    const std::string_view base = without_ending(name, "_info");
    if (format_ == ExpositionFormat::open_metrics) {
        head(base, "info", help);
    } else {
        head(name, "gauge", help);
    }
    sample_text(labels, "1");
}

void Exposition::sample(std::span<const MetricLabel> labels, uint64_t value) {
    sample_text(labels, fmt::format("{}", value));
}

void Exposition::sample(std::span<const MetricLabel> labels, double value) {
    sample_text(labels, fmt::format("{:.6f}", value));
}

void Exposition::histogram_family(std::string_view name, std::string_view help) {
    name_ = name;
    head(name, "histogram", help);
}

// A bound and a whole number of seconds look alike in both formats: decimals, always.
void Exposition::histogram(std::string_view shard, const HistogramView& view,
                           std::span<const uint64_t> bounds, double unit, double sum) {
    for (const uint64_t bound : bounds) {
        const std::string text = fmt::format("{:.6f}", static_cast<double>(bound) * unit);
        const MetricLabel labels[] = {{"shard", shard}, {"le", text}};
        sample_text(labels, fmt::format("{}", view.count_up_to(bound)), "_bucket");
    }
    const std::string count = fmt::format("{}", view.count());
    const MetricLabel all[] = {{"shard", shard}, {"le", "+Inf"}};
    sample_text(all, count, "_bucket");
    const MetricLabel labels[] = {{"shard", shard}};
    sample_text(labels, fmt::format("{:.6f}", sum), "_sum");
    sample_text(labels, count, "_count");
}

void Exposition::sample_text(std::span<const MetricLabel> labels, std::string_view value,
                             std::string_view ending) {
    text_ += name_;
    text_ += ending;
    char separator = '{';
    for (const MetricLabel& label : labels) {
        if (label.name.empty()) continue;
        text_ += separator;
        text_ += label.name;
        text_ += "=\"";
        append_escaped(text_, label.value);
        text_ += '"';
        separator = ',';
    }
    if (separator == ',') text_ += '}';
    text_ += ' ';
    text_ += value;
    text_ += '\n';
}

std::string Exposition::finish() {
    if (format_ == ExpositionFormat::open_metrics) text_ += "# EOF\n";
    return std::move(text_);
}

}  // namespace millrace

// Metrics as text, in the two formats that Prometheus reads.
// Owned by: values; one thread.
// Holds:    the rules that the formats share are kept by construction: a family's name, help and
//           type stand once, before its samples; label values are escaped.
// Source:   "Exposition formats", text format 0.0.4 (prometheus.io/docs/instrumenting); OpenMetrics
//           1.0 (github.com/OpenObservability/OpenMetrics), where a counter's family has its name
//           without "_total", and the text ends in "# EOF".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "broker/counter_table.h"
#include "runtime/coarse_histogram.h"

namespace millrace {

enum class ExpositionFormat : uint8_t { prometheus, open_metrics };

struct MetricLabel {
    std::string_view name;
    std::string_view value;  // any bytes of UTF-8
};

class Exposition {
public:
    explicit Exposition(ExpositionFormat format) : format_(format) {}

    // What follows belongs to it. A counter's name ends in "_total".
    void family(std::string_view name, MetricKind kind, std::string_view help);
    void sample(std::span<const MetricLabel> labels, uint64_t value);
    void sample(std::span<const MetricLabel> labels, double value);
    // A family with one sample without labels.
    template <class Value>
    void single(std::string_view name, MetricKind kind, std::string_view help, Value value) {
        family(name, kind, help);
        sample({}, value);
    }
    // A histogram of one label set: `bounds` are in units of `unit` each, and in a family of
    // seconds they are seconds. Bounds where no counter ends would be off; powers of two are fine.
    void histogram_family(std::string_view name, std::string_view help);
    void histogram(std::string_view shard, const HistogramView& view,
                   std::span<const uint64_t> bounds, double unit, double sum);
    // The value of a fact is 1, its labels say it. The name ends in "_info".
    void info(std::string_view name, std::string_view help, std::span<const MetricLabel> labels);

    std::string finish();

private:
    void head(std::string_view family, std::string_view type, std::string_view help);
    void sample_text(std::span<const MetricLabel> labels, std::string_view value,
                     std::string_view ending = {});

    const ExpositionFormat format_;
    std::string_view name_;  // of the family's samples
    std::string text_;
};

}  // namespace millrace

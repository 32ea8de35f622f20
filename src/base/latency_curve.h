// A histogram's distribution as points to draw: denser towards the end, where it matters.
// Owned by: values. Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/histogram.h"

namespace millrace {

struct LatencyPoint {
    double percent = 0;
    int64_t latency_ns = 0;  // what that many percent don't exceed
};

// The percents of a curve, in thousandths: 0, 1, 2 and 5; every fifth from 10; from 90 on a step is
// a tenth of what is left to 100, and again from 99, 99.9 and 99.99.
inline constexpr std::array<uint32_t, 58> curve_thousandths = [] {
    std::array<uint32_t, 58> points{0, 1'000, 2'000, 5'000};
    size_t count = 4;
    uint32_t at = 10'000;
    for (; at < 90'000; at += 5'000) points[count++] = at;
    for (uint32_t step = 1'000; step > 0; step /= 10) {
        for (uint32_t tenth = 0; tenth < 9; ++tenth, at += step) points[count++] = at;
    }
    points[count++] = at;
    points[count++] = 100'000;
    return points;
}();
static_assert(curve_thousandths[56] == 99'999 && curve_thousandths[57] == 100'000);

// From (0, min) to (100, max), neither coordinate ever falling. Empty without values.
inline std::vector<LatencyPoint> latency_curve(const Histogram& histogram) {
    std::vector<LatencyPoint> curve;
    if (histogram.count() == 0) return curve;
    curve.reserve(curve_thousandths.size());
    for (const uint32_t thousandths : curve_thousandths) {
        const double percent = thousandths / 1'000.0;
        // percentile(0) would be the end of the smallest value's counter.
        curve.push_back(
            {percent, thousandths == 0 ? histogram.min() : histogram.percentile(percent)});
    }
    return curve;
}

// [[percent,latency],...], in units of so many nanoseconds.
inline std::string curve_json(const std::vector<LatencyPoint>& curve, double unit_ns) {
    std::string text = "[";
    for (const LatencyPoint& point : curve) {
        if (text.size() > 1) text += ",";
        fmt::format_to(std::back_inserter(text), "[{},{:.3f}]", point.percent,
                       static_cast<double>(point.latency_ns) / unit_ns);
    }
    return text + "]";
}

}  // namespace millrace

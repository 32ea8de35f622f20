#include "admin/metrics.h"

#include <array>
#include <string>

#include "admin/loop_json.h"
#include "millrace/version.h"

namespace millrace {
namespace {

using Shards = std::vector<ShardFigures>;
// Made once: a label borrows its text.
using Names = std::vector<std::string>;

template <class Rows, class Figures>
void add_counters(Exposition& out, const Shards& shards, const Names& names, const Rows& rows,
                  const Figures* ShardFigures::*part) {
    std::string_view family;
    for (const auto& row : rows) {
        const Metric& metric = row.metric;
        if (metric.name != family) out.family(metric.name, metric.kind, metric.help);
        family = metric.name;
        for (size_t index = 0; index < shards.size(); ++index) {
            const MetricLabel labels[] = {{"shard", names[index]},
                                          {metric.label, metric.label_value}};
            out.sample(labels, (*(shards[index].*part).*row.counter).read());
        }
    }
}

void add_ledgers(Exposition& out, const Shards& shards, const Names& names, std::string_view name,
                 std::string_view help, Counter LedgerLine::*column) {
    out.family(name, MetricKind::gauge, help);
    for (size_t index = 0; index < shards.size(); ++index) {
        shards[index].ledger->for_each([&](const LedgerLine& line) {
            const MetricLabel labels[] = {{"shard", names[index]}, {"class", line.name}};
            out.sample(labels, (line.*column).read());
        });
    }
}

void add_memory(Exposition& out, const AdminSubject& subject, const Names& names) {
    const Shards& shards = subject.shards();
    add_ledgers(out, shards, names, "millrace_memory_objects",
                "Objects alive, by class. An object may stand in a class of its kind and in one of "
                "its length.",
                &LedgerLine::objects);
    add_ledgers(out, shards, names, "millrace_memory_bytes",
                "Bytes of objects alive, by class, which overlap as the objects do.",
                &LedgerLine::bytes);
    add_ledgers(out, shards, names, "millrace_memory_reserved_bytes",
                "Bytes that a class holds, free objects included. The sum is what is taken.",
                &LedgerLine::reserved_bytes);
    out.single("millrace_shard_memory_max_bytes", MetricKind::gauge,
               "Bytes that each shard may take.", subject.shard_memory_bytes_max());
}

void add_shards(Exposition& out, const AdminSubject& subject, const Names& names) {
    out.single("millrace_shards", MetricKind::gauge, "Shards of the server.",
               uint64_t{names.size()});
    out.single("millrace_shard_connections_max", MetricKind::gauge,
               "Connections that each shard may have.", subject.shard_connections_max());
    out.family("millrace_shard_cpu_seconds_total", MetricKind::counter,
               "Processor time of a shard's thread.");
    for (uint32_t index = 0; index < names.size(); ++index) {
        const std::optional<Duration> time = subject.processor_time(index);
        const MetricLabel labels[] = {{"shard", names[index]}};
        if (time) out.sample(labels, time->seconds());
    }
}

struct Histogram {
    std::string_view name;
    std::string_view help;
    HistogramView (*view_of)(const ShardFigures&);
    std::span<const uint64_t> bounds;
    double unit;        // of a bound
    double sum_unit;    // of the sum
};

// Microseconds, from 8 to a second; and how many.
constexpr std::array<uint64_t, 18> duration_bounds = [] {
    std::array<uint64_t, 18> bounds{};
    for (size_t index = 0; index < bounds.size(); ++index) bounds[index] = uint64_t{8} << index;
    return bounds;
}();
constexpr std::array<uint64_t, 12> count_bounds = {1,  2,   4,   8,     16,    32,
                                                   64, 128, 512, 1'024, 4'096, 16'384};

constexpr Histogram histograms[] = {
    {"millrace_loop_turn_seconds",
     "Turns of a shard's loop that had something to do, from the wait before to the wait after.",
     [](const ShardFigures& shard) { return shard.loop->turn.view(); }, duration_bounds, 1e-6, 1e-9},
    {"millrace_loop_turn_events", "Network events in a turn of a shard's loop, where any were.",
     [](const ShardFigures& shard) { return shard.loop->events.view(); }, count_bounds, 1, 1},
    {"millrace_loop_turn_mails", "Mails of other shards in a turn of a shard's loop, where any were.",
     [](const ShardFigures& shard) { return shard.loop->mails.view(); }, count_bounds, 1, 1},
    {"millrace_delivery_seconds",
     "From the receipt of a PUBLISH to its hand-over to the network by a shard with receivers.",
     [](const ShardFigures& shard) { return shard.delivery->view(); }, duration_bounds, 1e-6, 1e-9},
};

void add_histograms(Exposition& out, const Shards& shards, const Names& names) {
    for (const Histogram& histogram : histograms) {
        out.histogram_family(histogram.name, histogram.help);
        for (size_t index = 0; index < shards.size(); ++index) {
            const HistogramView view = histogram.view_of(shards[index]);
            out.histogram(names[index], view, histogram.bounds, histogram.unit,
                          static_cast<double>(view.sum) * histogram.sum_unit);
        }
    }
}

void add_loop_counter(Exposition& out, const Shards& shards, const Names& names,
                      std::string_view name, std::string_view help, Counter LoopFigures::*counter) {
    out.family(name, MetricKind::counter, help);
    for (size_t index = 0; index < shards.size(); ++index) {
        const MetricLabel labels[] = {{"shard", names[index]}};
        out.sample(labels, (shards[index].loop->*counter).read());
    }
}

// A gauge of the last ten to twenty minutes, so that a spike at the start doesn't stand for ever.
void add_loop(Exposition& out, const Shards& shards, const Names& names) {
    add_loop_counter(out, shards, names, "millrace_loop_turns_total",
                     "Turns of a shard's loop, those that only looked for work included.",
                     &LoopFigures::turns);
    add_loop_counter(out, shards, names, "millrace_loop_sleeps_total",
                     "Turns of a shard's loop that waited.", &LoopFigures::sleeps);
    out.family("millrace_loop_longest_stall_seconds", MetricKind::gauge,
               "The longest turn of a shard's loop within the last ten to twenty minutes.");
    for (size_t index = 0; index < shards.size(); ++index) {
        const MetricLabel labels[] = {{"shard", names[index]}};
        const std::optional<Stall> stall = recent_stall(*shards[index].loop);
        out.sample(labels, stall ? stall->length.seconds() : 0.0);
    }
    add_histograms(out, shards, names);
}

void add_process(Exposition& out, const ProcessFigures& process) {
    out.single("process_cpu_seconds_total", MetricKind::counter,
               "Processor time of the whole process.", process.processor_seconds);
    out.single("process_resident_memory_bytes", MetricKind::gauge, "Resident memory.",
               process.resident_bytes);
    out.single("process_virtual_memory_bytes", MetricKind::gauge, "Mapped memory.",
               process.virtual_bytes);
    out.single("process_open_fds", MetricKind::gauge,
               "File descriptors in use. Connections have none: rings keep their own tables.",
               process.open_files);
    out.single("process_max_fds", MetricKind::gauge, "The limit of open file descriptors.",
               process.open_files_max);
    out.single("process_start_time_seconds", MetricKind::gauge,
               "When the process started, since the epoch.", process.start_time_seconds);
}

}  // namespace

std::string render_metrics(const AdminSubject& subject, const ProcessFigures& process,
                           ExpositionFormat format) {
    const Shards& shards = subject.shards();
    Names names;
    for (size_t index = 0; index < shards.size(); ++index) names.push_back(std::to_string(index));
    Exposition out(format);
    const MetricLabel build[] = {{"version", MILLRACE_VERSION}, {"network", subject.network()}};
    out.info("millrace_build_info", "What runs.", build);
    out.single("millrace_ready", MetricKind::gauge,
               "1 while the server takes newcomers: between its start and its end or drain.",
               uint64_t{subject.state() == ServiceState::serving ? 1u : 0u});
    add_shards(out, subject, names);
    add_counters(out, shards, names, broker_counter_rows, &ShardFigures::broker);
    add_counters(out, shards, names, transport_counter_rows, &ShardFigures::transport);
    add_loop(out, shards, names);
    add_memory(out, subject, names);
    add_process(out, process);
    return out.finish();
}

}  // namespace millrace

#include "load/report.h"

#include <iterator>

#include <fmt/format.h>

#include "base/json_line.h"

namespace millrace {
namespace {

const char* mode_name(LoadMode mode) {
    switch (mode) {
    case LoadMode::connect: return "connect";
    case LoadMode::fanout: return "fanout";
    case LoadMode::fanin: return "fanin";
    case LoadMode::pair: return "pair";
    case LoadMode::storm: return "storm";
    }
    return "";
}

double milliseconds(int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

double per_second(uint64_t count, Duration duration) {
    return duration.nanoseconds <= 0 ? 0 : static_cast<double>(count) / duration.seconds();
}

double megabytes_per_second(const LoadReport& report) {
    const LoadMessages& messages = *report.messages;
    return per_second(messages.delivered * report.payload_bytes, messages.duration) / 1e6;
}

// What the processor time was spent on.
uint64_t work_count(const LoadReport& report) {
    return report.messages ? report.messages->delivered : report.totals.accepted;
}

double work_per_processor_second(const LoadReport& report) {
    const double seconds = report.server->processor_seconds();
    return seconds <= 0 ? 0 : static_cast<double>(work_count(report)) / seconds;
}

double memory_per_connection(const LoadReport& report) {
    const uint64_t connected = report.rounds.empty() ? 0 : report.rounds.front().connected;
    if (connected == 0) return 0;
    return static_cast<double>(report.server->memory_growth_bytes) /
           static_cast<double>(connected);
}

void add_latency(JsonLine& line, std::string_view what, const LatencySummary& latency) {
    const auto named = [&](std::string_view part) { return fmt::format("{}_{}", what, part); };
    line.add_decimal(named("min_ms"), milliseconds(latency.min_ns));
    line.add_decimal(named("p50_ms"), milliseconds(latency.p50_ns));
    line.add_decimal(named("p99_ms"), milliseconds(latency.p99_ns));
    line.add_decimal(named("p999_ms"), milliseconds(latency.p999_ns));
    line.add_decimal(named("max_ms"), milliseconds(latency.max_ns));
    line.add(named("curve"), curve_json(latency.curve, 1e6));
}

std::string latency_text(const LatencySummary& latency) {
    return fmt::format("p50 {:.3f} ms, p99 {:.3f} ms, p99.9 {:.3f} ms, max {:.3f} ms",
                       milliseconds(latency.p50_ns), milliseconds(latency.p99_ns),
                       milliseconds(latency.p999_ns), milliseconds(latency.max_ns));
}

void add_rounds(std::string& text, const LoadReport& report) {
    auto out = std::back_inserter(text);
    for (size_t index = 0; index < report.rounds.size(); ++index) {
        const LoadRound& round = report.rounds[index];
        if (report.rounds.size() > 1) fmt::format_to(out, "round {}: ", index + 1);
        fmt::format_to(out, "last CONNACK after {:.3f} s, {:.0f} connects/s",
                       round.time_to_last_connack.seconds(),
                       per_second(round.connected, round.time_to_last_connack));
        if (round.sessions_resumed != 0) {
            fmt::format_to(out, ", sessions resumed {}", round.sessions_resumed);
        }
        text += "\n";
        fmt::format_to(out, "  CONNACK latency {}\n", latency_text(round.connack_latency));
    }
}

void add_messages(std::string& text, const LoadReport& report) {
    const LoadMessages& messages = *report.messages;
    const LoadTotals& totals = report.totals;
    auto out = std::back_inserter(text);
    fmt::format_to(out, "published {}", messages.published);
    if (messages.planned != 0) fmt::format_to(out, " of {}", messages.planned);
    fmt::format_to(out, " messages of {} bytes at QoS {} (after {} to warm up)\n",
                   report.payload_bytes, report.qos, messages.warmup_published);
    fmt::format_to(out,
                   "delivered {} of {} (lost {}, duplicates {}, out of order {}, corrupt {})\n",
                   messages.delivered, messages.expected, messages.lost, totals.duplicates,
                   totals.late, totals.corrupt);
    if (report.qos > 0) {
        fmt::format_to(out, "unacknowledged {}, refused publishes {}\n", messages.unacknowledged,
                       totals.publishes_refused);
    }
    fmt::format_to(out,
                   "{:.0f} deliveries/s, {:.1f} MB/s of payload, {:.0f} publishes/s in {:.3f} s\n",
                   per_second(messages.delivered, messages.duration),
                   megabytes_per_second(report),
                   per_second(messages.published, messages.duration),
                   messages.duration.seconds());
    fmt::format_to(out, "delivery latency {}\n", latency_text(messages.latency));
}

void add_messages_json(JsonLine& line, const LoadReport& report) {
    const LoadMessages& messages = *report.messages;
    line.add("qos", report.qos);
    line.add("payload_bytes", report.payload_bytes);
    line.add("warmup_published_count", messages.warmup_published);
    line.add("planned_count", messages.planned);
    line.add("published_count", messages.published);
    line.add("expected_count", messages.expected);
    line.add("delivered_count", messages.delivered);
    line.add("lost_count", messages.lost);
    line.add("duplicate_count", report.totals.duplicates);
    line.add("out_of_order_count", report.totals.late);
    line.add("corrupt_count", report.totals.corrupt);
    line.add("unacknowledged_count", messages.unacknowledged);
    line.add("publish_refused_count", report.totals.publishes_refused);
    line.add_decimal("measured_s", messages.duration.seconds());
    line.add_decimal("deliveries_per_s", per_second(messages.delivered, messages.duration));
    line.add_decimal("publishes_per_s", per_second(messages.published, messages.duration));
    line.add_decimal("payload_mb_per_s", megabytes_per_second(report));
    add_latency(line, "delivery_latency", messages.latency);
}

std::string rounds_json(const LoadReport& report) {
    std::string text = "[";
    for (const LoadRound& round : report.rounds) {
        JsonLine line;
        line.add("connected_count", round.connected);
        line.add("sessions_resumed_count", round.sessions_resumed);
        line.add_decimal("last_connack_s", round.time_to_last_connack.seconds());
        line.add_decimal("connects_per_s",
                         per_second(round.connected, round.time_to_last_connack));
        add_latency(line, "connack_latency", round.connack_latency);
        if (text.size() > 1) text += ",";
        text += line.object();
    }
    return text + "]";
}

}  // namespace

LatencySummary LatencySummary::of(const Histogram& histogram) {
    return {
        .min_ns = histogram.min(),
        .p50_ns = histogram.percentile(50),
        .p99_ns = histogram.percentile(99),
        .p999_ns = histogram.percentile(99.9),
        .max_ns = histogram.max(),
        .curve = latency_curve(histogram),
    };
}

bool LoadReport::succeeded() const {
    if (timed_out || totals.ready != connections_planned || totals.lost != 0) return false;
    if (totals.protocol_errors != 0 || totals.corrupt != 0) return false;
    if (mode == LoadMode::connect || mode == LoadMode::storm) return true;
    if (!messages || interrupted) return false;
    if (messages->planned != 0 && messages->published != messages->planned) return false;
    if (totals.duplicates != 0 && qos != 1) return false;  // QoS 1 allows them (4.3.2)
    return messages->lost == 0 && messages->unacknowledged == 0 && totals.late == 0 &&
           totals.publishes_refused == 0;
}

std::string LoadReport::to_text() const {
    std::string text;
    auto out = std::back_inserter(text);
    fmt::format_to(out, "{}: connected {} of {} (refused {}, lost {}", mode_name(mode),
                   totals.ready, connections_planned, totals.refused, totals.lost);
    if (totals.resumed != 0) fmt::format_to(out, ", sessions resumed {}", totals.resumed);
    fmt::format_to(out, ")\n");
    add_rounds(text, *this);
    if (messages) add_messages(text, *this);
    if (totals.protocol_errors != 0) {
        fmt::format_to(out, "protocol errors {}\n", totals.protocol_errors);
    }
    if (totals.pings_sent != 0) {
        fmt::format_to(out, "pings {}, answered {}\n", totals.pings_sent, totals.pings_answered);
    }
    if (server) {
        fmt::format_to(out, "broker: {:.2f} CPU s, {:.0f} {}/CPU s, {:.0f} bytes/connection\n",
                       server->processor_seconds(), work_per_processor_second(*this),
                       messages ? "deliveries" : "connects", memory_per_connection(*this));
        fmt::format_to(out, "machine: {:.2f} s in softirqs\n", server->softirq_seconds);
    }
    if (interrupted) text += "interrupted\n";
    if (timed_out) text += "timed out: not everything came to an end\n";
    text += succeeded() ? "ok\n" : "FAILED\n";
    return text;
}

std::string LoadReport::to_json() const {
    JsonLine line;
    line.add_text("mode", mode_name(mode));
    line.add("ok", succeeded());
    line.add("interrupted", interrupted);
    line.add("timed_out", timed_out);
    line.add("connections_planned_count", connections_planned);
    line.add("connected_count", totals.ready);
    line.add("refused_count", totals.refused);
    line.add("lost_connection_count", totals.lost);
    line.add("sessions_resumed_count", totals.resumed);
    line.add("protocol_error_count", totals.protocol_errors);
    line.add("pings_sent_count", totals.pings_sent);
    line.add("pings_answered_count", totals.pings_answered);
    line.add("rounds", rounds_json(*this));
    if (messages) add_messages_json(line, *this);
    if (server) {
        line.add_decimal("server_cpu_s", server->processor_seconds());
        line.add_decimal("server_cpu_user_s", server->user_seconds);
        line.add_decimal("server_cpu_system_s", server->system_seconds);
        line.add_decimal("softirq_s", server->softirq_seconds);
        line.add_decimal(messages ? "deliveries_per_server_cpu_s" : "connects_per_server_cpu_s",
                         work_per_processor_second(*this));
        line.add("server_memory_growth_bytes", server->memory_growth_bytes);
        line.add_decimal("server_memory_bytes_per_connection", memory_per_connection(*this));
    }
    return line.object() + "\n";
}

}  // namespace millrace

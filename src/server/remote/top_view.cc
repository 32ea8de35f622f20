#include "server/remote/top_view.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "server/remote/json.h"
#include "server/remote/table.h"

namespace millrace::remote {
namespace {

// What a second brought to one shard, or to all. Nullopt: there's no sample before.
struct Rates {
    double opened = 0;
    double closed = 0;
    double failed = 0;
    double timeouts = 0;
    double received = 0;
    double sent = 0;
    double dropped = 0;
    double received_bytes = 0;
    double sent_bytes = 0;
    double cpu = 0;   // of a core

    void add(const Rates& other) {
        for (double Rates::*part :
             {&Rates::opened, &Rates::closed, &Rates::failed, &Rates::timeouts, &Rates::received,
              &Rates::sent, &Rates::dropped, &Rates::received_bytes, &Rates::sent_bytes,
              &Rates::cpu}) {
            this->*part += other.*part;
        }
    }
};

struct ShardRow {
    ShardSample now;
    Rates rates;
    Buckets turn_us;      // since the sample before
};

struct Screen {
    std::vector<ShardRow> shards;
    ShardSample total;    // of what is now
    Rates rates;
    Buckets delivery_us;
    bool has_rates = false;
};

double rate(uint64_t before, uint64_t now, double seconds) {
    return now <= before ? 0 : static_cast<double>(now - before) / seconds;
}

Rates rates_of(const ShardSample& before, const ShardSample& now, double seconds) {
    Rates rates;
    rates.opened = rate(before.opened, now.opened, seconds);
    rates.closed = rate(before.closed, now.closed, seconds);
    rates.failed = rate(before.failed, now.failed, seconds);
    rates.timeouts = rate(before.timeouts, now.timeouts, seconds);
    rates.received = rate(before.received, now.received, seconds);
    rates.sent = rate(before.sent, now.sent, seconds);
    rates.dropped = rate(before.dropped, now.dropped, seconds);
    rates.received_bytes = rate(before.received_bytes, now.received_bytes, seconds);
    rates.sent_bytes = rate(before.sent_bytes, now.sent_bytes, seconds);
    rates.cpu = std::max(0.0, now.cpu_seconds - before.cpu_seconds) / seconds;
    return rates;
}

void add_counts(ShardSample& total, const ShardSample& shard) {
    for (uint64_t ShardSample::*part :
         {&ShardSample::connected, &ShardSample::active, &ShardSample::idle,
          &ShardSample::sessions, &ShardSample::subscriptions, &ShardSample::retained_messages,
          &ShardSample::retained_bytes, &ShardSample::waiting, &ShardSample::mail_bytes,
          &ShardSample::objects_bytes, &ShardSample::reserved_bytes}) {
        total.*part += shard.*part;
    }
}

Screen compare(const TopSample* before, const TopSample& now) {
    const bool is_same =
        before != nullptr && std::abs(before->started - now.started) < 10 && now.time > before->time;
    const double seconds = is_same ? now.time - before->time : 1;
    Screen screen{.has_rates = is_same};
    for (size_t index = 0; index < now.shards.size(); ++index) {
        const ShardSample& shard = now.shards[index];
        const bool is_known = is_same && index < before->shards.size();
        const ShardSample& old = is_known ? before->shards[index] : shard;
        ShardRow row{shard, rates_of(old, shard, seconds),
                     is_known ? since(old.turn_us, shard.turn_us) : Buckets()};
        if (is_known) {
            for (const auto& [bound, count] : since(old.delivery_us, shard.delivery_us)) {
                screen.delivery_us[bound] += count;
            }
        }
        add_counts(screen.total, shard);
        screen.rates.add(row.rates);
        screen.shards.push_back(std::move(row));
    }
    return screen;
}

void sort_shards(std::vector<ShardRow>& shards, TopOrder order) {
    const auto weight = [order](const ShardRow& row) -> double {
        switch (order) {
        case TopOrder::shard:     return 0;
        case TopOrder::connected: return static_cast<double>(row.now.connected);
        case TopOrder::received:  return row.rates.received;
        case TopOrder::sent:      return row.rates.sent;
        case TopOrder::dropped:   return row.rates.dropped;
        case TopOrder::cpu:       return row.rates.cpu;
        }
        return 0;
    };
    std::stable_sort(shards.begin(), shards.end(), [&](const ShardRow& left, const ShardRow& right) {
        return weight(left) > weight(right);
    });
}

std::string uptime(double seconds) {
    if (!(seconds >= 0 && seconds < 1e10)) return "?";
    const auto whole = static_cast<int64_t>(seconds);
    const int64_t days = whole / 86'400;
    return fmt::format("{}{:02}:{:02}:{:02}", days > 0 ? fmt::format("{}d ", days) : "",
                       whole / 3'600 % 24, whole / 60 % 60, whole % 60);
}

std::string count_text(uint64_t count) { return short_number(static_cast<double>(count)); }
std::string bytes_text(uint64_t bytes) { return short_bytes(static_cast<double>(bytes)); }

std::string time_or_dash(const Buckets& buckets, double of_hundred) {
    const std::optional<uint64_t> us = percentile(buckets, of_hundred);
    return us ? short_time(*us) : "-";
}

std::vector<ScreenLine> totals(const TopSample& now, const Screen& screen) {
    const ShardSample& total = screen.total;
    const Rates& rates = screen.rates;
    const auto per_second = [&](double value) {
        return screen.has_rates ? short_number(value) : std::string("-");
    };
    const auto bytes_per_second = [&](double value) {
        return screen.has_rates ? short_bytes(value) : std::string("-");
    };
    std::vector<ScreenLine> lines;
    lines.push_back({fmt::format("millrace {}  {}  {}  up {}  {} shard{}  {} UTC",
                                 printable(now.version), printable(now.network),
                                 printable(now.state), uptime(now.time - now.started),
                                 now.shards.size(), now.shards.size() == 1 ? "" : "s",
                                 time_text(now.time)),
                     true});
    lines.push_back({fmt::format("clients   {} connected ({} active, {} idle), {} sessions, {} "
                                 "subscriptions",
                                 count_text(total.connected), count_text(total.active),
                                 count_text(total.idle), count_text(total.sessions),
                                 count_text(total.subscriptions))});
    lines.push_back({fmt::format("a second  {} new, {} closed, {} failed, {} timed out",
                                 per_second(rates.opened), per_second(rates.closed),
                                 per_second(rates.failed), per_second(rates.timeouts))});
    lines.push_back({fmt::format("messages  in {}/s ({}B), out {}/s ({}B), dropped {}/s; {} wait",
                                 per_second(rates.received), bytes_per_second(rates.received_bytes),
                                 per_second(rates.sent), bytes_per_second(rates.sent_bytes),
                                 per_second(rates.dropped), count_text(total.waiting))});
    lines.push_back({fmt::format("delivery  p50 {}, p90 {}, p99 {}, p99.9 {}; {}B of mail",
                                 time_or_dash(screen.delivery_us, 50),
                                 time_or_dash(screen.delivery_us, 90),
                                 time_or_dash(screen.delivery_us, 99),
                                 time_or_dash(screen.delivery_us, 99.9),
                                 bytes_text(total.mail_bytes))});
    lines.push_back({fmt::format("memory    {}B used of {}B, {}B resident, kernel {}B; {} retained ({}B)",
                                 bytes_text(total.objects_bytes), bytes_text(total.reserved_bytes),
                                 bytes_text(now.resident_bytes), bytes_text(now.kernel_bytes),
                                 count_text(total.retained_messages),
                                 bytes_text(total.retained_bytes))});
    return lines;
}

struct ShardColumn {
    std::string_view title;
    uint32_t width;
    std::optional<TopOrder> order;
    std::string (*text)(const ShardRow&, bool has_rates);
};

template <double Rates::*Part>
std::string rate_text(const ShardRow& row, bool has_rates) {
    return has_rates ? short_number(row.rates.*Part) : "-";
}

// 80 places together, with a space between them. A title has room for the mark of the order.
constexpr ShardColumn shard_columns[] = {
    {"SHARD", 6, TopOrder::shard,
     [](const ShardRow& row, bool) { return std::to_string(row.now.shard); }},
    {"CONN", 5, TopOrder::connected,
     [](const ShardRow& row, bool) { return count_text(row.now.connected); }},
    {"ACT", 5, {}, [](const ShardRow& row, bool) { return count_text(row.now.active); }},
    {"NEW/s", 5, {}, rate_text<&Rates::opened>},
    {"END/s", 5, {}, rate_text<&Rates::closed>},
    {"ERR/s", 5, {}, rate_text<&Rates::failed>},
    {"T-O/s", 5, {}, rate_text<&Rates::timeouts>},
    {"IN/s", 5, TopOrder::received, rate_text<&Rates::received>},
    {"OUT/s", 6, TopOrder::sent, rate_text<&Rates::sent>},
    {"DRP/s", 6, TopOrder::dropped, rate_text<&Rates::dropped>},
    {"QUEUE", 5, {}, [](const ShardRow& row, bool) { return count_text(row.now.waiting); }},
    {"CPU%", 5, TopOrder::cpu,
     [](const ShardRow& row, bool has_rates) {
         return has_rates ? fmt::format("{:.0f}", row.rates.cpu * 100) : std::string("-");
     }},
    {"LOOP", 5, {}, [](const ShardRow& row, bool) { return time_or_dash(row.turn_us, 99); }},
};

std::vector<ScreenLine> shard_table(const Screen& screen, TopOrder order, size_t rows_max) {
    std::vector<ScreenLine> lines;
    std::string titles;
    for (const ShardColumn& column : shard_columns) {
        // The column that it's ordered by has a mark.
        const char* mark = column.order == order ? "*" : "";
        titles += fit(fmt::format("{}{}", mark, column.title), column.width, Align::right);
        titles += ' ';
    }
    lines.push_back({titles, true});
    for (const ShardRow& row : screen.shards) {
        if (lines.size() + 1 >= rows_max && screen.shards.size() > lines.size()) {
            lines.push_back({fmt::format("  and {} more shards",
                                         screen.shards.size() - (lines.size() - 1))});
            break;
        }
        std::string line;
        for (const ShardColumn& column : shard_columns) {
            line += fit(column.text(row, screen.has_rates), column.width, Align::right);
            line += ' ';
        }
        lines.push_back({line});
    }
    return lines;
}

// Title and lines of one of the lists below.
using Block = std::vector<std::string>;

std::string list_line(std::string_view name, std::string_view first, std::string_view second,
                      size_t width) {
    constexpr size_t figure = 6;
    if (width < 2 * figure + 4) return fit(name, width);
    return fit(name, width - 2 * figure) + fit(first, figure, Align::right) +
           fit(second, figure, Align::right);
}

template <class List, class ToLine>
Block block(std::string title, const std::optional<List>& list, size_t rows_max, ToLine&& to_line) {
    Block lines{std::move(title)};
    if (!list) lines.push_back("(not known)");
    if (list && list->empty()) lines.push_back("(none)");
    if (!list) return lines;
    for (const auto& one : *list) {
        if (lines.size() >= rows_max) break;
        lines.push_back(to_line(one));
    }
    return lines;
}

Block slow_block(const TopSample& now, size_t width, size_t rows_max) {
    return block(list_line("SLOW CLIENT", "DROP", "WAIT", width), now.slow_receivers,
                 rows_max, [&](const SlowReceiver& one) {
                     const std::string name =
                         printable(one.client_id) + (one.connected ? "" : " (away)");
                     return list_line(name, count_text(one.dropped),
                                      one.waiting_messages ? count_text(*one.waiting_messages) : "-",
                                      width);
                 });
}

Block hot_block(const TopSample& now, size_t width, size_t rows_max) {
    return block(list_line("HOT TOPIC", "MSGS", "RECV", width), now.hot_topics, rows_max,
                 [&](const HotTopic& one) {
                     return list_line(printable(one.topic), count_text(one.messages),
                                      count_text(one.receivers), width);
                 });
}

Block memory_block(const TopSample& now, size_t width, size_t rows_max) {
    return block(list_line("MEMORY", "COUNT", "BYTES", width), now.memory, rows_max,
                 [&](const MemoryClass& one) {
                     return list_line(printable(one.name), count_text(one.objects),
                                      bytes_text(one.bytes), width);
                 });
}

// Side by side while they have places enough, one below the other else.
std::vector<ScreenLine> lists(const TopSample& now, uint32_t columns, size_t rows_max) {
    constexpr uint32_t width_min = 25;
    constexpr uint32_t gap = 2;
    const bool are_beside = columns >= 3 * width_min + 2 * gap;
    const size_t width = are_beside ? (columns - 2 * gap) / 3 : columns;
    const size_t rows = are_beside ? rows_max : rows_max / 3;
    if (rows < 2) return {};
    const Block blocks[] = {slow_block(now, width, rows), hot_block(now, width, rows),
                            memory_block(now, width, rows)};
    std::vector<ScreenLine> lines;
    if (!are_beside) {
        for (const Block& one : blocks) {
            for (const std::string& line : one) lines.push_back({line, &line == &one.front()});
        }
        return lines;
    }
    for (size_t index = 0; index < rows; ++index) {
        std::string line;
        bool has_any = false;
        for (const Block& one : blocks) {
            if (!line.empty()) line += std::string(gap, ' ');
            has_any = has_any || index < one.size();
            line += fit(index < one.size() ? one[index] : "", width);
        }
        if (has_any) lines.push_back({line, index == 0});
    }
    return lines;
}

std::vector<ScreenLine> cut(std::vector<ScreenLine> lines, const TopView& view) {
    if (lines.size() > view.rows) lines.resize(view.rows);
    for (ScreenLine& line : lines) {
        while (line.text.ends_with(' ')) line.text.pop_back();
        if (places(line.text) > view.columns) line.text = fit(line.text, view.columns);
    }
    return lines;
}

// At spaces; a word that is too long is cut.
std::vector<ScreenLine> wrapped(std::string_view text, uint32_t columns) {
    std::vector<ScreenLine> lines;
    std::string line;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(word.size() + 1, text.size()));
        if (!line.empty() && places(line) + 1 + places(word) > columns) {
            lines.push_back({std::move(line)});
            line.clear();
        }
        if (!line.empty()) line += ' ';
        line += word;
    }
    lines.push_back({std::move(line)});
    return lines;
}

void append(std::vector<ScreenLine>& all, std::vector<ScreenLine> more) {
    all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

std::vector<ScreenLine> top_lines(const TopSample* before, const TopSample& now,
                                  const TopView& view) {
    Screen screen = compare(before, now);
    sort_shards(screen.shards, view.order);
    std::vector<ScreenLine> lines = totals(now, screen);
    if (!view.trouble.empty()) lines.push_back({printable(view.trouble), true});
    lines.push_back({view.has_keys ? "q ends; shards by n number, c connections, i in, o out, d "
                                     "dropped, p processor; s next"
                                   : ""});
    // The lists have a third of what is left, at least.
    const size_t left = view.rows > lines.size() ? view.rows - lines.size() : 0;
    append(lines, shard_table(screen, view.order, left - left / 3));
    lines.push_back({});
    append(lines, lists(now, view.columns,
                        view.rows > lines.size() ? view.rows - lines.size() : 0));
    return cut(std::move(lines), view);
}

std::vector<ScreenLine> trouble_lines(const TopView& view) {
    std::vector<ScreenLine> lines{{"millrace top", true}, {}};
    append(lines, wrapped(printable(view.trouble), view.columns));
    return cut(std::move(lines), view);
}

std::optional<uint64_t> percentile(const Buckets& buckets, double of_hundred) {
    uint64_t count = 0;
    for (const auto& [bound, number] : buckets) count += number;
    if (count == 0) return std::nullopt;
    const double wanted = static_cast<double>(count) * of_hundred / 100;
    uint64_t below = 0;
    for (const auto& [bound, number] : buckets) {
        below += number;
        if (static_cast<double>(below) >= wanted) return bound;
    }
    return buckets.rbegin()->first;
}

Buckets since(const Buckets& before, const Buckets& now) {
    Buckets difference;
    for (const auto& [bound, count] : now) {
        const auto old = before.find(bound);
        const uint64_t old_count = old == before.end() ? 0 : old->second;
        if (count > old_count) difference[bound] = count - old_count;
    }
    // The last counter takes whatever is past it, and its bound is the largest value so far: the
    // former one, under which nothing counts any more, was the same.
    if (before.empty() || now.empty() || now.contains(before.rbegin()->first)) return difference;
    const auto last = difference.find(now.rbegin()->first);
    const uint64_t former = before.rbegin()->second;
    if (last == difference.end() || before.contains(last->first)) return difference;
    if (last->second > former) {
        last->second -= former;
    } else {
        difference.erase(last);
    }
    return difference;
}

std::string short_time(uint64_t us) {
    const auto value = static_cast<double>(us);
    if (us < 1'000) return fmt::format("{}us", us);
    if (value < 9'950) return fmt::format("{:.1f}ms", value / 1e3);
    if (value < 999'500) return fmt::format("{:.0f}ms", value / 1e3);
    return fmt::format("{:.1f}s", std::min(value / 1e6, 9'999.0));
}

}  // namespace millrace::remote

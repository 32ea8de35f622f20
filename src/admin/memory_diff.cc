#include "admin/memory_diff.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/json_line.h"

namespace millrace {
namespace {

// Wraps as it must: a difference of two numbers of 64 bits that isn't absurd fits.
int64_t difference(uint64_t from, uint64_t to) { return static_cast<int64_t>(to - from); }

// As signed, so that it goes either way with the sum of few numbers that aren't absurd.
int64_t sum(int64_t left, int64_t right) {
    return static_cast<int64_t>(static_cast<uint64_t>(left) + static_cast<uint64_t>(right));
}

using ByName = std::map<std::string, MemoryChange>;

void add_lines(ByName& changes, const std::vector<MemoryLine>& from,
               const std::vector<MemoryLine>& to) {
    for (const MemoryLine& line : to) {
        MemoryChange& change = changes[line.name];
        change.objects = sum(change.objects, difference(0, line.objects));
        change.bytes = sum(change.bytes, difference(0, line.bytes));
        change.reserved_bytes = sum(change.reserved_bytes, difference(0, line.reserved_bytes));
    }
    for (const MemoryLine& line : from) {
        MemoryChange& change = changes[line.name];
        change.objects = sum(change.objects, difference(line.objects, 0));
        change.bytes = sum(change.bytes, difference(line.bytes, 0));
        change.reserved_bytes = sum(change.reserved_bytes, difference(line.reserved_bytes, 0));
    }
}

void append(std::vector<MemoryChange>& list, const ByName& changes, std::optional<uint32_t> shard) {
    for (const auto& [name, change] : changes) {
        if (change.objects == 0 && change.bytes == 0 && change.reserved_bytes == 0) continue;
        list.push_back({shard, name, change.objects, change.bytes, change.reserved_bytes});
    }
}

int64_t weight(const MemoryChange& change) {
    const bool is_length = change.name.starts_with("heap ");
    return is_length && change.bytes > 0 ? change.bytes / 2 : change.bytes;
}

void sort_by_growth(std::vector<MemoryChange>& changes) {
    std::stable_sort(changes.begin(), changes.end(),
                     [](const MemoryChange& left, const MemoryChange& right) {
                         return std::tuple(weight(left), left.reserved_bytes, left.objects) >
                                std::tuple(weight(right), right.reserved_bytes, right.objects);
                     });
}

const std::vector<MemoryLine>& lines_of(const MemorySnapshot& snapshot, size_t shard) {
    static const std::vector<MemoryLine> none;
    return shard < snapshot.shards.size() ? snapshot.shards[shard] : none;
}

std::string changes_json(const std::vector<MemoryChange>& changes, bool with_shard) {
    return json_list(changes, [&](const MemoryChange& change) {
        JsonLine one;
        if (with_shard) one.add("shard", json_number(change.shard));
        one.add_text("class", change.name);
        one.add("objects", change.objects);
        one.add("bytes", change.bytes);
        one.add("reserved_bytes", change.reserved_bytes);
        return one.object();
    });
}

std::string end_json(const std::string& id, double time) {
    JsonLine end;
    end.add_text("id", id);
    end.add_decimal("time", time);
    return end.object();
}

}  // namespace

MemoryDiff diff_memory(const MemorySnapshot& from, const MemorySnapshot& to) {
    MemoryDiff diff;
    ByName totals;
    const size_t shard_count = std::max(from.shards.size(), to.shards.size());
    for (size_t index = 0; index < shard_count; ++index) {
        const std::vector<MemoryLine>& old_lines = lines_of(from, index);
        const std::vector<MemoryLine>& new_lines = lines_of(to, index);
        ByName changes;
        add_lines(changes, old_lines, new_lines);
        add_lines(totals, old_lines, new_lines);
        append(diff.shards, changes, static_cast<uint32_t>(index));
    }
    ByName shared;
    add_lines(shared, from.shared, to.shared);
    add_lines(totals, from.shared, to.shared);
    append(diff.shards, shared, std::nullopt);
    append(diff.classes, totals, std::nullopt);
    sort_by_growth(diff.classes);
    sort_by_growth(diff.shards);
    diff.resident_bytes = difference(from.resident_bytes, to.resident_bytes);
    diff.huge_page_bytes = difference(from.huge_page_bytes, to.huge_page_bytes);
    diff.virtual_bytes = difference(from.virtual_bytes, to.virtual_bytes);
    if (from.heap_committed_bytes && to.heap_committed_bytes) {
        diff.heap_committed_bytes =
            difference(*from.heap_committed_bytes, *to.heap_committed_bytes);
    }
    // A start is computed from the machine's clock, which may be set by a little.
    diff.restarted = !(std::abs(from.started - to.started) < 10);
    return diff;
}

std::string to_json(const MemoryDiff& diff, const ComparedSnapshots& compared) {
    JsonLine process;
    process.add("resident_bytes", diff.resident_bytes);
    process.add("huge_page_bytes", diff.huge_page_bytes);
    process.add("virtual_bytes", diff.virtual_bytes);
    process.add("heap_committed_bytes", json_number(diff.heap_committed_bytes));
    JsonLine all;
    all.add("from", end_json(compared.from_id, compared.from_time));
    all.add("to", end_json(compared.to_id, compared.to_time));
    all.add("restarted", diff.restarted);
    all.add("classes", changes_json(diff.classes, false));
    all.add("shards", changes_json(diff.shards, true));
    all.add("process", process.object());
    return all.object();
}

}  // namespace millrace

// Snapshots from JSON. The one use of simdjson's header for them, which doesn't throw here.
#include <simdjson.h>

#include "admin/memory_snapshot.h"

namespace millrace {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// Takes values out of the document until one isn't what it should be; that one's name stays.
class Reader {
public:
    uint64_t number(const object& from, std::string_view name) {
        uint64_t value = 0;
        if (from[name].get(value) != simdjson::SUCCESS) complain(name);
        return value;
    }
    double decimal(const object& from, std::string_view name) {
        double value = 0;
        if (from[name].get(value) != simdjson::SUCCESS) complain(name);
        return value;
    }
    // null, or not there: an older server didn't know it.
    std::optional<uint64_t> number_or_null(const object& from, std::string_view name) {
        element value;
        if (from[name].get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
        return number(from, name);
    }
    object part(const object& from, std::string_view name) {
        object value;
        if (from[name].get(value) != simdjson::SUCCESS) complain(name);
        return value;
    }
    array list(const object& from, std::string_view name) {
        array value;
        if (from[name].get(value) != simdjson::SUCCESS) complain(name);
        return value;
    }
    object entry(const element& from, std::string_view name) {
        object value;
        if (from.get(value) != simdjson::SUCCESS) complain(name);
        return value;
    }
    std::string text(const object& from, std::string_view name) {
        std::string_view value;
        if (from[name].get(value) != simdjson::SUCCESS) complain(name);
        return std::string(value);
    }
    void complain(std::string_view name) {
        if (wrong_.empty()) wrong_ = name;
    }
    bool is_good() const { return wrong_.empty(); }
    const std::string& wrong() const { return wrong_; }

private:
    std::string wrong_;
};

std::vector<MemoryLine> read_lines(Reader& in, const object& from, std::string_view name) {
    std::vector<MemoryLine> lines;
    const array list = in.list(from, name);
    if (!in.is_good()) return lines;
    for (const element one : list) {
        const object line = in.entry(one, name);
        if (!in.is_good()) return lines;
        lines.push_back({in.text(line, "class"), in.number(line, "objects"),
                         in.number(line, "bytes"), in.number(line, "reserved_bytes")});
        if (!in.is_good()) return lines;
    }
    return lines;
}

void read_shards(Reader& in, const object& from, MemorySnapshot& snapshot) {
    const array list = in.list(from, "shards");
    if (!in.is_good()) return;
    for (const element one : list) {
        const object shard = in.entry(one, "shards");
        if (!in.is_good()) return;
        if (in.number(shard, "shard") != snapshot.shards.size()) in.complain("shard");
        snapshot.shards.push_back(read_lines(in, shard, "lines"));
        if (!in.is_good()) return;
    }
}

// An object that isn't there may not be asked for its members.
void read_process(Reader& in, const object& from, MemorySnapshot& snapshot) {
    const object process = in.part(from, "process");
    if (!in.is_good()) return;
    snapshot.resident_bytes = in.number(process, "resident_bytes");
    snapshot.huge_page_bytes = in.number(process, "huge_page_bytes");
    snapshot.virtual_bytes = in.number(process, "virtual_bytes");
    snapshot.heap_committed_bytes = in.number_or_null(process, "heap_committed_bytes");
    snapshot.heap_used_bytes = in.number_or_null(process, "heap_used_bytes");
    const object kernel = in.part(from, "kernel");
    if (!in.is_good()) return;
    snapshot.kernel.socket_bytes_estimate = in.number_or_null(kernel, "socket_bytes_estimate");
    snapshot.kernel.rings_bytes_estimate = in.number_or_null(kernel, "rings_bytes_estimate");
    snapshot.kernel.host_tcp_buffer_bytes = in.number_or_null(kernel, "host_tcp_buffer_bytes");
}

}  // namespace

Outcome<MemorySnapshot> parse_memory_snapshot(std::string_view json) {
    simdjson::dom::parser parser;
    object all;
    const simdjson::error_code fault =
        parser.parse(json.data(), json.size(), true).get(all);
    if (fault != simdjson::SUCCESS) {
        return fail(Errc::malformed,
                    std::string("no snapshot: ") + simdjson::error_message(fault));
    }
    Reader in;
    MemorySnapshot snapshot;
    snapshot.time = in.decimal(all, "time");
    snapshot.started = in.decimal(all, "started");
    read_shards(in, all, snapshot);
    if (in.is_good()) snapshot.shared = read_lines(in, all, "shared");
    if (in.is_good()) read_process(in, all, snapshot);
    if (!in.is_good()) {
        return fail(Errc::malformed, "no snapshot: \"" + in.wrong() + "\" is missing or isn't what "
                                     "it should be");
    }
    return snapshot;
}

}  // namespace millrace

#include "server/remote/memory_command.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/percent_encoding.h"
#include "server/budget.h"
#include "server/remote/json.h"
#include "server/remote/table.h"

namespace millrace::remote {
namespace {

constexpr std::string_view snapshots_path = "/api/v1/memory/snapshots";

Error not_understood(const HttpClient& client) {
    return {Errc::malformed,
            client.url() + ": the answer isn't understood: is the server of another version?"};
}

std::vector<std::string> change_row(const JsonValue& change, bool by_shard) {
    std::vector<std::string> row{printable(change["class"].text_or_empty())};
    if (by_shard) {
        const std::optional<int64_t> shard = change["shard"].integer();
        row.push_back(shard ? std::to_string(*shard) : "all");
    }
    row.push_back(grouped(change["objects"].integer().value_or(0), true));
    row.push_back(signed_bytes(change["bytes"].integer().value_or(0)));
    row.push_back(signed_bytes(change["reserved_bytes"].integer().value_or(0)));
    return row;
}

std::string end_text(const JsonValue& end) {
    return fmt::format("{} ({})", printable(end["id"].text_or_empty()),
                       time_text(end["time"].number().value_or(-1)));
}

std::string process_text(const JsonValue& process) {
    const auto part = [&](std::string_view name, std::string_view member) {
        const std::optional<int64_t> bytes = process[member].integer();
        return bytes ? fmt::format(", {} {}", name, signed_bytes(*bytes)) : std::string();
    };
    std::string text = part("resident", "resident_bytes") + part("huge pages", "huge_page_bytes") +
                       part("heap", "heap_committed_bytes") + part("virtual", "virtual_bytes");
    return text.empty() ? text : "process: " + text.substr(2) + "\n";
}

// What a diff begins with when nothing was said.
Outcome<std::string> oldest(HttpClient& client) {
    const Outcome<std::string> list = client.ask_json(Method::get, snapshots_path);
    if (!list) return list;
    const std::optional<Json> json = Json::parse(*list);
    if (!json) return tl::unexpected<Error>(not_understood(client));
    const std::vector<JsonValue> snapshots = json->root()["snapshots"].all();
    if (snapshots.empty()) {
        return fail(Errc::not_found,
                    client.url() + ": there's no snapshot yet: millrace memory snapshot takes one");
    }
    return snapshots.front()["id"].text_or_empty();
}

Outcome<std::string> diff(HttpClient& client, const MemoryCommand& command) {
    const Outcome<std::string> from = command.from ? *command.from : oldest(client);
    if (!from) return from;
    return client.ask_json(Method::get,
                           fmt::format("/api/v1/memory/diff?from={}&to={}", percent_encoded(*from),
                                       percent_encoded(command.to.value_or("now"))));
}

Outcome<std::string> answer(HttpClient& client, const MemoryCommand& command) {
    switch (command.what) {
    case MemoryCommand::What::list:     return client.ask_json(Method::get, snapshots_path);
    case MemoryCommand::What::snapshot: return client.ask_json(Method::post, snapshots_path, "{}");
    case MemoryCommand::What::diff:     return diff(client, command);
    }
    MR_UNREACHABLE();
}

std::optional<std::string> snapshot_text(std::string_view text) {
    const std::optional<Json> json = Json::parse(text);
    const std::optional<std::string> id = json ? json->root()["id"].text() : std::nullopt;
    if (!id) return std::nullopt;
    return printable(*id) + "\n";
}

std::optional<std::string> text_of(const MemoryCommand& command, const std::string& json) {
    switch (command.what) {
    case MemoryCommand::What::list:     return list_text(json);
    case MemoryCommand::What::snapshot: return snapshot_text(json);
    case MemoryCommand::What::diff:     return diff_text(json, command.by_shard);
    }
    MR_UNREACHABLE();
}

}  // namespace

std::optional<std::string> list_text(std::string_view text) {
    const std::optional<Json> json = Json::parse(text);
    if (!json || !json->root()["snapshots"].is_list()) return std::nullopt;
    const JsonValue root = json->root();
    std::vector<std::vector<std::string>> rows;
    for (const JsonValue& one : root["snapshots"].all()) {
        rows.push_back({printable(one["id"].text_or_empty()),
                        time_text(one["time"].number().value_or(-1)),
                        readable_bytes(one["bytes"].count())});
    }
    const uint64_t interval_s = root["interval_seconds"].count();
    const std::string rule =
        root["kept_max"].count() == 0 ? "nothing is kept: admin.history_dir is empty"
        : interval_s == 0             ? fmt::format("taken on request alone, {} at most are kept",
                                                    root["kept_max"].count())
                                      : fmt::format("one is taken every {} s, {} at most are kept",
                                                    interval_s, root["kept_max"].count());
    if (rows.empty()) return fmt::format("no snapshots; {}\n", rule);
    return render_table({{"SNAPSHOT", Align::left}, {"TAKEN (UTC)", Align::left}, {"FILE"}}, rows) +
           rule + "\n";
}

std::optional<std::string> diff_text(std::string_view text, bool by_shard) {
    const std::optional<Json> json = Json::parse(text);
    if (!json || !json->root()["classes"].is_list()) return std::nullopt;
    const JsonValue root = json->root();
    std::vector<std::vector<std::string>> rows;
    for (const JsonValue& change : root[by_shard ? "shards" : "classes"].all()) {
        rows.push_back(change_row(change, by_shard));
    }
    std::string out = fmt::format("from {} to {}, UTC\n", end_text(root["from"]),
                                  end_text(root["to"]));
    if (root["restarted"].truth().value_or(false)) {
        out += "They are of two processes: the server was started anew between them.\n";
    }
    std::vector<Column> columns{{"CLASS", Align::left}};
    if (by_shard) columns.push_back({"SHARD"});
    for (const std::string_view title : {"OBJECTS", "BYTES", "RESERVED"}) columns.push_back({title});
    out += rows.empty() ? "no class differs\n" : render_table(columns, rows);
    return out + process_text(root["process"]);
}

ExitCode run_memory(const MemoryCommand& command) {
    const auto client = HttpClient::open(command.target);
    if (!client) return complain(ExitCode::usage, client.error().message);
    const Outcome<std::string> json = answer(**client, command);
    if (!json) return complain(ExitCode::failed, json.error().message);
    const std::optional<std::string> text =
        command.json ? std::optional(*json + (json->ends_with('\n') ? "" : "\n"))
                     : text_of(command, *json);
    if (!text) return complain(ExitCode::failed, not_understood(**client).message);
    fmt::print("{}", *text);
    return ExitCode::success;
}

}  // namespace millrace::remote

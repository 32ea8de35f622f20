#include "server/remote/trace_command.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/base64.h"
#include "base/json_line.h"
#include "base/percent_encoding.h"
#include "server/remote/table.h"
#include "server/remote/terminal.h"

namespace millrace::remote {
namespace {

constexpr std::string_view traces_path = "/api/v1/traces";
constexpr std::chrono::milliseconds between_looks{200};
constexpr uint32_t events_a_look = 1'000;

std::string body_of(const TraceCommand& command) {
    JsonLine body;
    if (command.client_id) body.add_text("client_id", *command.client_id);
    if (command.topic) body.add_text("topic", *command.topic);
    body.add("seconds", command.seconds);
    return body.object();
}

// The capture file, where one is wanted. Each packet is in it at once: whoever reads it meanwhile
// finds it whole.
class Capture {
public:
    // An error names the file.
    std::optional<Error> open(const std::optional<std::string>& path) {
        if (!path) return std::nullopt;
        path_ = *path;
        // What clients say is for nobody else on this host; a file that is there keeps its mode.
        const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (file >= 0) file_.reset(::fdopen(file, "wb"));
        if (file_ == nullptr) return error();
        return write(PcapWriter::file_header());
    }
    std::optional<Error> add(const JsonValue& event) {
        if (file_ == nullptr) return std::nullopt;
        return write(trace_capture(writer_, event));
    }

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    Error error() const {
        return {Errc::system, "--pcap " + path_ + ": " + std::strerror(errno)};
    }
    std::optional<Error> write(const std::string& bytes) {
        if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size() &&
            std::fflush(file_.get()) == 0) {
            return std::nullopt;
        }
        return error();
    }

    std::string path_;
    std::unique_ptr<std::FILE, Close> file_;
    PcapWriter writer_;
};

// A trace on the server, which ends with this.
class Trace {
public:
    Trace(HttpClient& client, std::string id, Capture& capture)
        : client_(client), path_(fmt::format("{}/{}", traces_path, percent_encoded(id))),
          capture_(capture) {}
    // That it's gone already, because its time was over, is no fault.
    ~Trace() { static_cast<void>(client_.ask(Method::remove, path_)); }
    Trace(const Trace&) = delete;
    Trace& operator=(const Trace&) = delete;

    struct Look {
        uint64_t events = 0;
        bool has_ended = false;
    };
    // Prints what came since the last one.
    Outcome<Look> print_more() {
        const Outcome<std::string> text =
            client_.ask_json(Method::get, fmt::format("{}/events?after={}&limit={}", path_, after_,
                                                      events_a_look));
        if (!text) return tl::unexpected<Error>(text.error());
        const std::optional<Json> json = Json::parse(*text);
        const JsonValue root = json ? json->root() : JsonValue();
        if (!root["events"].is_list()) {
            return fail(Errc::malformed, client_.url() + ": the answer isn't understood: is the "
                                                         "server of another version?");
        }
        const std::vector<JsonValue> events = root["events"].all();
        if (const uint64_t lost = root["lost"].count(); lost > lost_) {
            fmt::print("({} events were lost: more came than could be kept)\n", lost - lost_);
            lost_ = lost;
        }
        for (const JsonValue& event : events) {
            fmt::print("{}\n", trace_line(event));
            if (auto error = capture_.add(event)) return tl::unexpected<Error>(std::move(*error));
        }
        std::fflush(stdout);
        after_ = root["next"].integer() ? root["next"].count() : after_;
        return Look{events.size(), root["ended"].truth().value_or(false)};
    }

private:
    HttpClient& client_;
    const std::string path_;
    Capture& capture_;
    uint64_t after_ = 0;
    uint64_t lost_ = 0;
};

// "12:00:00.123456", UTC.
std::string moment(double time) {
    const std::string whole = time_text(time);
    if (whole.size() < 8) return whole;
    const double fraction = time - std::floor(time);
    return fmt::format("{}.{:06}", whole.substr(whole.size() - 8),
                       std::min(static_cast<uint32_t>(fraction * 1e6), 999'999u));
}

}  // namespace

std::string trace_line(const JsonValue& event) {
    std::string line = fmt::format(
        "{} {} {:<4} {:<11} {}", moment(event["time"].number().value_or(-1)),
        event["shard"].count(), printable(event["direction"].text_or_empty()),
        printable(event["kind"].text_or_empty()), printable(event["client_id"].text_or_empty()));
    const auto add_number = [&](std::string_view member) {
        if (const auto number = event[member].integer()) {
            line += fmt::format(" {}={}", member, *number);
        }
    };
    if (const auto topic = event["topic"].text()) line += " topic=" + json_text(printable(*topic));
    for (const std::string_view member : {"qos", "packet_id", "bytes", "receivers", "took_us"}) {
        add_number(member);
    }
    if (const auto reason = event["reason"].text()) line += " reason=" + printable(*reason);
    add_number("reason");
    return line;
}

std::string trace_capture(PcapWriter& writer, const JsonValue& event) {
    constexpr uint64_t packet_bytes_max = 268'435'460;  // MQTT's longest (2.1.4)
    const std::string client_id = event["client_id"].text_or_empty();
    const std::string direction = event["direction"].text_or_empty();
    const std::string kind = event["kind"].text_or_empty();
    const double time = event["time"].number().value_or(0);
    const uint64_t bytes = event["bytes"].count();
    if (kind == "closed") return writer.closed(time, client_id);
    if ((direction != "in" && direction != "out") || bytes == 0 || bytes > packet_bytes_max) return {};
    const std::vector<uint8_t> data =
        from_base64(event["data_base64"].text_or_empty()).value_or(std::vector<uint8_t>());
    return writer.packet({.time_s = time,
                          .client_id = client_id,
                          .is_from_client = direction == "in",
                          .bytes = bytes,
                          .data = Bytes(data).first(std::min<size_t>(data.size(), bytes)),
                          .opens = direction == "in" && kind == "CONNECT"});
}

ExitCode run_trace(const TraceCommand& command) {
    const auto client = HttpClient::open(command.target);
    if (!client) return complain(ExitCode::usage, client.error().message);
    Capture capture;
    if (auto error = capture.open(command.pcap)) return complain(ExitCode::usage, error->message);
    EndSignals signals;
    const Outcome<std::string> made =
        (*client)->ask_json(Method::post, traces_path, body_of(command));
    if (!made) return complain(ExitCode::failed, made.error().message);
    const std::optional<Json> json = Json::parse(*made);
    const std::optional<std::string> id = json ? json->root()["id"].text() : std::nullopt;
    if (!id) return complain(ExitCode::failed, (*client)->url() + ": the trace has no id");
    Trace trace(**client, *id, capture);
    while (!signals.is_raised()) {
        const Outcome<Trace::Look> look = trace.print_more();
        if (!look) return complain(ExitCode::failed, look.error().message);
        if (look->has_ended && look->events == 0) break;
        // More than fits in one answer is asked for at once.
        if (look->events < events_a_look && signals.sleep_for(between_looks)) break;
    }
    return ExitCode::success;
}

}  // namespace millrace::remote

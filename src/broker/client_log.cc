#include "broker/client_log.h"

#include "base/log.h"

namespace millrace {
namespace {

constexpr uint32_t lines_per_second = 100;  // of each kind

}  // namespace

void log_client_connected(const Session& session, const MqttConnection& client,
                          bool session_present) {
    MR_LOG_LIMITED(LogLevel::debug, lines_per_second, "client connected",
                   field("mqtt", client.is_v5() ? "5.0" : "3.1.1"),
                   field("session_present", session_present),
                   field("keep_alive_s", client.keep_alive_s),
                   field("client", session.client_id()));
}

void log_client_closed(const Session& session, std::string_view reason) {
    MR_LOG_LIMITED(LogLevel::debug, lines_per_second, "client closed", field("reason", reason),
                   field("client", session.client_id()));
}

void log_connect_refused(std::string_view reason) {
    MR_LOG_LIMITED(LogLevel::debug, lines_per_second, "connect refused", field("reason", reason));
}

void log_connection_closed(std::string_view reason) {
    MR_LOG_LIMITED(LogLevel::debug, lines_per_second, "connection closed",
                   field("reason", reason));
}

}  // namespace millrace

// Lines of the log about clients that come and go, at level debug and limited: they are a peer's to
// cause. server/README.md lists all events.
// Owned by: nobody; functions. Thread: any.
// Not here: packets of those who are connected.
#pragma once

#include <string_view>

#include "broker/mqtt_connection.h"

namespace millrace {

void log_client_connected(const Session& session, const MqttConnection& client,
                          bool session_present);
void log_client_closed(const Session& session, std::string_view reason);
// CONNECT was answered with a refusal.
void log_connect_refused(std::string_view reason);
// The connection ends before a CONNECT was accepted.
void log_connection_closed(std::string_view reason);

}  // namespace millrace

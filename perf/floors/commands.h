// The floors: programs that do nothing but the input and output that a broker can't do without.
// Owned by: values, made by main.cc from the command line.
// Holds:    each function runs one of them to its end, and prints its report.
// Not here: which core it runs on: the caller's, by taskset.
#pragma once

#include <cstdint>

#include "sockets.h"

namespace millrace::floors {

enum class Engine { write, uring };

struct SendOptions {
    Endpoint local;
    uint32_t receivers = 1'000;
    uint32_t bytes = 79;  // a message: the whole frame
    uint32_t window = 1;  // messages to each receiver before it waits for `receive`
    bool coalesce = false;
    Engine engine = Engine::write;
    double seconds = 3;  // measured, after a warm-up of a tenth of it
};
void run_send(const SendOptions& options);

struct ReceiveOptions {
    Endpoint remote;
    uint32_t receivers = 1'000;
    double seconds = 60;  // gives up then
};
void run_receive(const ReceiveOptions& options);

struct EchoOptions {
    Endpoint local;
    uint32_t bytes = 0;    // of a message; 0: messages aren't counted
    double seconds = 600;  // ends then, if not by SIGTERM
};
void run_echo(const EchoOptions& options);

struct PingOptions {
    Endpoint remote;
    uint32_t connections = 1;
    uint32_t bytes = 79;
    uint32_t window = 1;    // outstanding a connection
    double per_second = 0;  // over all connections, whatever is outstanding; 0: closed loop
    bool sleeps = false;    // between due times, instead of spinning
    double seconds = 3;
};
void run_ping(const PingOptions& options);

struct AcceptOptions {
    Endpoint local;
    double seconds = 600;  // ends then, if not by SIGTERM
};
void run_accept(const AcceptOptions& options);

}  // namespace millrace::floors

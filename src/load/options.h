// What one run of `millrace load` does: the command line as a value, checked and complete.
// Owned by: the command line parser, which fills it; the generator reads it. Thread: any, reading.
// Holds:    every value is within the range that server/load_command.cc accepts, so the generator
//           divides and allocates by them without asking again.
// Not here: how a scenario runs, what a report says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace millrace {

enum class LoadMode : uint8_t {
    connect,  // open connections, keep them for `duration`, report time and memory for each
    fanout,   // few publishers to one topic that every subscriber has
    fanin,    // many publishers, few subscribers to all of their topics
    pair,     // publisher n to subscriber n, a topic a pair
    storm,    // open all connections at once; again after an abrupt loss of all, when asked to
};

struct LoadOptions {
    LoadMode mode = LoadMode::connect;

    // The broker: an IPv4 or IPv6 address in text.
    std::string host = "127.0.0.1";
    uint16_t port = 1883;
    // Local addresses that connections are spread over, in turn: each gives about 60,000 ports.
    // Empty: the system chooses. A range on the command line ("127.0.0.2-127.0.0.9") stands here
    // address by address.
    std::vector<std::string> source_hosts;

    // All connections of the run. In connect and storm each subscribes to "<topic>/<index>" and
    // nothing is published. In fanout, fanin and pair they are
    // `publisher_count + subscriber_count`, always.
    uint32_t connection_count = 1'000;
    uint32_t publisher_count = 0;
    uint32_t subscriber_count = 0;
    // New connections a second, over all shards; 0: as fast as they are accepted.
    uint32_t connect_rate = 0;
    // Connections that may be on their way at the same time, over all shards. Storm has no bound.
    uint32_t connects_outstanding_max = 512;
    // Storm: how often all connections are opened. Before each round but the first all are cut
    // without a DISCONNECT. With `clean_start` false the sessions are to survive that.
    uint32_t storm_round_count = 1;

    uint32_t payload_bytes = 64;
    uint8_t qos = 0;
    // What the publishers of the run send together. 0: no rate; each publisher instead keeps
    // `window_count` messages outstanding (sent, but not yet received by all their receivers).
    uint64_t rate = 0;
    uint32_t window_count = 1;
    // The run's publishing ends after that many messages (of all publishers together) or after
    // that much time, whichever is reached first. At least one of the two is set, but in connect
    // and storm, where only `duration` counts.
    uint64_t message_count = 0;            // 0: no bound
    Duration duration = Duration::s(0);    // zero: no bound
    // Messages (of all publishers together) sent before the measured ones, on top of them. Absent:
    // a tenth of `message_count`; without a message count, a tenth of `duration`.
    std::optional<uint64_t> warmup_count;
    // After the last publish: how long to wait for deliveries that are still missing. What is
    // missing then counts as lost.
    Duration drain_timeout = Duration::s(10);
    // The whole run ends after that time, come what may. Zero: a minute more than the run is to
    // take (plan.h says how that is reckoned).
    Duration run_timeout = Duration::s(0);

    // Topic of fanout; prefix of fanin and pair, whose topics are "<topic>/<index>".
    std::string topic = "load/fanout";
    std::string client_id_prefix = "load";  // client ids are "<prefix>-<index>"
    uint8_t mqtt_version = 4;               // the protocol level in CONNECT: 4 (3.1.1) or 5
    uint16_t keep_alive_s = 60;             // 0: none
    bool clean_start = true;
    uint32_t session_expiry_s = 300;        // sent by version 5 when `clean_start` is false

    // Shards of the generator itself; `cpus` empty: threads aren't pinned.
    uint32_t shard_count = 1;
    std::vector<uint32_t> cpus;

    // The broker's process on this machine, whose processor time (/proc/PID/stat) and memory
    // (/proc/PID/status: VmRSS and HugetlbPages, before and after connecting) go into the report.
    std::optional<uint32_t> server_pid;
    bool json = false;      // the report as one JSON object on standard output
    bool progress = true;   // lines on standard error while connecting and running
};

}  // namespace millrace

// The configuration of a server: every key of the TOML file, with its default.
// Owned by: the embedding program; copied by Server::create. Thread: any, while nobody writes.
// Holds:    validate() accepts exactly what a server can run with.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "millrace/error.h"

namespace millrace {

struct ListenAddress {
    std::string host = "127.0.0.1";  // IPv4 or IPv6 address
    uint16_t port = 1883;            // 0: any free port
};

// What a CONNACK announces, and what holds for 3.1.1 clients alike. Server::reload() changes it for
// connections accepted from then on: those that are there keep what they were promised. [mqtt]
struct MqttLimits {
    uint16_t receive_maximum = 1'024;            // QoS 1 and 2 publishes in flight from a client
    uint16_t topic_alias_maximum = 32;           // aliases a client may set
    uint8_t maximum_qos = 2;
    bool retain_available = true;
    uint32_t maximum_packet_bytes = 1'048'576;
    uint16_t keep_alive_max_s = 0;               // 0: no ceiling; else also imposed on "none"
    uint32_t session_expiry_max_s = 0xffff'ffff; // 0xffffffff: sessions may live for ever
    bool wildcard_subscription_available = true;
    bool shared_subscription_available = true;
    bool subscription_identifiers_available = true;
    // Topic filters that no client may subscribe to or publish on. A reload holds for all clients
    // at once.
    std::vector<std::string> denied_filters;
};

// Bounds of what may wait. A reload holds for all from the next message or subscription on; what
// is there already stays. [queues]
struct QueueLimits {
    uint32_t send_bytes_max = 4'194'304;         // unsent output a connection, references counted
    uint32_t inflight_max = 1'024;               // unacknowledged QoS 1 and 2 to a client
    uint32_t session_messages_max = 1'000;       // waiting in a session
    uint64_t session_bytes_max = 8'388'608;
    uint64_t retained_messages_max = 1'000'000;  // of the whole server: each shard has its part
    uint64_t retained_bytes_max = 268'435'456;
    uint64_t mailbox_bytes_max = 67'108'864;     // overflow between two shards
    uint32_t subscriptions_per_session_max = 10'000;
};

// A reload holds for new connections (connect), for all (send_stall, sys_interval), or for the end
// of the server (drain). [timeouts]
struct Timeouts {
    std::chrono::milliseconds connect{10'000};       // from accept to CONNECT
    std::chrono::milliseconds send_stall{30'000};    // output that makes no progress
    std::chrono::milliseconds drain{5'000};          // flushing at shutdown; with drain.rate the wait
                                                     // for a client's acknowledgements, and then
                                                     // for it to take what it was sent
    std::chrono::milliseconds sys_interval{10'000};  // $SYS topics; 0: none
};

// How a server that ends lets go of its clients. [drain]
struct DrainOptions {
    // Connections a second that are told to go, of the whole server: each shard sheds its part of
    // them, evenly in time. 0: all at once. At a rate the others are served as before until it's
    // their turn, and nothing that was acknowledged to a publisher before its receiver's turn came
    // is lost to this receiver (src/broker/README.md says what exactly that means).
    uint32_t rate = 0;
    // Where clients shall go instead: what MQTT 5.0 clients are told beside 0x9C "use another
    // server", in DISCONNECT (3.14.2.2.5) and CONNACK (3.2.2.3.16). Names or addresses with an
    // optional port, separated by spaces: "broker-2.example.net:1883 broker-3.example.net" (4.11).
    // Clients whose maximum packet size it doesn't fit in get the reason without it. Empty: they
    // are told 0x8B "server shutting down" instead. MQTT 3.1.1 has no words for either.
    std::string server_reference;
    static constexpr uint32_t server_reference_bytes_max = 1'024;
};

enum class HugePagesMode : uint8_t { off, when_available };

// Fixed while a server exists, but for spin_max and always_spin. [shards]
struct ShardOptions {
    uint32_t count = 0;                       // 0: one a core (of `cpus`, or of the process)
    std::vector<uint32_t> cpus;               // cores to pin to, in shard order; empty: all allowed
    uint32_t connections_max = 1'000'000;     // a shard
    uint64_t memory_bytes_max = 0;            // a shard; 0: half of the machine's memory, divided
    HugePagesMode huge_pages = HugePagesMode::when_available;
    std::chrono::microseconds spin_max{0};    // look for work that long before sleeping
    bool always_spin = false;
    uint32_t mailbox_ring_bytes = 262'144;    // each ordered pair of shards; a power of two
};

// Fixed while a server exists. [uring]
struct UringOptions {
    uint32_t submission_entries = 4'096;      // powers of two
    uint32_t completion_entries = 16'384;
    uint32_t receive_buffer_bytes = 16'384;
    uint32_t receive_buffer_count = 512;
    uint32_t zero_copy_bytes_min = 0;         // sends at least that long go zero-copy, unless
                                              // the kernel copied one on that connection; 0: never
    uint32_t napi_busy_poll_us = 0;           // 0: off
    uint32_t listen_backlog = 4'096;
    uint32_t socket_send_bytes = 0;           // SO_SNDBUF; 0: the kernel's own tuning
};

enum class DpdkIdle : uint8_t { spin, pause, sleep };
enum class DpdkCongestion : uint8_t { cubic, reno };

// Of net = "dpdk": a network card (or a virtual device) of our own, with our own TCP.
// Fixed while a server exists. [dpdk]
struct DpdkOptions {
    std::string device;                        // PCI address, or a vdev: "net_af_packet0,iface=v0"
    std::vector<std::string> eal_arguments;    // for DPDK, after those that are chosen here
    std::string mac;                           // "02:00:00:00:00:01"; empty: the device's own
    std::vector<std::string> addresses;        // ours, with their prefix: "10.0.0.1/24"
    std::vector<std::string> source_ranges;    // ours too, for a client role: "10.0.1.0/24"
    std::string gateway;                       // IPv4; empty: none
    std::string gateway_ipv6;
    std::string vlan = "untagged";             // "untagged", "pass_through", or a number
    uint32_t mtu = 1'500;
    uint32_t queues = 0;                       // 0: one a shard, as many as the device has
    bool huge_pages = true;                    // for DPDK's own memory
    uint64_t memory_bytes = 0;                 // for DPDK; 0: computed
    uint32_t receive_descriptors = 2'048;
    uint32_t transmit_descriptors = 2'048;
    uint32_t buffers = 0;                      // receive buffers of a queue; 0: four rings
    uint32_t copy_bytes_max = 128;             // payloads up to that go into the header's buffer
    DpdkIdle idle = DpdkIdle::sleep;           // what a shard does when nothing comes
    std::chrono::microseconds idle_spin{50};   // silence before it sleeps
    std::chrono::microseconds idle_sleep{100};
    DpdkCongestion congestion = DpdkCongestion::cubic;
    uint32_t receive_window_bytes = 262'144;   // a connection
    std::chrono::seconds keepalive_idle{0};    // TCP keep-alive; 0: none
    std::chrono::milliseconds time_wait{60'000};
    uint32_t time_wait_count_max = 65'536;     // a shard
    uint32_t half_open_count_max = 4'096;      // handshakes that wait, a shard
    uint32_t half_open_cookies_from = 2'048;   // from that many on: SYN cookies
    uint32_t half_open_per_source_max = 256;
    uint32_t neighbor_count_max = 4'096;
    std::string capture_path;                  // pcap file of all frames; empty: none
    uint64_t capture_bytes_max = 67'108'864;
};

// An HTTP listener for metrics and health, on a thread of its own. Fixed while a server exists. [admin]
struct AdminOptions {
    std::vector<ListenAddress> listen;        // empty: none. Without a token loopback alone
    std::string token_file;                   // its text is what "Authorization: Bearer" must carry,
                                              // at least 16 bytes; empty: no token is asked for
    uint32_t connections_max = 16;
    std::chrono::milliseconds timeout{5'000}; // from accept to the last byte of the answer
    // A directory for what was known a while ago: a day's records, a file each. Made when its parent
    // is there. Empty: nothing is kept. Without a listener nothing is written.
    std::string history_dir;
    std::chrono::seconds memory_interval{3'600};  // between two records of the memory; 0: none
    // Between two CPU profiles; 0: none are taken by themselves, since one may cost 1 % of the
    // processor's time while it's taken (src/admin/profiles/README.md).
    std::chrono::seconds profile_interval{0};
    std::chrono::seconds profile_time{10};  // of each of them
};

enum class LogLevel : uint8_t { debug, info, warning, error };
enum class LogFormat : uint8_t { text, json };

// The log is the process's, not a server's: Server::create() leaves it alone, and `millrace serve`
// calls apply_log_options() (millrace/log.h). [log]
struct LogOptions {
    LogLevel level = LogLevel::info;          // lines below it are left out
    LogFormat format = LogFormat::text;       // json: one object a line
};

struct Config {
    std::vector<ListenAddress> listen{ListenAddress{}};  // fixed while a server exists
    std::string net = "uring";                // or "dpdk"; fixed likewise
    MqttLimits mqtt;
    QueueLimits queues;
    Timeouts timeouts;
    DrainOptions drain;
    ShardOptions shards;
    UringOptions uring;
    DpdkOptions dpdk;
    AdminOptions admin;
    LogOptions log;

    // Nullopt when a server can run with it; else the first fault: key, value, accepted range.
    std::optional<Error> validate() const;
};

}  // namespace millrace

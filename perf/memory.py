#!/usr/bin/python3
"""User-space memory of an idle, subscribed connection: 23-byte client id, one exact filter each.

Two answers: the slope of the process's resident memory between two counts of connections (huge
pages off, so that a page counts when it is touched), and the slope of the broker's own ledger,
which it publishes on $SYS topics.

millrace is measured twice. Its receive buffers are shared by all connections of a shard, fixed in
number, and touched for the first time as bytes arrive: while that goes on, the resident memory
grows with every byte received, whoever sends it. "warm" sends enough to touch all of them first, so
that the slope shows connections alone; "cold" doesn't.

As root there is a third answer: what the kernel keeps for the broker's end, by /proc/slabinfo.
`kernel_socket_bytes` of src/server/kernel_memory.h comes from here.
"""

import os
import socket
import struct
import time

import harness
from harness import Broker, progress, say

KEEP_ALIVE_S = 3600
WARM_UP_CONNECTIONS = 32  # spread over the shards by the kernel
WARM_UP_BYTES = 64 << 20  # several times the receive buffers of a shard (8 MiB)
SYS_INTERVAL_MS = 200
LEDGER_TOPIC = "$SYS/broker/memory/"
# One object each at either end of a connection.
SOCKET_CACHES = ("TCP", "sock_inode_cache", "filp", "dentry", "lsm_inode_cache", "lsm_file_cache")


# ---- as much MQTT 3.1.1 as this needs -----------------------------------------------------------

def text(value):
    raw = value.encode()
    return struct.pack("!H", len(raw)) + raw


def packet(first, body):
    assert len(body) < 128
    return bytes([first, len(body)]) + body


def connect_packet(client_id):
    return packet(0x10, text("MQTT") + b"\x04\x02" + struct.pack("!H", KEEP_ALIVE_S) +
                  text(client_id))


def subscribe_packet(topic_filter):
    return packet(0x82, b"\x00\x01" + text(topic_filter) + b"\x00")


def receive_exactly(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise harness.Failure("the broker closed a connection")
        data += more
    return data


def open_subscriber(port, number):
    sock = socket.create_connection(("127.0.0.1", port), 10.0)
    sock.sendall(connect_packet("device-%016d" % number) +
                 subscribe_packet("push/%015d" % number))
    answers = receive_exactly(sock, 9)  # CONNACK, SUBACK
    if answers != b"\x20\x02\x00\x00\x90\x03\x00\x01\x00":
        raise harness.Failure("unexpected answers: %s" % answers.hex())
    return sock


def warm_up(port):
    """Sends publishes that nobody receives, through connections that are gone afterwards."""
    topic = text("warm/up")
    payload = bytes(32768)
    remaining = len(topic) + len(payload)
    publish = bytes([0x30, remaining & 0x7f | 0x80, remaining >> 7 & 0x7f | 0x80,
                     remaining >> 14]) + topic + payload
    count = WARM_UP_BYTES // WARM_UP_CONNECTIONS // len(publish)
    for number in range(WARM_UP_CONNECTIONS):
        with socket.create_connection(("127.0.0.1", port), 10.0) as sock:
            sock.sendall(connect_packet("warm-up-%d" % number))
            receive_exactly(sock, 4)
            for _ in range(count):
                sock.sendall(publish)
            sock.sendall(b"\xc0\x00")  # PINGREQ: answered when all before it was taken
            receive_exactly(sock, 2)
            sock.sendall(b"\xe0\x00")


def read_publishes(sock, duration_s):
    """{topic: payload} of what comes within `duration_s`; the newest of each topic."""
    data, found = b"", {}
    deadline = time.monotonic() + duration_s
    while time.monotonic() < deadline:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            more = sock.recv(65536)
        except socket.timeout:
            break
        if not more:
            break
        data += more
        while len(data) >= 2:
            length, at, shift = 0, 1, 0
            while at < len(data) and data[at] & 0x80:
                length |= (data[at] & 0x7f) << shift
                at, shift = at + 1, shift + 7
            if at >= len(data):
                break
            length |= data[at] << shift
            end = at + 1 + length
            if end > len(data):
                break
            if data[0] >> 4 == 3:
                topic_bytes = struct.unpack("!H", data[at + 1:at + 3])[0]
                topic_end = at + 3 + topic_bytes
                found[data[at + 3:topic_end].decode()] = data[topic_end:end].decode()
            data = data[end:]
    return found


def read_ledger(port):
    """{class: {objects, bytes}} as the broker sees it; empty when it doesn't say."""
    time.sleep(2 * SYS_INTERVAL_MS / 1000)
    with socket.create_connection(("127.0.0.1", port), 10.0) as sock:
        sock.sendall(connect_packet("ledger-reader") + subscribe_packet(LEDGER_TOPIC + "#"))
        found = read_publishes(sock, 4 * SYS_INTERVAL_MS / 1000)
    ledger = {}
    for topic, payload in found.items():
        name, _, kind = topic[len(LEDGER_TOPIC):].rpartition("/")
        if topic.startswith(LEDGER_TOPIC) and payload.isdigit():
            ledger.setdefault(name or kind, {})[kind if name else "bytes"] = int(payload)
    return ledger


# ---- the kernel's part --------------------------------------------------------------------------

def read_slabs():
    """{cache: (objects, bytes an object takes of its slab)}; empty when we may not know."""
    try:
        with open("/proc/slabinfo", encoding="ascii") as file:
            lines = file.read().splitlines()[2:]
    except OSError:
        return {}
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    slabs = {}
    for line in lines:
        name, objects, _, _, objects_a_slab, pages_a_slab = line.split()[:6]
        slabs[name] = (int(objects), int(pages_a_slab) * page_bytes / int(objects_a_slab))
    return slabs


def kernel_parts(low, high):
    """{cache: bytes} of a connection's end at the broker. The clients are plain sockets, so that
    half of what both ends have is the broker's, and so is all of what has one object a connection:
    its ring's requests. What clients alone have (their ports) comes twice."""
    count = high["connections"] - low["connections"]
    parts = {}
    for name, (objects, each) in high["slabs"].items():
        slope = (objects - low["slabs"].get(name, (0, 0))[0]) / count
        if name in SOCKET_CACHES and slope > 1.9:
            parts[name] = each
        elif name.startswith(("io_kiocb", "kmalloc")) and 0.95 < slope < 1.05:
            parts[name] = each
    return parts


# ---- one broker ---------------------------------------------------------------------------------

def measure(options, kind, shards, warm):
    arguments = ["--shards", str(shards), "--huge-pages", "off",
                 "--set", "timeouts.sys_interval_ms=%d" % SYS_INTERVAL_MS]
    points, sockets = [], []
    with Broker(kind, options, arguments if kind == "millrace" else []) as broker:
        try:
            if warm:
                warm_up(broker.port)
            for count in (0, options.low, options.high):
                for number in range(len(sockets), count):
                    sockets.append(open_subscriber(broker.port, number))
                ledger = read_ledger(broker.port) if kind == "millrace" else {}
                points.append({"connections": count, "ledger": ledger, "slabs": read_slabs(),
                               "resident_bytes": harness.settled_memory_bytes(broker.pid)})
                progress("%s, %d shard(s), %s, %d connections: %.2f MiB" % (
                    kind, shards, "warm" if warm else "cold", count,
                    points[-1]["resident_bytes"] / 2**20))
        finally:
            for sock in sockets:
                sock.close()
    return {"broker": kind, "shards": shards, "warm": warm, "points": points}


def ledger_slopes(low, high):
    """{class: (objects, bytes) a connection} of what grew."""
    count = high["connections"] - low["connections"]
    slopes = {}
    for name, line in high["ledger"].items():
        before = low["ledger"].get(name, {})
        grown = [(line.get(kind, 0) - before.get(kind, 0)) / count for kind in ("objects", "bytes")]
        if grown[1] > 0.05:
            slopes[name] = grown
    return slopes


def row_of(result):
    _, low, high = result["points"]
    count = high["connections"] - low["connections"]
    slope = (high["resident_bytes"] - low["resident_bytes"]) / count
    whole = (high["resident_bytes"] - result["points"][0]["resident_bytes"]) / high["connections"]
    ledger = ledger_slopes(low, high).get("reserved")
    return [result["broker"], result["shards"], "warm" if result["warm"] else "cold",
            "%.1f" % slope, "%.1f" % whole,
            "%.1f" % ledger[1] if ledger else "-"]


def say_classes(result):
    _, low, high = result["points"]
    slopes = ledger_slopes(low, high)
    if not slopes:
        say("\nThe broker's ledger was not found on %s#." % LEDGER_TOPIC)
        return
    say("\nThe ledger's classes with %d shard(s), a connection:\n" % result["shards"])
    harness.table(["class", "objects", "bytes"],
                  [[name, "%.3f" % objects if objects else "-", "%.1f" % size]
                   for name, (objects, size) in sorted(slopes.items(), key=lambda one: -one[1][1])])


def say_kernel(result):
    _, low, high = result["points"]
    parts = kernel_parts(low, high)
    if not parts:
        say("\nThe kernel's part isn't known: /proc/slabinfo is for root.")
        return
    say("\nThe kernel's part of a connection's end at %s (%d shard(s)): %.0f bytes.\n" % (
        result["broker"], result["shards"], sum(parts.values())))
    harness.table(["cache", "bytes"],
                  [[name, "%.0f" % size] for name, size in
                   sorted(parts.items(), key=lambda one: -one[1])])


def main():
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--low", type=int, default=5000, help="connections at the first point")
    parser.add_argument("--high", type=int, default=15000, help="connections at the second")
    parser.add_argument("--shards", type=harness.numbers, default=[1, 2], metavar="LIST")
    parser.add_argument("--brokers", default="millrace,mosquitto", metavar="LIST")
    options = harness.parse(parser)
    if options.smoke:
        options.low, options.high, options.shards = 50, 150, [1]
    harness.raise_open_file_limit()
    os.sched_setaffinity(0, [harness.GENERATOR_CORE])  # the brokers pin themselves
    sheet = harness.machine_sheet(options)
    harness.say_machine(sheet)
    results = []
    for kind in harness.available_brokers(options.brokers):
        for shards in options.shards if kind == "millrace" else [1]:
            for warm in (False, True):
                results.append(measure(options, kind, shards, warm))
    say("User-space bytes an idle, subscribed connection, between %d and %d of them.\n"
        % (options.low, options.high))
    harness.table(["broker", "shards", "buffers", "slope of resident memory",
                   "resident, start-up excluded", "slope of the ledger (reserved)"],
                  [row_of(one) for one in results])
    for result in results:
        if result["broker"] == "millrace" and result["warm"]:
            say_classes(result)
            say_kernel(result)
    harness.write_result(options, "memory", sheet, results)
    return 0


if __name__ == "__main__":
    harness.run(main)

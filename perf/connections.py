#!/usr/bin/python3
"""More live connections in one broker process than it may open files, all receiving a broadcast.

A shard's connections are direct descriptors of its ring: each table may be as long as the limit of
open files, and the tables don't add up against it. The generator holds the other ends the same way.
"""

import os
import time

import harness
from generator import load
from harness import Broker, say


def main():
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--subscribers", type=int, default=61000)
    parser.add_argument("--shards", type=int, default=4, help="of broker and generator each")
    parser.add_argument("--messages", type=int, default=5)
    parser.add_argument("--payload", type=int, default=4096)
    options = harness.parse(parser)
    if options.smoke:
        options.subscribers, options.shards, options.messages = 300, 2, 2
    sheet = harness.machine_sheet(options)
    harness.say_machine(sheet)
    with Broker("millrace", options, ["--shards", str(options.shards)],
                cores=harness.allowed_cores) as broker:
        say(broker.text().strip())
        before = harness.settled_memory_bytes(broker.pid)
        files = len(os.listdir("/proc/%d/fd" % broker.pid))
        begin = time.monotonic()
        report = load(options, broker, "fanout", [
            "--publishers", 1, "--subscribers", options.subscribers, "--payload",
            options.payload, "--messages", options.messages, "--shards", options.shards,
            "--source", "127.0.0.2-127.0.0.9", "--keep-alive", 600, "--drain-timeout", 30],
            cores=harness.allowed_cores)
        duration = time.monotonic() - begin
    opening = report["rounds"][0]
    connected = max(1, report["connected_count"])
    growth = report["server_memory_growth_bytes"]
    say("")
    harness.table(["what", "figure"], [
        ["connected", "%d of %d" % (report["connected_count"],
                                    report["connections_planned_count"])],
        ["open files of the broker before them", files],
        ["all connected after", "%.2f s" % opening["last_connack_s"]],
        ["delivered", "%d of %d" % (report["delivered_count"], report["expected_count"])],
        ["deliveries/s", "%.0f (%.0f MB/s)" % (report["deliveries_per_s"],
                                                report["payload_mb_per_s"])],
        ["deliveries per broker CPU s", "%.0f" % report["deliveries_per_server_cpu_s"]],
        ["resident bytes a connection, start-up excluded", "%.0f" % (growth / connected)],
        ["resident before", "%.1f MiB" % (before / 2**20)],
        ["whole run", "%.1f s" % duration],
    ])
    harness.write_result(options, "connections", sheet,
                         {"report": report, "open_files": files, "resident_before_bytes": before,
                          "run_s": duration})
    return 0 if report["connected_count"] else 1


if __name__ == "__main__":
    harness.run(main)

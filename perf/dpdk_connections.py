#!/usr/bin/python3
"""A million live connections, and more, on one small machine: broker and generator as two DPDK
processes of one core each. Each connection subscribes and keeps alive; then one broadcast goes to
all of them. Tries one count after the other, and says where it ends and why.
"""

import threading
import time

import dpdk_harness
import harness
from dpdk_harness import DpdkBroker
from harness import Failure, say


def memory_line(name):
    return int(harness.value_of("/proc/meminfo", name).split()[0]) * 1024


class PeakMemory:
    """The most that a process and the whole machine have used."""

    def __init__(self, pid):
        self.pid, self.peak, self.available_min = pid, 0, memory_line("MemAvailable")
        self.running = True
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self):
        while self.running:
            try:
                self.peak = max(self.peak, harness.memory_bytes(self.pid))
            except OSError:
                pass
            self.available_min = min(self.available_min, memory_line("MemAvailable"))
            time.sleep(0.2)

    def stop(self):
        self.running = False
        self.thread.join()
        return self.peak


def serve_arguments(options, count):
    arguments = ["--cpus", str(harness.BROKER_CORE), "--dpdk-idle", "sleep",
                 "--set", "shards.connections_max=%d" % (count + 1000),
                 "--set", "shards.memory_bytes_max=%d" % options.memory,
                 "--set", "dpdk.neighbor_count_max=65536"]
    for one in options.serve:
        arguments += ["--set", one]
    return arguments


def one_broadcast(options, count, payload):
    """Connects `count` subscribers and sends one message to all of them."""
    with DpdkBroker(options, serve_arguments(options, count)) as broker:
        before = harness.settled_memory_bytes(broker.pid)
        command, process = dpdk_harness.start_load(options, broker, "fanout", [
            "--cpus", harness.GENERATOR_CORE, "--publishers", 1, "--subscribers", count,
            "--payload", payload, "--messages", options.messages, "--warmup", 0,
            "--keep-alive", options.keep_alive, "--connects-outstanding", options.outstanding,
            "--drain-timeout", 120, "--timeout", options.timeout])
        peak = PeakMemory(process.pid)
        try:
            cpu_before = harness.cpu_seconds(broker.pid)
            report = dpdk_harness.finish_load(broker, command, process, options.timeout + 60)
            report["server_cpu_whole_s"] = harness.cpu_seconds(broker.pid) - cpu_before
        finally:
            report_peak = peak.stop()
        report["server_memory_bytes"] = harness.memory_bytes(broker.pid)
        report["server_memory_before_bytes"] = before
        report["generator_memory_bytes"] = report_peak
        report["available_min_bytes"] = peak.available_min
        report["payload"] = payload
        return report


def rows_of(count, reports):
    rows = []
    for report in reports:
        opening = report["rounds"][0]
        connected = max(1, report["connected_count"])
        rows.append([
            "%d" % count, "%d B" % report["payload"],
            "%d (lost %d)" % (report["connected_count"], report["lost_connection_count"]),
            "%.0f k/s, %.1f s" % (opening["connects_per_s"] / 1000, opening["last_connack_s"]),
            "%d of %d" % (report["delivered_count"], report["expected_count"]),
            "%.2f s" % (report["delivery_latency_max_ms"] / 1000),
            "%.0f / %.0f" % (report["server_memory_bytes"] / connected,
                             report["generator_memory_bytes"] / connected),
            "%.1f s" % report["server_cpu_whole_s"],
            "%d/%d" % (report["pings_answered_count"], report["pings_sent_count"]),
        ])
    return rows


HEAD = ["connections", "message", "connected", "connecting", "delivered", "broadcast",
        "bytes a connection, broker / generator", "broker CPU", "pings"]


def parse():
    parser = harness.argument_parser(__doc__)
    dpdk_harness.add_arguments(parser)
    parser.add_argument("--counts", type=harness.numbers, default=[1_000_000], metavar="LIST")
    parser.add_argument("--payloads", type=harness.numbers, default=[64, 4096], metavar="LIST")
    parser.add_argument("--messages", type=int, default=1)
    parser.add_argument("--keep-alive", type=int, default=60, help="seconds")
    parser.add_argument("--outstanding", type=int, default=512,
                        help="connections on their way at a time")
    parser.add_argument("--memory", type=int, default=10 * 2**30,
                        help="bytes that the broker's shard may take")
    parser.add_argument("--timeout", type=int, default=900, help="seconds, of each run")
    parser.add_argument("--serve", action="append", default=[], metavar="KEY=VALUE",
                        help="one more setting of the broker; may be repeated")
    options = harness.parse(parser)
    if options.smoke:
        options.counts, options.payloads = [2000], [64]
        options.memory = 256 * 2**20
    return options


def main():
    options = parse()
    sheet = harness.machine_sheet(options)
    harness.say_machine(sheet)
    rows, figures = [], []
    ended = None
    for count in options.counts:
        try:
            reports = [dpdk_harness.repeat_after_driver_fault(
                lambda payload=payload: one_broadcast(options, count, payload))
                for payload in options.payloads]
        except Failure as failure:
            ended = "%d connections: %s" % (count, failure)
            break
        rows += rows_of(count, reports)
        figures += reports
        harness.progress("\n".join(" | ".join(row) for row in rows[-len(reports):]))
        if not all(report["ok"] for report in reports):
            ended = "%d connections: not everything arrived" % count
            break
    say("Memory is all of the process, DPDK's and the start-up's included, at the end of the run.\n")
    harness.table(HEAD, rows)
    if ended:
        say("\nEnded at " + ended)
    harness.write_result(options, "dpdk_connections", sheet, figures)
    return 1 if ended else 0


if __name__ == "__main__":
    harness.run(main)

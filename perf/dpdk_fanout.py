#!/usr/bin/python3
"""1 to 1,000 over DPDK beside io_uring, interleaved.

Per broker CPU second at saturation; the polling core counts whole. The broker and the generator have
a core each in both cases: over memif with DPDK, over loopback with io_uring.
"""

import dpdk_harness
import harness
from dpdk_harness import DpdkBroker
from harness import Broker, Spread, progress, say

FIGURE = "deliveries_per_server_cpu_s"


def arguments_of(options, payload, qos, window):
    return ["--publishers", 1, "--subscribers", options.subscribers, "--payload", payload,
            "--qos", qos, "--window", window, "--duration", options.seconds,
            "--cpus", harness.GENERATOR_CORE]


def run_dpdk(options, cell):
    serve = ["--cpus", str(harness.BROKER_CORE), "--dpdk-idle", options.idle, *options.serve]
    with DpdkBroker(options, serve) as broker:
        return dpdk_harness.load(options, broker, "fanout",
                                 [*arguments_of(options, *cell), "--dpdk-idle", options.idle])


def run_uring(options, cell):
    with Broker("millrace", options, ["--cpus", str(harness.BROKER_CORE)]) as broker:
        return harness.load(options, broker, "fanout", arguments_of(options, *cell))


KINDS = {"dpdk": run_dpdk, "io_uring": run_uring}


def tsc_hertz():
    """The time-stamp counter's frequency; 0 when the kernel doesn't tell."""
    try:
        output = harness.first_line_of(["sh", "-c", "dmesg 2>/dev/null | grep -o "
                                        "'tsc: Detected [0-9.]* MHz' | tail -1"])
        return float(output.split()[2]) * 1e6
    except (IndexError, ValueError):
        return 0.0


def parse():
    parser = harness.argument_parser(__doc__)
    dpdk_harness.add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="measured, of each run")
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--payloads", type=harness.numbers, default=[64, 4096], metavar="LIST")
    parser.add_argument("--qos", type=harness.numbers, default=[0], metavar="LIST")
    parser.add_argument("--windows", type=harness.numbers, default=[1, 32], metavar="LIST")
    parser.add_argument("--idle", default="spin", choices=("spin", "pause", "sleep"))
    parser.add_argument("--serve", action="append", default=[], metavar="ARGUMENT")
    options = harness.parse(parser)
    if options.smoke:
        options.rounds, options.seconds, options.subscribers = 1, 1, 20
        options.payloads, options.windows = [64], [1]
    return options


def row_of(cell, reports, hertz):
    payload, qos, window = cell
    medians = {kind: Spread([one[FIGURE] for one in runs]).median
               for kind, runs in reports.items()}
    row = ["%d B, QoS %d, window %d" % cell]
    for kind, runs in reports.items():
        faults = sum(not one["ok"] for one in runs)
        row.append(Spread([one[FIGURE] for one in runs]).text(1000) +
                   (" (%d not ok)" % faults if faults else ""))
    row.append("%.2f" % (medians["dpdk"] / medians["io_uring"]))
    wall = Spread([one["deliveries_per_s"] for one in reports["dpdk"]]).median
    row.append("%.2f Gbit/s" % (wall * payload * 8 / 1e9))
    row.append("%.0f" % (hertz / medians["dpdk"]) if hertz else "unknown")
    return row


def main():
    options = parse()
    sheet = harness.machine_sheet(options)
    harness.say_machine(sheet)
    rows, figures, hertz = [], [], tsc_hertz()
    for payload in options.payloads:
        for qos in options.qos:
            for window in options.windows:
                cell = (payload, qos, window)
                reports = {kind: [] for kind in KINDS}
                for number in range(options.rounds):
                    for kind, run in KINDS.items():
                        report = run(options, cell)
                        reports[kind].append(report)
                        progress("%d B, QoS %d, window %d, round %d, %s: %.0f deliveries/CPU s%s" % (
                            *cell, number + 1, kind, report[FIGURE],
                            "" if report["ok"] else "  NOT OK (lost %d)" % report["lost_count"]))
                rows.append(row_of(cell, reports, hertz))
                figures.append({"payload_bytes": payload, "qos": qos, "window": window,
                                "reports": reports})
    say("1 publisher to %d subscribers, %d rounds in turns of %d s. Thousands of deliveries per broker "
        "CPU second,\nmin / median / max.\n" % (
            options.subscribers, options.rounds, options.seconds))
    harness.table(["scenario", "dpdk k/CPU s", "io_uring k/CPU s", "ratio of medians",
                   "dpdk goodput", "cycles a delivery (TSC)"], rows)
    harness.write_result(options, "dpdk_fanout", sheet, figures)
    return 0


if __name__ == "__main__":
    harness.run(main)

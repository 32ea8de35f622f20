#!/usr/bin/python3
"""One publisher to many subscribers: deliveries per second of the broker's own processor time.

millrace with one shard beside mosquitto, in turns, a fresh process each time. With window 1 the
next publish waits until every subscriber has the last one, so nothing can be batched.
"""

import harness
from harness import Broker, Spread, load, progress, say

FIGURE = "deliveries_per_server_cpu_s"


def one_run(options, kind, payload, qos, window):
    arguments = ["--cpus", harness.BROKER_CORE, *options.serve] if kind == "millrace" else []
    with Broker(kind, options, map(str, arguments)) as broker:
        return load(options, broker, "fanout", [
            "--publishers", 1, "--subscribers", options.subscribers, "--payload", payload,
            "--qos", qos, "--window", window, "--duration", options.seconds,
            "--cpus", harness.GENERATOR_CORE])


def run_cell(options, kinds, payload, qos, window):
    reports = {kind: [] for kind in kinds}
    for number in range(options.rounds):
        for kind in kinds:
            report = one_run(options, kind, payload, qos, window)
            reports[kind].append(report)
            progress("%d B, QoS %d, window %d, round %d, %s: %.0f deliveries/CPU s%s" % (
                payload, qos, window, number + 1, kind, report[FIGURE],
                "" if report["ok"] else "  NOT OK (lost %d)" % report["lost_count"]))
    return reports


def wall_text(reports):
    rate = Spread([one["deliveries_per_s"] for one in reports]).median
    middle = Spread([one["delivery_latency_p50_ms"] for one in reports]).median
    high = Spread([one["delivery_latency_p99_ms"] for one in reports]).median
    return "%.0f k, %.1f / %.1f ms" % (rate / 1000, middle, high)


def row_of(cell, reports):
    row = ["%d B, QoS %d, window %d" % cell]
    medians = {}
    for kind, runs in reports.items():
        spread = Spread([one[FIGURE] for one in runs])
        medians[kind] = spread.median
        faults = sum(not one["ok"] for one in runs)
        row += [spread.text(1000) + (" (%d not ok)" % faults if faults else ""), wall_text(runs)]
    if len(medians) == 2 and medians["mosquitto"] > 0:
        row.append("%.2f" % (medians["millrace"] / medians["mosquitto"]))
    return row


def parse():
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="measured, of each run")
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--payloads", type=harness.numbers, default=[64, 4096], metavar="LIST")
    parser.add_argument("--qos", type=harness.numbers, default=[0, 1], metavar="LIST")
    parser.add_argument("--windows", type=harness.numbers, default=[32, 1], metavar="LIST")
    parser.add_argument("--brokers", default="millrace,mosquitto", metavar="LIST")
    parser.add_argument("--serve", action="append", default=[], metavar="ARGUMENT",
                        help="one more argument for `millrace serve`; may be repeated")
    options = harness.parse(parser)
    if options.smoke:
        options.rounds, options.seconds, options.subscribers = 1, 1, 20
        options.payloads, options.qos, options.windows = [64], [1], [32]
    return options


def main():
    options = parse()
    kinds = harness.available_brokers(options.brokers)
    sheet = harness.machine_sheet(options)
    harness.say_machine(sheet)
    cells, figures = [], []
    for payload in options.payloads:
        for qos in options.qos:
            for window in options.windows:
                reports = run_cell(options, kinds, payload, qos, window)
                cells.append(row_of((payload, qos, window), reports))
                figures.append({"payload_bytes": payload, "qos": qos, "window": window,
                                "reports": reports})
    say("1 publisher to %d subscribers, %d rounds in turns of %d s. Thousands of deliveries per "
        "broker CPU second,\nmin / median / max; then per second of wall time, with latency "
        "p50 / p99 (medians).\n" % (options.subscribers, options.rounds, options.seconds))
    head = ["scenario"]
    for kind in kinds:
        head += [kind + " k/CPU s", kind + " wall"]
    harness.table(head + (["ratio of medians"] if len(kinds) == 2 else []), cells)
    harness.write_result(options, "fanout", sheet, figures)
    return 0


if __name__ == "__main__":
    harness.run(main)

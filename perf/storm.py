#!/usr/bin/python3
"""Many clients connecting at once: refused, lost, connects a second, broker CPU a connect."""

import harness
from harness import Broker, Spread, load, progress, say


def one_run(options, kind):
    arguments = ["--cpus", str(harness.BROKER_CORE)] if kind == "millrace" else []
    with Broker(kind, options, arguments) as broker:
        report = load(options, broker, "storm", [
            "--connections", options.connections, "--duration", 1, "--keep-alive", 600,
            "--cpus", harness.GENERATOR_CORE])
    progress("%s: %d connected of %d in %.3f s, refused %d, lost %d" % (
        kind, report["connected_count"], report["connections_planned_count"],
        report["rounds"][0]["last_connack_s"], report["refused_count"],
        report["lost_connection_count"]))
    return report


def costs_us(reports):
    """Of the rounds in which all connected: the generator samples the broker only then."""
    rates = [one.get("connects_per_server_cpu_s", 0) for one in reports]
    return [1e6 / rate for rate in rates if rate > 0]


def row_of(kind, reports):
    first = [report["rounds"][0] for report in reports]
    costs = costs_us(reports)
    cost = "%s (%d rounds)" % (Spread(costs).text(1, 1), len(costs)) if costs else "-"
    return [kind, Spread([one["connected_count"] for one in reports]).text(),
            sum(one["refused_count"] for one in reports),
            sum(one["lost_connection_count"] for one in reports),
            Spread([one["connects_per_s"] for one in first]).text(1000, 1),
            cost,
            Spread([one["connack_latency_p99_ms"] for one in first]).text()]


def main():
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=15000)
    parser.add_argument("--brokers", default="millrace,mosquitto", metavar="LIST")
    options = harness.parse(parser)
    if options.smoke:
        options.rounds, options.connections = 1, 200
    kinds = harness.available_brokers(options.brokers)
    sheet = harness.machine_sheet(options)
    harness.say_machine(sheet)
    reports = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind in kinds:
            reports[kind].append(one_run(options, kind))
    say("%d clients at once, %d rounds in turns, min / median / max.\n" % (options.connections,
                                                                          options.rounds))
    harness.table(["broker", "connected", "refused", "lost", "k connects/s",
                   "broker CPU us/connect", "CONNACK p99 ms"],
                  [row_of(kind, runs) for kind, runs in reports.items()])
    harness.write_result(options, "storm", sheet, reports)
    return 0


if __name__ == "__main__":
    harness.run(main)

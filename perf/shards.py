#!/usr/bin/python3
"""Does a delivery cost the same however many shards share the work?

Three answers. Instructions a delivery, counted by callgrind in the broker engine without sockets
(all shards in one thread, joined by their real mailboxes). Deliveries per broker CPU second of a
real broker whose shards all share one core. And deliveries per wall second of one shard against
one a core, with the generator on the same cores: on few cores that shows the generator's share.
"""

import os
import shutil

import harness
from generator import load
from harness import Broker, Spread, progress, say
from instructions import instructions_an_operation

FIGURE = "deliveries_per_server_cpu_s"


# ---- instructions -------------------------------------------------------------------------------

def instructions_a_delivery(options, shards, qos, window):
    return instructions_an_operation(options.engine, "fanout", options.windows, [
        "--shards", shards, "--receivers", options.receivers, "--window", window, "--qos", qos])


def count_instructions(options):
    if options.no_instructions:
        return []
    if not shutil.which("valgrind"):
        say("valgrind is not installed (Debian package valgrind): no instruction counts.\n")
        return []
    if not os.access(options.engine, os.X_OK):
        say("%s is not there: no instruction counts; see --engine.\n" % options.engine)
        return []
    figures = []
    for qos, window in options.cells:
        for shards in options.shards:
            figures.append({"qos": qos, "window": window, "shards": shards,
                            "instructions_per_delivery":
                                instructions_a_delivery(options, shards, qos, window)})
            progress("QoS %d, window %d, %d shards: %.1f instructions a delivery" % (
                qos, window, shards, figures[-1]["instructions_per_delivery"]))
    say("Instructions a delivery in the engine (64 B, %d receivers spread over the shards, "
        "PUBACKs included at QoS 1).\n" % options.receivers)
    rows = []
    for qos, window in options.cells:
        own = [one["instructions_per_delivery"] for one in figures
               if (one["qos"], one["window"]) == (qos, window)]
        rows.append(["QoS %d, window %d" % (qos, window)] + ["%.1f" % one for one in own] +
                    ["%+.1f %%" % (100 * (own[-1] / own[0] - 1))])
    harness.table(["scenario"] + ["%d shard(s)" % one for one in options.shards] +
                  ["last to first"], rows)
    say("")
    return figures


# ---- real brokers -------------------------------------------------------------------------------

def one_run(options, shards, cores):
    arguments = ["--shards", str(shards)]
    with Broker("millrace", options, arguments, cores=cores) as broker:
        return load(options, broker, "fanout", [
            "--publishers", options.publishers, "--subscribers", options.receivers,
            "--window", 32, "--duration", options.seconds, "--cpus", harness.GENERATOR_CORE])


def run_variants(options, variants):
    """{name: reports} in turns; `variants`: {name: (shards, cores)}."""
    reports = {name: [] for name in variants}
    for number in range(options.rounds):
        for name, (shards, cores) in variants.items():
            report = one_run(options, shards, cores)
            reports[name].append(report)
            progress("round %d, %s: %.0f deliveries/CPU s, %.0f/s" % (
                number + 1, name, report[FIGURE], report["deliveries_per_s"]))
    return reports


def say_reports(reports):
    rows = []
    first = next(iter(reports.values()))
    base = [Spread([one[name] for one in first]).median for name in (FIGURE, "deliveries_per_s")]
    for name, runs in reports.items():
        per_cpu = Spread([one[FIGURE] for one in runs])
        wall = Spread([one["deliveries_per_s"] for one in runs])
        rows.append([name, per_cpu.text(1000), "%.2f" % (per_cpu.median / max(1, base[0])),
                     wall.text(1000), "%.2f" % (wall.median / max(1, base[1]))])
    harness.table(["broker", "k deliveries/CPU s", "to first", "k deliveries/s (wall)",
                   "to first"], rows)


def parse():
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--engine", help="`instructions` (beside millrace, in perf/)")
    parser.add_argument("--no-instructions", action="store_true")
    parser.add_argument("--shards", type=harness.numbers, default=[1, 2, 4], metavar="LIST")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--receivers", type=int, default=1000)
    parser.add_argument("--publishers", type=int, default=1)
    options = harness.parse(parser)
    options.cells = [(0, 32), (0, 1), (1, 32), (1, 1)]
    options.windows = 10
    if options.smoke:
        options.shards, options.rounds, options.seconds = [1, 2], 1, 1
        options.receivers, options.cells, options.windows = 20, [(1, 1)], 2
    if not options.engine:
        options.engine = os.path.join(os.path.dirname(options.millrace), "perf", "instructions")
    return options


def main():
    options = parse()
    sheet = harness.machine_sheet(options)
    harness.say_machine(sheet)
    instructions = count_instructions(options)

    one_core = run_variants(options, {
        "%d shard(s) on one core" % shards: (shards, [harness.BROKER_CORE])
        for shards in options.shards})
    say("64 B, QoS 0, window 32 to %d subscribers; broker on core %d, generator on core %d.\n" %
        (options.receivers, harness.BROKER_CORE, harness.GENERATOR_CORE))
    say_reports(one_core)

    cores = harness.allowed_cores
    side_by_side = {}
    if len(cores) > 1:
        side_by_side = run_variants(options, {
            "1 shard": (1, cores[:1]),
            "%d shards on %d cores" % (len(cores), len(cores)): (len(cores), cores)})
        say("\nThe same with a shard on each of %d cores; the generator keeps core %d, so that a "
            "shard there\ngets what the generator leaves.\n" % (len(cores),
                                                              harness.GENERATOR_CORE))
        say_reports(side_by_side)
    harness.write_result(options, "shards", sheet, {
        "instructions": instructions, "one_core": one_core, "side_by_side": side_by_side})
    return 0


if __name__ == "__main__":
    harness.run(main)

#!/usr/bin/python3
"""Runs scenarios: every cell of one, every round, every contender in turn; keeps all that came out.

A scenario is a module in scenarios/ (its README says what stands there). Usually called by run.sh,
which installs what is missing.
"""

import datetime
import importlib
import json
import os
import re
import socket
import sys
import time

import dpdk_harness
import far
import floors
import harness
import network_namespace
import plots
import profiles
import report
from harness import Failure, progress, say

# In the order of the report.
SCENARIOS = ("line_rate", "unshaped", "fan_out", "flatness", "fan_in_pairs", "latency",
             "broadcast", "storm", "idle", "zero_copy")


def parse():
    parser = harness.argument_parser(__doc__)
    dpdk_harness.add_arguments(parser)
    floors.add_arguments(parser)
    far.add_arguments(parser)
    network_namespace.add_arguments(parser)
    profiles.add_arguments(parser)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO",
                        help="of %s; all when none is named" % ", ".join(map(shown, SCENARIOS)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="measured, of each run")
    parser.add_argument("--only", type=re.compile, default=re.compile(""), metavar="REGEX",
                        help="only cells whose name has a match")
    parser.add_argument("--contenders", type=re.compile, default=re.compile(""), metavar="REGEX",
                        help="only contenders whose name has a match")
    parser.add_argument("--results", metavar="FOLDER",
                        help="where to (perf/results/<date>-<host>)")
    options = harness.parse(parser)
    options.scenarios = [name.replace("-", "_") for name in options.scenarios] or list(SCENARIOS)
    for name in options.scenarios:
        if name not in SCENARIOS:
            parser.error("\"%s\" is no scenario; there are %s" % (
                name, ", ".join(map(shown, SCENARIOS))))
    if options.smoke:
        options.rounds, options.seconds = 1, 1
    if not options.results:
        options.results = os.path.join(harness.FOLDER, "results", "%s-%s" % (
            datetime.date.today(), socket.gethostname()))
    return options


def shown(name):
    return name.replace("_", "-")


def run_cell(options, cell, contenders, scenario):
    """The samples of each contender, a round each. One that fails is out, with its reason."""
    outcome = {one.name: {"samples": [], "failure": None} for one in contenders}
    for number in range(options.rounds):
        for contender in contenders:
            kept = outcome[contender.name]
            if kept["failure"]:
                continue
            try:
                sample = dpdk_harness.repeat_after_driver_fault(contender.run)
            except (Failure, OSError) as failure:
                kept["failure"] = str(failure)
                progress("%s, %s: %s" % (cell.name, contender.name, failure))
                continue
            kept["samples"].append(sample)
            progress("%s, round %d, %s: %s%s" % (
                cell.name, number + 1, contender.name, report.value_text(scenario, sample["value"]),
                "" if sample.get("ok", True) else "  NOT OK"))
    return outcome


def run_scenario(options, name):
    scenario = importlib.import_module("scenarios." + name)
    result = {"scenario": name, "far": bool(options.far), "cells": [],
              "machine": harness.machine_sheet(options)}
    began = time.monotonic()
    if options.far and getattr(scenario, "MAKES_ITS_OWN_WIRE", False):
        return {**result, "seconds": 0, "left_out": "it makes a wire of its own, on one machine"}
    for cell in scenario.cells(options):
        if not options.only.search(cell.name):
            continue
        contenders = [one for one in scenario.contenders(options, cell)
                      if options.contenders.search(one.name)]
        kept = {"name": cell.name, "parameters": cell.parameters, "floor": cell.floor,
                "asked": cell.asked, "contenders": run_cell(options, cell, contenders, scenario)}
        if options.profile:
            kept["profile"] = profiles.of_cell(options, name, cell, contenders)
        result["cells"].append(kept)
    return {**result, "seconds": time.monotonic() - began}


def write_down(options, results):
    for result in results:
        result.update(arguments=sys.argv[1:], rounds=options.rounds,
                      measured_seconds=options.seconds)
        with open(os.path.join(options.results, result["scenario"] + ".json"), "w") as out:
            json.dump(result, out, separators=(",", ":"))
            out.write("\n")
    return write_report(options, all_results(options.results))


def all_results(folder):
    """Also of earlier runs into the same folder."""
    results = []
    for name in SCENARIOS:
        path = os.path.join(folder, name + ".json")
        if os.path.exists(path):
            with open(path) as file:
                results.append(json.load(file))
    return results


def write_report(options, results):
    drawn = plots.draw(options.results, results)
    text = report.markdown(results, drawn)
    with open(os.path.join(options.results, "report.md"), "w") as out:
        out.write(text)
    say(text)
    say("Written: %s" % os.path.relpath(options.results))


def main():
    options = parse()
    if options.host:
        options.far = far.FarMachine(options)
    network_namespace.enter(options)
    os.makedirs(options.results, exist_ok=True)
    results = []
    for name in options.scenarios:
        results.append(run_scenario(options, name))
    write_down(options, results)
    measured = any(kept["samples"] for result in results for cell in result["cells"]
                   for kept in cell["contenders"].values())
    if not measured and not all(result.get("left_out") for result in results):
        raise Failure("nothing was measured")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, harness.FOLDER)
    harness.run(main)

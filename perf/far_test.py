#!/usr/bin/python3
"""Tests the suite's --host: the other machine is a network namespace behind a veth pair, and `ip
netns exec` the command that runs things there; once more by a stand-in for ssh, which hands its
words to a shell as ssh does. Skipped (status 77) without root.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import harness
import network_namespace
from harness import Failure, say

SERVER = "millrace-far-%d-server" % os.getpid()
CLIENT = "millrace-far-%d-client" % os.getpid()
SERVER_ADDRESS, CLIENT_ADDRESS = "10.88.1.1", "10.88.1.2"
SCENARIOS = ("line-rate", "fan-out", "fan-in-pairs", "flatness", "latency", "broadcast", "storm",
             "idle", "zero-copy")
# Its bystanders are started by a line of shell, which has to arrive whole.
BY_SSH = ("flatness",)
# Each of them reports what the process here used, which is read here.
MEASURED_HERE = ("fan_out", "fan_in_pairs", "flatness", "broadcast", "storm", "idle", "zero_copy")
WIRE_BYTES_MIN = 1_000_000
SKIPPED = 77


def within(name):
    return ["ip", "netns", "exec", name]


def make_wire():
    for name in (SERVER, CLIENT):
        network_namespace.call(["ip", "netns", "add", name])
        network_namespace.settle(within(name), network_namespace.chosen())
    network_namespace.call(["ip", "link", "add", "wire", "netns", SERVER, "type", "veth", "peer",
                            "name", "wire", "netns", CLIENT])
    for name, address in ((SERVER, SERVER_ADDRESS), (CLIENT, CLIENT_ADDRESS)):
        network_namespace.call([*within(name), "ip", "address", "add", address + "/24", "dev",
                                "wire"])
        network_namespace.call([*within(name), "ip", "link", "set", "wire", "up"])


def remove_wire():
    for name in (SERVER, CLIENT):
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def run_suite(options, folder, scenarios, reached_by, path=""):
    command = [*within(SERVER), sys.executable, os.path.join(harness.FOLDER, "suite.py"), "--smoke",
               "--millrace", options.millrace, "--floors", options.floors, "--results", folder,
               "--contenders", "io_uring|dpdk|bare|raw|plain|zero copy", "--host", CLIENT_ADDRESS,
               *reached_by, *scenarios]
    environment = {**os.environ, "PATH": path + os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Failure("%s\nended with %d:\n%s%s" % (" ".join(command), done.returncode,
                                                    done.stdout, done.stderr))


def check(holds, what):
    if not holds:
        raise Failure(what)


def make_ssh(folder):
    """`ssh HOST WORDS...`: the words with spaces between go to a shell there."""
    path = os.path.join(folder, "ssh")
    with open(path, "w") as out:
        out.write('#!/bin/sh\nshift\nexec %s sh -c "$*"\n' % " ".join(within(CLIENT)))
    os.chmod(path, 0o755)


def check_results(folder, scenarios):
    for scenario in map(lambda name: name.replace("-", "_"), scenarios):
        with open(os.path.join(folder, scenario + ".json")) as file:
            result = json.load(file)
        check(bool(result.get("left_out")) == (scenario == "line_rate"),
              "%s: left out: %s" % (scenario, result.get("left_out")))
        for cell in result["cells"]:
            for name, kept in cell["contenders"].items():
                check_samples("%s, %s, %s" % (scenario, cell["name"], name), name, scenario, kept)


def check_report(folder):
    with open(os.path.join(folder, "report.md")) as file:
        text = file.read()
    check("The load came from " + CLIENT_ADDRESS in text, "the report doesn't name the machine")
    check("Left out: it makes a wire of its own" in text, "the report leaves out in silence")


def check_samples(where, name, scenario, kept):
    check("dpdk" not in name, where + ": memif doesn't go to another machine")
    check(kept["samples"] and not kept["failure"], "%s: %s" % (where, kept["failure"]))
    for sample in kept["samples"]:
        told = sample["report"]
        check(sample.get("ok", True), "%s: not ok: %s" % (where, told))
        if scenario in MEASURED_HERE and name not in ("bare sender", "bare echo"):
            check("server_cpu_s" in told and "softirq_s" in told,
                  "%s: its processor time wasn't read: %s" % (where, sorted(told)))
        if scenario == "idle":
            check(sample["value"] > 0, where + ": its memory wasn't read")


def wire_bytes():
    """What has come from the other end."""
    command = [*within(SERVER), "cat", "/sys/class/net/wire/statistics/rx_bytes"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--floors", required=True)
    options = parser.parse_args()
    if os.geteuid() != 0:
        say("skipped: network namespaces need root")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="millrace-far-") as folder:
        try:
            make_wire()
            run_suite(options, folder, SCENARIOS, [
                "--generator-command", " ".join(within(CLIENT))])
            check_results(folder, SCENARIOS)
            check_report(folder)
            make_ssh(folder)
            run_suite(options, folder, BY_SSH, [], path=folder + ":")
            check_results(folder, BY_SSH)
            check(wire_bytes() > WIRE_BYTES_MIN, "hardly anything went over the wire")
            left = subprocess.run(["ip", "netns", "pids", CLIENT], capture_output=True, text=True,
                                  check=True).stdout.split()
            check(not left, "left running at the other end: %s" % left)
        finally:
            remove_wire()
    say("all of it went to the other end and was measured here")
    return 0


if __name__ == "__main__":
    harness.run(main)

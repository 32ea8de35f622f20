#!/usr/bin/python3
"""The wire alone: what DPDK's own testpmd sends from one process to another over the memif that
dpdk_harness.py joins the broker and the generator with.

One testpmd makes packets (txonly), one drops them (rxonly), each on a core of its own. There is no
TCP, and of a packet only the headers are written. Packets are counted by the receiver and timed by
its clock.

The sender polls: it burns its core while the ring is full too, making packets that it then drops
(sender_dropped_ratio: of all it made). With many of those the receiver is what limits, and the
sender's CPU a packet is far above what sending one costs.
"""

import argparse
import json
import os
import re
import select
import subprocess
import tempfile
import time

import dpdk_harness
import harness
from harness import Failure

PROGRAM = "dpdk-testpmd"
PROMPT = "testpmd> "
PACKET_BYTES_MIN = 42             # Ethernet, IPv4 and UDP headers: testpmd refuses less
PACKET_BYTES_MAX = dpdk_harness.MEMIF_BUFFER_BYTES
BURST_COUNT = 32                  # testpmd's own: packets taken off the ring at a time
HEADROOM_BYTES = 128              # in front of a packet, inside what --mbuf-size counts
MEMORY_MB = 256
# A copying memif holds no mbufs: the bursts in hand and the pool's caches are all that is out.
MBUF_COUNT = 8192
SETTLE_S = 0.5
ANSWER_TIMEOUT_S = 15.0
TAIL_LINES = 25
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\r")


class Testpmd:
    """A testpmd that takes commands on a pipe. It ends by itself when that pipe closes."""

    def __init__(self, name, role, cpu, wire, arguments):
        self.name, self.output = name, ""
        folder, options = wire
        # Two lcores on one processor: the first takes commands and sleeps, the second forwards.
        # --mbuf-size comes before --txpkts, which it bounds.
        self.command = [
            "stdbuf", "-oL", PROGRAM, "--lcores", "0@%d,1@%d" % (cpu, cpu), "--no-pci", "--no-huge",
            "-m", str(MEMORY_MB), "--no-telemetry", "--file-prefix", name,
            "--vdev", dpdk_harness.memif(role, os.path.join(folder, "socket"), options), "--", "-i",
            "--mbuf-size=%d" % (dpdk_harness.MEMIF_BUFFER_BYTES + HEADROOM_BYTES),
            "--total-num-mbufs=%d" % MBUF_COUNT, *arguments]
        # DPDK leaves files of its own behind: here they go with the folder.
        environment = {**os.environ, "RUNTIME_DIRECTORY": folder}
        try:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, env=environment,
                                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except OSError as error:
            raise Failure("%s doesn't start: %s" % (PROGRAM, error)) from None
        self.pid = self.process.pid  # stdbuf becomes testpmd: exec keeps the number

    def fail(self, what):
        tail = "\n".join(self.output.splitlines()[-TAIL_LINES:])
        raise Failure("the %s %s\n%s\nprinted last:\n%s" % (
            self.name, what, " ".join(self.command), tail))

    def await_prompt(self, timeout_s=ANSWER_TIMEOUT_S):
        """What it prints until it waits for a command."""
        deadline, answer = time.monotonic() + timeout_s, ""
        while not answer.endswith(PROMPT):
            if not select.select([self.process.stdout], [], [],
                                 max(0.0, deadline - time.monotonic()))[0]:
                self.fail("didn't answer within %d s:" % timeout_s)
            read = os.read(self.process.stdout.fileno(), 65536)
            if not read:
                self.fail("ended with %d:" % self.process.wait(ANSWER_TIMEOUT_S))
            text = ESCAPES.sub("", read.decode("utf-8", "replace"))
            answer += text
            self.output += text
        return answer

    def ask(self, command):
        try:
            self.process.stdin.write(command.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            self.fail("takes no commands (%s):" % command)
        return self.await_prompt()

    def figure(self, answer, name):
        found = re.findall(r"%s:\s*(\d+)" % re.escape(name), answer)
        if not found:
            self.fail("doesn't tell %s:" % name)
        return int(found[-1])

    def figures(self, command, names):
        answer = self.ask(command)
        return {name: self.figure(answer, name) for name in names}

    def await_link(self):
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while "Link status: up" not in self.ask("show port info 0"):
            if time.monotonic() > deadline:
                self.fail("has no link after %d s:" % ANSWER_TIMEOUT_S)
            time.sleep(0.05)

    def stop(self):
        try:
            if self.process.poll() is None:
                self.process.stdin.write(b"stop\nquit\n")
            self.process.communicate(timeout=ANSWER_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.stop()


def measure(packet_bytes, seconds, sender_cpu, receiver_cpu, ring_log2=11):
    """Sends packets of `packet_bytes` for `seconds`; what arrived and what it cost, as a dict."""
    if not PACKET_BYTES_MIN <= packet_bytes <= PACKET_BYTES_MAX:
        raise Failure("a packet has %d to %d bytes, not %d" % (
            PACKET_BYTES_MIN, PACKET_BYTES_MAX, packet_bytes))
    for cpu in sender_cpu, receiver_cpu:
        if cpu not in harness.allowed_cores:
            raise Failure("cpu %d is not among %s" % (cpu, harness.allowed_cores))
    with tempfile.TemporaryDirectory(prefix="millrace-memif-") as folder:
        wire = folder, argparse.Namespace(ring_log2=ring_log2)
        with Testpmd("receiver", "server", receiver_cpu, wire,
                     ["--forward-mode=rxonly"]) as receiver:
            receiver.await_prompt()  # the server's end of a memif comes first
            with Testpmd("sender", "client", sender_cpu, wire,
                         ["--forward-mode=txonly", "--txpkts=%d" % packet_bytes]) as sender:
                sender.await_prompt()
                return run(sender, receiver, packet_bytes, seconds)


def run(sender, receiver, packet_bytes, seconds):
    sender.await_link()
    receiver.await_link()
    receiver.ask("start")
    sender.ask("start")
    time.sleep(SETTLE_S)
    before, after = {}, {}
    for snapshot in before, after:
        snapshot["sender"] = sender.figures("show fwd stats all", ["TX-packets", "TX-dropped"])
        snapshot["cpu_s"] = {"sender": harness.cpu_seconds(sender.pid),
                             "receiver": harness.cpu_seconds(receiver.pid)}
        snapshot["at"] = time.monotonic()
        snapshot["receiver"] = receiver.figures(
            "show port stats 0", ["RX-packets", "RX-bytes", "RX-nombuf", "Rx-pps"])
        if snapshot is before:
            time.sleep(seconds)
    rise = {end: {name: after[end][name] - before[end][name] for name in after[end]}
            for end in ("sender", "receiver", "cpu_s")}
    packets, made = rise["receiver"]["RX-packets"], sum(rise["sender"].values())
    if packets <= 0:
        receiver.fail("got nothing in %.1f s (the sender queued %d):" % (
            seconds, rise["sender"]["TX-packets"]))
    # A snapshot may fall inside a burst, whose bytes are counted before its packets.
    stray_bytes = abs(rise["receiver"]["RX-bytes"] - packets * packet_bytes)
    if stray_bytes > 2 * BURST_COUNT * packet_bytes:
        receiver.fail("got packets of %.1f bytes, not of %d:" % (
            rise["receiver"]["RX-bytes"] / packets, packet_bytes))
    # "Since last show", by the receiver's own clock.
    packets_per_s, cpu_s = after["receiver"]["Rx-pps"], rise["cpu_s"]["sender"]
    return {
        "packet_bytes": packet_bytes,
        "packets_per_s": packets_per_s,
        "bits_per_s": packets_per_s * packet_bytes * 8,
        "packets": packets,
        "receiver_no_mbuf_count": rise["receiver"]["RX-nombuf"],
        "seconds": after["at"] - before["at"],
        # Well below `seconds`: something else ran on that core.
        "sender_cpu_s": cpu_s,
        "receiver_cpu_s": rise["cpu_s"]["receiver"],
        "packets_per_sender_cpu_s": packets / cpu_s if cpu_s else 0.0,
        "sender_dropped_ratio": rise["sender"]["TX-dropped"] / made if made else 0.0,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=4160, help="of a packet, its headers included")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--sender-cpu", type=int, default=harness.BROKER_CORE)
    parser.add_argument("--receiver-cpu", type=int, default=harness.GENERATOR_CORE)
    parser.add_argument("--ring-log2", type=int, default=11, help="descriptors of a memif ring")
    options = parser.parse_args()
    harness.say(json.dumps(measure(options.bytes, options.seconds, options.sender_cpu,
                                   options.receiver_cpu, options.ring_log2), indent=1))
    return 0


if __name__ == "__main__":
    harness.run(main)

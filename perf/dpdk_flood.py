#!/usr/bin/python3
"""What a flood of SYNs, and blind attacks on a connection, cost our TCP and those who use it.

Over a veth pair in a network namespace of its own, by the packet driver, on the server's end;
needs root. The broker is measured from outside; stack_peer, the same stack with nothing above it,
also tells what it took and why it dropped what it dropped.
"""

import collections
import os
import sys
import time

import harness
from harness import Failure, progress, say

TESTS = os.path.join(harness.FOLDER, "..", "tests", "dpdk")
sys.path.append(TESTS)

import hostile  # noqa: E402 (needs the path above)
import peer_process  # noqa: E402
import wire  # noqa: E402

import broker_process  # noqa: E402 (by the path that hostile.py has added)

PORT = 7_000

# Totals beside the reasons, and what the regular client does.
NOT_REASONS = ("bytes_in_order", "bytes_out", "bytes_received", "bytes_sent", "connections",
               "connections_in_memory", "flow_table_entries", "frames_in", "frames_out",
               "half_open", "neighbors", "payload_bytes_out", "payload_sums_computed",
               "payload_sums_reused", "receives", "segments_in", "segments_out", "sends", "sleeps",
               "timers", "wakes")

Phase = collections.namedtuple(
    "Phase", "subject name sent taken cpu_s seconds round_trips memory_bytes")


class Broker:
    name = "millrace"

    def __init__(self, options):
        broker_process.settings.net = "dpdk"
        broker_process.settings.executable = options.millrace
        self.process = broker_process.BrokerProcess()
        self.pid = self.process.process.pid
        self.target = hostile.Target(self.process.wire.kernel_end, self.process.wire.config["mac"],
                                     self.process.address)

    def new_client(self):
        return hostile.LiveMqtt(self.process.address, "regular", pause_s=0.001, burst=1)

    def counters(self):
        return None

    def stop(self):
        return self.process.stop()


class StackPeer:
    name = "stack_peer"

    def __init__(self, options):
        peer_process.settings.executable = options.stack_peer
        self.wire = wire.Wire()
        self.process = peer_process.PeerProcess(self.wire.peer_arguments())
        self.pid = self.process.process.pid
        self.target = hostile.Target(wire.KERNEL_END, wire.OUR_MAC, (self.wire.ours[4], PORT))
        self.process.listen(*self.target.address, "echo")

    def new_client(self):
        return hostile.LiveEcho(self.target.address, pause_s=0.001)

    def counters(self):
        return hostile.counters_of(self.process.dump())

    def stop(self):
        problem = self.process.stop()
        self.wire.remove()
        return problem


def parse():
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--stack-peer", metavar="PATH",
                        help="tests/dpdk/stack_peer (default: beside millrace)")
    parser.add_argument("--flood", metavar="PATH",
                        help="tests/dpdk/flood (default: beside millrace)")
    parser.add_argument("--syns", type=int, default=1_000_000)
    parser.add_argument("--blind", type=int, default=200_000, help="frames of each blind attack")
    parser.add_argument("--rates", type=harness.numbers, default=[0, 100_000], metavar="LIST",
                        help="SYNs a second, a flood for each; 0: as fast as it goes")
    parser.add_argument("--blind-rate", type=int, default=0, help="the same for blind attacks")
    parser.add_argument("--seconds", type=float, default=3, help="quiet time before and after")
    options = harness.parse(parser)
    for name in ("stack_peer", "flood"):
        beside = os.path.join(os.path.dirname(options.millrace), "tests", "dpdk", name)
        setattr(options, name, os.path.abspath(getattr(options, name) or beside))
        if not os.access(getattr(options, name), os.X_OK):
            parser.error("%s is not an executable" % getattr(options, name))
    if options.smoke:
        options.syns, options.blind, options.seconds = 20_000, 1_000, 0.3
    return options


def pin(pid, core):
    """All its threads: the one that opened the device isn't the one that polls it."""
    for thread in os.listdir("/proc/%d/task" % pid):
        os.sched_setaffinity(int(thread), {core})


def cpu_seconds(pid):
    """Of the threads that there are, finer than the ticks of /proc/PID/stat."""
    nanoseconds = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, thread)) as file:
            nanoseconds += int(file.read().split()[0])
    return nanoseconds / 1e9


def measure(subject, live, name, act):
    """What `act` does meanwhile (it returns how many frames it sent), with its figures."""
    counters, cpu_s, first = subject.counters(), cpu_seconds(subject.pid), live.count
    begin = time.monotonic()
    sent = act()
    seconds, cpu_s = time.monotonic() - begin, cpu_seconds(subject.pid) - cpu_s
    live.await_more(1)  # that which was on its way
    round_trips = sorted(live.round_trips[first:])
    grown = None if counters is None else hostile.growth(counters, subject.counters())
    progress("%s, %s: %d frames in %.2f s" % (subject.name, name, sent, seconds))
    return Phase(subject.name, name, sent, None if grown is None else grown["frames_in"], cpu_s,
                 seconds, round_trips, harness.memory_bytes(subject.pid)), grown


def quiet(seconds):
    def act():
        time.sleep(seconds)
        return 0
    return act


def attack(options, subject, live, count, rate, attacks):
    client = None if attacks == ("syn",) else live.address()

    def act():
        flood = hostile.Flood(options.flood, subject.target, count=count, rate=rate,
                              attacks=attacks, client=client, until_end=False)
        try:
            return flood.end()["sent"]
        finally:
            flood.kill()
    return act


def measure_subject(options, kind):
    subject = kind(options)
    pin(subject.pid, harness.BROKER_CORE)
    phases, reasons = [], []
    try:
        live = subject.new_client()
        live.await_more(20)
        steps = [("before", quiet(options.seconds))]
        for rate in options.rates:
            name = "SYNs, " + ("%d k/s" % (rate // 1_000) if rate else "full speed")
            steps.append((name, attack(options, subject, live, options.syns, rate, ("syn",))))
            steps.append(("after", quiet(options.seconds)))
        for name in hostile.BLIND_ATTACKS:
            steps.append((name, attack(options, subject, live, options.blind, options.blind_rate,
                                       (name,))))
        steps.append(("after", quiet(options.seconds)))
        for name, act in steps:
            phase, grown = measure(subject, live, name, act)
            phases.append(phase)
            if grown is not None and phase.sent:
                reasons.append((name, phase.sent, grown))
        live.finish()
    except BaseException:
        subject.process.kill()
        raise
    problem = subject.stop()
    if problem:
        raise Failure(problem)
    return phases, reasons


def share(values, part):
    return values[min(len(values) - 1, int(len(values) * part))] * 1_000


def a_million(cpu_s, count):
    return "%.2f" % (cpu_s * 1e6 / count) if count else "-"


def row_of(phase):
    taken = phase.taken if phase.sent else None
    return [phase.subject, phase.name, phase.sent or "-",
            "%.0f" % (phase.sent / phase.seconds / 1_000) if phase.sent else "-",
            "-" if taken is None else taken, "%.2f" % phase.cpu_s,
            a_million(phase.cpu_s, phase.sent), a_million(phase.cpu_s, taken),
            len(phase.round_trips),
            "%.2f" % share(phase.round_trips, 0.5), "%.2f" % share(phase.round_trips, 0.99),
            "%.2f" % (phase.round_trips[-1] * 1_000), "%.1f" % (phase.memory_bytes / 1e6)]


def reasons_text(grown):
    return ", ".join("%s %d" % (name, value) for name, value in sorted(
        grown.items(), key=lambda one: -one[1])
        if value > 0 and name not in NOT_REASONS and not name.startswith("link "))


def main():
    options = parse()
    wire.enter_or_skip()
    sheet = harness.machine_sheet(options)
    harness.say_machine(sheet)
    os.sched_setaffinity(0, {harness.GENERATOR_CORE})  # the attacker and the client, as one core
    rows, all_phases, all_reasons = [], [], []
    for kind in (Broker, StackPeer):
        phases, reasons = measure_subject(options, kind)
        rows += [row_of(phase) for phase in phases]
        all_phases += phases
        all_reasons += reasons
    say("The server on one core; the attacker and a regular client, one exchange at a time with a "
        "millisecond\nbetween, on the other one. CPU is the server's, all of it. Taken: frames "
        "that reached the stack, the\nclient's included; the others were lost before, in a full "
        "ring or the kernel's backlog.\n")
    harness.table(["server", "phase", "frames sent", "k/s", "taken", "CPU s", "CPU s/M sent",
                   "CPU s/M taken", "round trips", "p50 ms", "p99 ms", "max ms", "memory MB"], rows)
    say("\nWhat stack_peer counted:\n")
    harness.table(["attack", "sent", "reasons"],
                  [[name, sent, reasons_text(grown)] for name, sent, grown in all_reasons])
    harness.write_result(options, "dpdk_flood", sheet, {
        "phases": [phase._asdict() for phase in all_phases],
        "reasons": [{"attack": name, "sent": sent, "counters": grown}
                    for name, sent, grown in all_reasons]})
    return 0


if __name__ == "__main__":
    harness.run(main)

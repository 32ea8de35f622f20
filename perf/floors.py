#!/usr/bin/python3
"""What the input and output of a broker cost without a broker, for other programs to measure
against: floors/ run in pairs, the measured side on the broker's core.

As a program it prints the bare sender's table; with --smoke it runs every part for a moment. A
floor whose two ends don't agree on the bytes is a failure, not a figure.
"""

import json
import os
import signal
import subprocess
import tempfile
import time

import generator
import harness
from harness import Failure, Spread, progress, say

TOPIC = "load/fanout"  # of `millrace load fanout`
START_TIMEOUT_S = 10.0
SPARE_S = 30.0         # over the time that a floor takes by itself
WARM_UP = 0.1          # of the measured seconds, before them


def add_arguments(parser):
    parser.add_argument("--floors", metavar="PATH",
                        help="that executable (perf/floors beside --millrace)")


def executable(options):
    path = options.floors or os.path.join(os.path.dirname(options.millrace), "perf", "floors")
    if not os.access(path, os.X_OK):
        raise Failure("%s is not an executable; see --floors" % path)
    return os.path.abspath(path)


def frame_bytes(payload):
    """The bytes of a PUBLISH with such a payload (MQTT 3.1.1, QoS 0)."""
    remaining = 2 + len(TOPIC) + payload
    length_bytes, rest = 1, remaining >> 7
    while rest > 0:
        length_bytes, rest = length_bytes + 1, rest >> 7
    return 1 + length_bytes + remaining


# ---- processes ----------------------------------------------------------------------------------

def command_of(options, core, arguments):
    return ["taskset", "-c", str(core), executable(options)] + [str(one) for one in arguments]


def report_of(command, status, output, errors):
    try:
        if status == 0:
            return json.loads(output)
    except ValueError:
        pass
    raise Failure("%s\nended with %s:\n%s%s" % (" ".join(command), status, output, errors))


class Server(harness.Server):
    """A floor that listens, on harness.BROKER_CORE. generator.load() takes it for a broker."""

    def __init__(self, options, arguments):
        self.face(options)
        self.kind = "floors " + arguments[0]
        self.command = command_of(options, harness.BROKER_CORE,
                                  [arguments[0], "--address", self.host] + arguments[1:])
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-floors-")
        self.output_path = os.path.join(self.folder.name, "output")
        self.errors_path = os.path.join(self.folder.name, "errors")
        with open(self.output_path, "wb") as output, open(self.errors_path, "wb") as errors:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=errors,
                                            preexec_fn=harness.raise_open_file_limit)
        self.pid = self.process.pid  # taskset becomes the floor: exec keeps the number
        self.port = self._await_port()

    def _await_port(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            lines = contents(self.errors_path).split("\n")
            if len(lines) > 1 and lines[0].startswith("listening on "):
                return int(lines[0].rpartition(":")[2])
            if not self.alive():
                break
            time.sleep(0.005)
        text = self.text()
        self.stop()
        raise Failure("%s doesn't listen:\n%s" % (self.kind, text))

    def text(self):
        return contents(self.errors_path) + contents(self.output_path)

    def result(self, timeout_s=harness.STOP_TIMEOUT_S):
        """Its report once it has ended; ends it by SIGTERM first, unless that is its own affair."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Failure("%s doesn't end:\n%s" % (self.kind, self.text())) from None
        return report_of(self.command, status, contents(self.output_path),
                         contents(self.errors_path))

    def end(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        return self.result()


class AcceptLoop(Server):
    """Answers MQTT clients and does nothing for them: generator.load(options, this, "storm", ...).
    .end() gives its report: accepted, connects, cpu_s, connects_per_cpu_s."""

    def __init__(self, options, seconds=600):
        super().__init__(options, ["accept", "--seconds", seconds])


def contents(path):
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "replace")


def run_client(options, server, arguments, seconds):
    """The other side of `server`, on the generator's core, to its end; its report."""
    arguments = [arguments[0], "--address", server.host, "--port", server.port] + arguments[1:]
    if options.far:
        command = options.far.pinned([options.far.floors, *arguments])
    else:
        command = command_of(options, harness.GENERATOR_CORE, arguments)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds + 2 * SPARE_S, check=False,
                              preexec_fn=harness.raise_open_file_limit)
    except subprocess.TimeoutExpired:
        raise Failure("%s doesn't end" % " ".join(command)) from None
    return report_of(command, done.returncode, done.stdout, done.stderr + server.text())


def check(holds, what, *reports):
    if not holds:
        raise Failure("%s:\n%s" % (what, "\n".join(map(str, reports))))


# ---- the floors ---------------------------------------------------------------------------------

def bare_send(options, receivers, payload, window, coalesce, engine, seconds):
    """The sender's report: messages, messages_per_cpu_s, wall_s, ..., and "receive"."""
    arguments = ["send", "--receivers", receivers, "--bytes", frame_bytes(payload), "--window",
                 window, "--engine", engine, "--seconds", seconds]
    with Server(options, arguments + (["--coalesce"] if coalesce else [])) as sender:
        whole_s = seconds * (1 + WARM_UP)
        receive = run_client(options, sender, ["receive", "--receivers", receivers, "--seconds",
                                               whole_s + SPARE_S], whole_s + SPARE_S)
        report = sender.result()
    expected = report["bytes_with_warm_up"]
    check(receive["bytes"] == expected and
          receive["bytes_a_receiver_min"] * receivers == expected and
          receive["bytes_a_receiver_max"] * receivers == expected,
          "not every receiver has what was sent", report, receive)
    return dict(report, receive=receive)


def bare_sender(options, receivers, payload, window, engine):
    """A contender's sample: messages a second of the sender's own processor time. A window of more
    than one leaves in one send a receiver."""
    told = bare_send(options, receivers, payload, window, coalesce=window > 1, engine=engine,
                     seconds=options.seconds)
    return {"value": told["messages_per_cpu_s"], "report": told}


def echo_and_ping(options, connections, payload, seconds, mode):
    """The reports of both; the echo counts from the first byte on, warm-up included."""
    bytes_each = frame_bytes(payload)
    with Server(options, ["echo", "--bytes", bytes_each, "--seconds",
                          seconds + 2 * SPARE_S]) as server:
        client = run_client(options, server, ["ping", "--connections", connections, "--bytes",
                                              bytes_each, "--seconds", seconds, *mode], seconds)
        report = server.end()
    check(client["lost"] == 0 and client["bytes_sent"] == client["bytes_received"] and
          client["bytes_sent"] == report["bytes"] and report["accepted"] == connections,
          "not all that was sent came back", report, client)
    return report, client


def bare_echo(options, connections, payload, window, seconds):
    """The echo's report (messages_per_cpu_s, ...), and "ping" with round trips and latencies."""
    report, client = echo_and_ping(options, connections, payload, seconds, ["--window", window])
    return dict(report, ping=client)


def ping(options, connections, payload, rate, seconds, sleep=False):
    """Open loop: the client's report (latency_us, curve, ...), and "echo". The client spins
    between due times, or sleeps as a load generator does; latency counts from the due time."""
    report, client = echo_and_ping(options, connections, payload, seconds,
                                   ["--rate", rate] + (["--sleep"] if sleep else []))
    return dict(client, echo=report)


# ---- the program --------------------------------------------------------------------------------

def smoke(options):
    for engine in ("write", "uring"):
        for payload, window, coalesce in ((64, 1, False), (64, 8, True), (4096, 8, False),
                                          (4096, 64, True)):
            report = bare_send(options, 20, payload, window, coalesce, engine, 0.1)
            say("send %s, %d B, window %d%s: %d messages at both ends" % (
                engine, payload, window, " coalesced" if coalesce else "", report["messages"]))
    report = bare_echo(options, 10, 64, 4, 0.2)
    say("echo: %d messages there and back" % report["messages"])
    # More than the sockets take at once.
    report = bare_echo(options, 2, 200000, 64, 0.2)
    say("echo of long ones: %d messages there and back" % report["messages"])
    for sleep in (False, True):
        report = ping(options, 10, 64, 1000, 0.3, sleep)
        check(report["round_trips"] > 0 and report["lost"] == 0 and
              report["bytes_sent"] == report["bytes_received"], "some didn't come back", report)
        say("ping: %d round trips on time" % report["round_trips"])
    for version in (4, 5):
        with AcceptLoop(options) as server:
            report = generator.load(options, server, "storm", [
                "--connections", 50, "--duration", 1, "--mqtt-version", version])
            accepted = server.end()
        check(report["connected_count"] == 50 and report["refused_count"] == 0 and
              accepted["connects"] == 50, "not all 50 were accepted", report, accepted)
        say("accept: %d clients of level %d" % (accepted["connects"], version))


CELLS = [(payload, window, window > 1) for payload in (64, 4096) for window in (1, 32)]


def send_table(options):
    figures = []
    for number in range(options.rounds):
        for engine in ("write", "uring"):
            for cell in CELLS:
                report = bare_send(options, options.receivers, *cell, engine, options.seconds)
                figures.append({"engine": engine, "cell": cell, "report": report})
                progress("%s, %d B, window %d, round %d: %.0f messages/CPU s" % (
                    engine, cell[0], cell[1], number + 1, report["messages_per_cpu_s"]))
    rows = []
    for cell in CELLS:
        row = ["%d B, window %d%s" % (cell[0], cell[1], " coalesced" if cell[2] else "")]
        for engine in ("write", "uring"):
            rates = [one["report"]["messages_per_cpu_s"] for one in figures
                     if one["engine"] == engine and one["cell"] == cell]
            row.append(Spread(rates).text(1000))
        rows.append(row)
    say("Thousands of messages per sender CPU second to %d receivers, %d rounds in turns of %g s, "
        "min / median / max.\n" % (options.receivers, options.rounds, options.seconds))
    harness.table(["bare sender", "send(2)", "io_uring"], rows)
    return figures


def main():
    parser = harness.argument_parser(__doc__)
    add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="measured, of each run")
    parser.add_argument("--receivers", type=int, default=1000)
    options = harness.parse(parser)
    if options.smoke:
        smoke(options)
        return 0
    sheet = harness.machine_sheet(options)
    harness.say_machine(sheet)
    harness.write_result(options, "floors", sheet, send_table(options))
    return 0


if __name__ == "__main__":
    harness.run(main)

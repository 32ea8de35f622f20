#!/usr/bin/python3
"""What does it cost a shard that one can look into it? Instructions a message, with nothing of it asked for
and with all of it, beside an older build's.

    seeing_inside.py --against OLDER/build/millrace

The instructions are those of the shard's thread of a real server over io_uring, all of them outside the
kernel, counted one by one (micro/steps.cc). Messages go one at a time, each a turn of its own: nothing
is shared between two of them, so that what is done once a turn weighs most. Then what a request costs
the shard that is asked.

"off" is a server without the listener. "on" is one with it: /metrics, /api/v1/shards and
/api/v1/topics/hot are asked once a second, the log's last lines are kept, and another client, which
says nothing, is traced. What depends on time isn't in it (a turn of the loop each second, samples of a
profile): the thread is some ten thousand times slower than it would be.
"""

import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading

import harness
from harness import Broker, Failure, say

sys.path.append(os.path.join(harness.FOLDER, "..", "tests", "interop"))
import mqtt_wire as mqtt  # noqa: E402  (needs the path above)

WARM_UP_MESSAGES = 20
ANSWER_TIMEOUT_S = 60.0    # of the listener; at most what admin.timeout_ms takes
DELIVERY_TIMEOUT_S = 600.0 # of a thread that is stepped, on a busy machine
RATIO_WANTED = 1.01
SKIPPED = 77
SUBJECTS = {  # receivers and QoS
    "1 to 1, QoS 0": (1, 0), "1 to 1, QoS 1": (1, 1), "1 to 100, QoS 0": (100, 0)}
REQUESTS = ["/metrics", "/healthz", "/api/v1/shards", "/api/v1/topics/hot", "/api/v1/receivers/slow",
            "/api/v1/memory", "/api/v1/events", "/api/v1/clients?limit=1",
            "/api/v1/clients?limit=100", "/api/v1/subscriptions?limit=100",
            "/api/v1/topics?limit=100", "/api/v1/topics/lookup?topic=seen/0"]
TRACE_S = 3600


class Steps:
    """Counts a thread's instructions while the context lasts."""

    def __init__(self, options, pid, thread):
        self.process = subprocess.Popen(
            ["taskset", "-c", str(harness.BROKER_CORE), options.steps, str(pid), thread],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "counting\n":
            raise Failure(self.process.stderr.read())

    def count(self):
        """So far, once the thread sleeps."""
        self.process.stdin.write("?")
        self.process.stdin.flush()
        told = self.process.stdout.readline()
        if not told:
            raise Failure("the thread has ended: " + self.process.stderr.read())
        return int(told)

    def of(self, work):
        before = self.count()
        work()
        return self.count() - before

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()


class Client:
    def __init__(self, broker, name):
        self.name = name
        self.wire = mqtt.Wire((broker.host, broker.port), 4, DELIVERY_TIMEOUT_S)
        self.wire.send(mqtt.connect(name, 4))
        self.expect(mqtt.CONNACK)

    def expect(self, kind):
        got = self.wire.receive()
        if got.kind != kind:
            raise Failure("%s got %r" % (self.name, got))
        return got

    def subscribe(self, topic, qos):
        self.wire.send(mqtt.subscribe(1, [(topic, qos)], 4))
        self.expect(mqtt.SUBACK)


class Conversation:
    """A publisher and its receivers; publish() is one message to all of them."""

    def __init__(self, broker, receivers, qos, payload_bytes=64):
        self.qos, self.receivers = qos, [Client(broker, "seen-%d" % n) for n in range(receivers)]
        self.publisher = Client(broker, "publisher")
        for index, one in enumerate(self.receivers):
            one.subscribe("all/of/them", qos)
            one.subscribe("seen/%d" % index, qos)
        self.packet = mqtt.publish("all/of/them", b"x" * payload_bytes, qos=qos,
                                   packet_id=1 if qos else None, version=4)

    def publish(self):
        self.publisher.wire.send(self.packet)
        for one in self.receivers:
            got = one.expect(mqtt.PUBLISH)
            if self.qos:
                one.wire.send(mqtt.ack(mqtt.PUBACK, got.packet_id, version=4))
        if self.qos:
            self.publisher.expect(mqtt.PUBACK)


class Listener:
    """Asks a broker's listener."""

    def __init__(self, port):
        self.port = port

    def ask(self, path, method="GET", body=None):
        """(status, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request(method, path, body,
                               {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    @contextlib.contextmanager
    def asked_each_second(self, paths):
        end = threading.Event()

        def run():
            while not end.wait(1.0):
                for path in paths:
                    with contextlib.suppress(OSError, http.client.HTTPException):
                        self.ask(path)
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()


def served(options, executable, is_on):
    """A broker, and its Listener or None."""
    chosen = type(options)(**{**vars(options), "millrace": executable})
    arguments = ["--shards", "1", "--set", "timeouts.sys_interval_ms=0"]
    port = harness.free_port() if is_on else None
    if is_on:
        arguments += ["--set", "admin.listen=127.0.0.1:%d" % port,
                      "--set", "admin.timeout_ms=%d" % (1000 * ANSWER_TIMEOUT_S)]
    return Broker("millrace", chosen, arguments), Listener(port) if is_on else None


def look_into(listener, broker):
    """Everything on; says what."""
    told, paths = [], []
    Client(broker, "traced")
    status, _ = listener.ask("/api/v1/traces", "POST",
                             json.dumps({"client_id": "traced", "seconds": TRACE_S}))
    told.append("a trace of another client" if status == 201 else "no trace (status %d)" % status)
    for path in ("/metrics", "/api/v1/shards", "/api/v1/topics/hot"):
        status, _ = listener.ask(path)
        paths += [path] if status == 200 else []
        told.append(path + (" each second" if status == 200 else " isn't there (%d)" % status))
    return told, paths


def instructions_a_delivery(options, executable, is_on, receivers, qos):
    """Instructions a delivery, the median of some messages; and what was on."""
    broker, listener = served(options, executable, is_on)
    with broker, contextlib.ExitStack() as stack:
        told, paths = look_into(listener, broker) if is_on else ([], [])
        conversation = Conversation(broker, receivers, qos)
        for _ in range(WARM_UP_MESSAGES):
            conversation.publish()
        if is_on:
            stack.enter_context(listener.asked_each_second(paths))
        steps = stack.enter_context(Steps(options, broker.pid, "millrace-0"))
        steps.of(conversation.publish)
        counts = [steps.of(conversation.publish) for _ in range(options.messages)]
    return statistics.median(counts) / receivers, told


def instructions_of_requests(options):
    """{path: instructions of the shard, or None: there is no such path}"""
    broker, listener = served(options, options.millrace, True)
    found = {}
    with broker:
        conversation = Conversation(broker, options.clients, 0)
        conversation.publish()
        there = {path: listener.ask(path)[0] == 200 for path in REQUESTS}
        with Steps(options, broker.pid, "millrace-0") as steps:
            for path in REQUESTS:
                found[path] = statistics.median(
                    steps.of(lambda path=path: listener.ask(path))
                    for _ in range(options.requests)) if there[path] else None
    return found


def parse():
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--against", metavar="PATH", help="an older build's millrace")
    parser.add_argument("--steps", metavar="PATH", help="`steps` (beside millrace, in perf/)")
    parser.add_argument("--only", default="", metavar="TEXT", help="subjects with that in their name")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=30, help="a round and subject")
    parser.add_argument("--requests", type=int, default=3, help="of each kind")
    parser.add_argument("--clients", type=int, default=100, help="that are there when it's asked")
    options = harness.parse(parser)
    if options.smoke:
        options.rounds, options.messages, options.requests, options.clients = 1, 3, 1, 3
    if not options.steps:
        options.steps = os.path.join(os.path.dirname(options.millrace), "perf", "steps")
    if not os.access(options.steps, os.X_OK):
        parser.error("%s is not an executable; see --steps" % options.steps)
    return options


def run_variants(options, subjects):
    """{subject: {variant: [instructions a delivery]}}, in turns; and what was on."""
    variants = {"off": (options.millrace, False), "on": (options.millrace, True)}
    if options.against:
        variants = {"before": (os.path.abspath(options.against), False), **variants}
    figures = {name: {variant: [] for variant in variants} for name in subjects}
    was_on = []
    for number in range(options.rounds):
        for name, (receivers, qos) in subjects.items():
            for variant, (executable, is_on) in variants.items():
                figure, told = instructions_a_delivery(options, executable, is_on, receivers, qos)
                figures[name][variant].append(figure)
                was_on = told or was_on
                harness.progress("round %d, %s, %s: %.1f" % (number + 1, name, variant, figure))
    return figures, was_on


def say_figures(figures):
    """The largest ratio to the first variant."""
    variants = list(next(iter(figures.values())))
    rows, worst = [], 0.0
    for name, found in figures.items():
        medians = {variant: harness.Spread(values).median for variant, values in found.items()}
        ratios = [medians[one] / medians[variants[0]] for one in variants[1:]]
        worst = max([worst, *ratios])
        rows.append([name] + [harness.Spread(found[one]).text(decimals=1) for one in variants] +
                    ["%.4f" % one for one in ratios])
    harness.table(["subject"] + variants + ["%s to %s" % (one, variants[0])
                                            for one in variants[1:]], rows)
    return worst


def main():
    options = parse()
    if os.geteuid() != 0:
        say("Skipped: to step another process's thread needs root (ptrace).")
        return SKIPPED
    sheet = harness.machine_sheet(options)
    harness.say_machine(sheet)
    subjects = dict(list(SUBJECTS.items())[:1]) if options.smoke else {
        name: one for name, one in SUBJECTS.items() if options.only in name}
    figures, was_on = run_variants(options, subjects)
    say("Instructions a delivery of the shard's thread, outside the kernel: 64 B, one message at a "
        "time;\nsmallest, median and largest of %d rounds. On: %s.\n" % (options.rounds,
                                                                    ", ".join(was_on)))
    worst = say_figures(figures)
    say("\nThe largest ratio is %.4f; at most %.2f is wanted%s.\n" % (
        worst, RATIO_WANTED, "" if options.against else " of --against, which wasn't given"))
    requests = instructions_of_requests(options)
    say("Instructions that a request costs the shard's thread, with %d clients:\n"
        % (options.clients + 1))
    harness.table(["request", "instructions"], [
        [path, "isn't there" if count is None else "%.0f" % count]
        for path, count in requests.items()])
    harness.write_result(options, "seeing_inside", sheet, {
        "against": options.against and harness.first_line_of([options.against, "--version"]),
        "instructions_a_delivery": figures, "on": was_on, "instructions_of_requests": requests})
    return 0


if __name__ == "__main__":
    harness.run(main)

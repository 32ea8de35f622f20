#!/usr/bin/python3
"""Does a walk over all clients by the API show in the latency of those who work?

Many clients are connected and silent. A fan-out to others runs at a rate (open loop: a message counts
from when it was due), alternately alone and while all pages of /api/v1/clients are asked for, one
after the other, again and again. A third kind of run asks for /api/v1/shards as often: it reads no
client, so it shows what the asking itself takes from the machine. Shown are the fan-out's latencies, and
how long a walk takes.
"""

import http.client
import json
import statistics
import threading
import time

import harness
from bystanders import Bystanders
from generator import load
from harness import Broker, Failure, Spread, progress, say

PERCENTILES = ("p50_ms", "p99_ms", "p999_ms", "max_ms")
ASK_TIMEOUT_S = 30.0
VARIANTS = {"alone": None, "asked for shards": "/api/v1/shards", "clients walked": "/api/v1/clients"}


class Walker:
    """Asks for pages, one after the other, in a thread while the context lasts; an answer a
    connection, as the listener wants it. The same number of requests each second for every path when
    `pause_s` is set."""

    def __init__(self, port, path, limit, pause_s):
        self.port, self.path, self.limit, self.pause_s = port, path, limit, pause_s
        self.is_ending = threading.Event()
        self.walks_s, self.rows, self.requests_s, self.fault = [], [], [], None
        self.thread = threading.Thread(target=self.run)

    def ask(self, path):
        """The answer's object."""
        start = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ASK_TIMEOUT_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        self.requests_s.append(time.monotonic() - start)
        if answer.status != 200:
            raise Failure("%s: %d %r" % (path, answer.status, body[:300]))
        return json.loads(body)

    def walk(self):
        """All pages of the path: how many rows."""
        start, rows, cursor = time.monotonic(), 0, None
        while not self.is_ending.is_set():
            if self.path == "/api/v1/clients":
                page = self.ask("%s?limit=%d%s" % (self.path, self.limit,
                                                   "&cursor=" + cursor if cursor else ""))
                rows, cursor = rows + len(page["clients"]), page["next"]
            else:
                self.ask(self.path)
            if cursor is None:
                self.walks_s.append(time.monotonic() - start)
                self.rows.append(rows)
                return
            self.is_ending.wait(self.pause_s)

    def run(self):
        try:
            while not self.is_ending.is_set():
                self.walk()
                self.is_ending.wait(self.pause_s)
        except (Failure, OSError, http.client.HTTPException, ValueError) as error:
            self.fault = error

    def __enter__(self):
        if self.path:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_ending.set()
        if self.path:
            self.thread.join()


def one_run(options, broker, port, variant):
    with Walker(port, VARIANTS[variant], options.limit, options.pause_ms / 1000) as walker:
        report = load(options, broker, "fanout", [
            "--publishers", 1, "--subscribers", options.subscribers, "--payload", 64, "--rate",
            options.rate, "--duration", options.seconds, "--client-id-prefix", "worker"])
    if walker.fault:
        raise Failure("%s: %s" % (variant, walker.fault))
    if VARIANTS[variant] and not walker.requests_s:
        raise Failure("%s: no answer in the whole run" % variant)
    return {"latency": {one: report["delivery_latency_" + one] for one in PERCENTILES},
            "lost": report["lost_count"], "server_cpu_s": report["server_cpu_s"],
            "walks_s": walker.walks_s, "rows": walker.rows, "requests_s": walker.requests_s}


def run_rounds(options, broker, port):
    runs = {variant: [] for variant in VARIANTS}
    for number in range(options.rounds):
        for variant, found in runs.items():
            run = one_run(options, broker, port, variant)
            found.append(run)
            progress("round %d, %s: p99 %.2f ms, %d requests, %d walks" % (
                number + 1, variant, run["latency"]["p99_ms"], len(run["requests_s"]),
                len(run["walks_s"])))
    return runs


def say_runs(options, runs):
    say("Latency in ms of a fan-out to %d, %d messages a second, beside %d silent clients: smallest, "
        "median and\nlargest of %d rounds.\n" % (options.subscribers, options.rate, options.clients,
                                               options.rounds))
    alone = runs["alone"]
    rows = []
    for variant, found in runs.items():
        spreads = [Spread([one["latency"][each] for one in found]) for each in PERCENTILES]
        base = Spread([one["latency"]["p99_ms"] for one in alone]).median
        rows.append([variant] + [one.text(decimals=2) for one in spreads] +
                    ["%.2f" % (spreads[1].median / base if base else 0),
                     "%.0f" % (sum(len(one["requests_s"]) for one in found) /
                               (options.seconds * len(found))),
                     sum(one["lost"] for one in found)])
    harness.table(["run", "p50", "p99", "p99.9", "max", "p99 to alone", "requests/s", "lost"], rows)
    walks = [one for run in runs["clients walked"] for one in run["walks_s"]]
    requests = [one for run in runs["clients walked"] for one in run["requests_s"]]
    if walks:
        met = [one for run in runs["clients walked"] for one in run["rows"]]
        say("\nA walk of %d to %d rows in pages of %d: %s s (%d walks); a page %.1f ms in the median, "
            "%.1f ms at most." % (min(met), max(met), options.limit,
                                  Spread(walks).text(decimals=2), len(walks),
                                  1000 * statistics.median(requests), 1000 * max(requests)))
    else:
        say("\nNo walk came to its end; %d pages were answered." % len(requests))


def parse():
    parser = harness.argument_parser(__doc__)
    parser.add_argument("--clients", type=int, default=60000, help="silent ones")
    parser.add_argument("--subscribers", type=int, default=1000, help="of the fan-out")
    parser.add_argument("--rate", type=int, default=20, help="messages a second to all of them")
    parser.add_argument("--seconds", type=int, default=10, help="a run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=int, default=1000, help="rows of a page")
    parser.add_argument("--pause-ms", type=int, default=0, help="between two requests")
    parser.add_argument("--shards", type=int, default=4, help="of the broker, on one core, and of "
                        "the silent clients: each holds as many as a process may open files")
    options = harness.parse(parser)
    if options.smoke:
        options.clients, options.subscribers, options.rounds = 200, 20, 1
        options.seconds, options.limit = 1, 50
    return options


def main():
    options = parse()
    sheet = harness.machine_sheet(options)
    harness.say_machine(sheet)
    port = harness.free_port()
    with Broker("millrace", options, [
            "--shards", str(options.shards), "--set", "admin.listen=127.0.0.1:%d" % port]) as broker:
        with Bystanders(options, broker, options.clients, options.shards) as silent:
            silent.await_connected(broker)
            runs = run_rounds(options, broker, port)
    say_runs(options, runs)
    harness.write_result(options, "clients_listing", sheet, {
        "options": {name: getattr(options, name) for name in (
            "clients", "subscribers", "rate", "seconds", "limit", "pause_ms", "shards")},
        "runs": runs})
    return 0


if __name__ == "__main__":
    harness.run(main)

"""All clients reconnect at once, with sessions to resume."""

import generator
import harness
from contender import MOSQUITTO, URING, Cell, Contender, sample_of
from floors import AcceptLoop
from harness import Broker

QUESTION = ("N clients connect, are cut without a word, and come back at once with the sessions that "
            "they left: seconds to the last CONNACK of the second time. The bare accept loop answers "
            "CONNECT and knows nothing.")
UNIT, SCALE, DECIMALS = "s to the last CONNACK", 1, 3
LESS_IS_BETTER = True
FLOOR = "bare accept loop"


def cells(options):
    count = 200 if options.smoke else 15_000
    return [Cell("%d clients" % count, floor=FLOOR, connections=count)]


def contenders(options, cell):
    count = cell.parameters["connections"]
    found = [Contender(FLOOR, lambda: storm(options, AcceptLoop(options), count)),
             Contender(URING, lambda: storm(options, Broker(
                 "millrace", options, ["--cpus", str(harness.BROKER_CORE)]), count))]
    if harness.mosquitto_path():
        found.append(Contender(MOSQUITTO, lambda: storm(
            options, Broker("mosquitto", options), count)))
    return found


def storm(options, server, count):
    with server as broker:
        report = generator.load(options, broker, "storm", [
            "--connections", count, "--rounds", 2, "--mqtt-version", 5, "--keep-session",
            "--duration", 1, "--keep-alive", 600])
    sample = sample_of(report, "connected_count")
    return {**sample, "value": report["rounds"][-1]["last_connack_s"],
            "connects_per_server_cpu_s": report.get("connects_per_server_cpu_s")}


def remarks(result):
    lines = ["| clients | contender | CPU us a connect | resumed | refused | CONNACK p99 ms |",
             "| --- | --- | --- | --- | --- | --- |"]
    for cell in result["cells"]:
        for name, kept in cell["contenders"].items():
            for one in kept["samples"][-1:]:
                told, rate = one["report"], one["connects_per_server_cpu_s"]
                lines.append("| %s | %s | %s | %d | %d | %.0f |" % (
                    cell["name"], name, "%.1f" % (1e6 / rate) if rate else "unknown",
                    told["sessions_resumed_count"], told["refused_count"],
                    told["rounds"][-1]["connack_latency_p99_ms"]))
    return lines

"""Idle connections against memory: the process's own, and the kernel's."""

import threading
import time

import dpdk_harness
import generator
import harness
import plots as pictures
from contender import DPDK, MOSQUITTO, URING, Cell, Contender, has_dpdk
from dpdk_harness import DpdkBroker
from harness import BROKER_CORE, GENERATOR_CORE, Broker

QUESTION = ("N connections, each with a subscription of its own, idle: resident bytes a connection of "
            "the measured process, its start-up excluded. What the kernel takes is apart, and for both "
            "ends where both are here; over DPDK the process's figure includes all of TCP.")
UNIT, SCALE, DECIMALS = "bytes/connection", 1, 0
LESS_IS_BETTER = True


def cells(options):
    counts = (200,) if options.smoke else (1_000, 5_000, 15_000)
    return [Cell("%d connections" % count, connections=count) for count in counts]


def contenders(options, cell):
    count = cell.parameters["connections"]
    found = [Contender(URING, lambda: hold(options, Broker(
        "millrace", options, ["--cpus", str(BROKER_CORE), "--huge-pages", "off"]), generator,
        count))]
    if has_dpdk(options):
        found.append(Contender(DPDK, lambda: hold(options, DpdkBroker(
            options, ["--cpus", str(BROKER_CORE)]), dpdk_harness, count,
            ["--cpus", GENERATOR_CORE])))
    if harness.mosquitto_path():
        found.append(Contender(MOSQUITTO, lambda: hold(
            options, Broker("mosquitto", options), generator, count)))
    return found


class PeakSlab:
    """The most that the kernel's slabs have grown by while the context lasts."""

    def __enter__(self):
        self.before, self.grown_bytes, self.running = slab_bytes(), 0, True
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        while self.running:
            self.grown_bytes = max(self.grown_bytes, slab_bytes() - self.before)
            time.sleep(0.05)

    def __exit__(self, *_):
        self.running = False
        self.thread.join()


def slab_bytes():
    return int(harness.value_of("/proc/meminfo", "Slab").split()[0]) * 1024


def hold(options, server, clients, count, pinned=()):
    """`clients`: whose load() makes them."""
    with server as broker, PeakSlab() as slab:
        report = clients.load(options, broker, "connect", [
            "--connections", count, "--duration", options.seconds, "--keep-alive", 600, *pinned])
    connected = max(1, report["connected_count"])
    return {"value": report["server_memory_growth_bytes"] / connected, "ok": report["ok"],
            "kernel_bytes": slab.grown_bytes / connected, "report": report}


def remarks(result):
    ends = "this end" if result.get("far") else "both ends"
    lines = ["| cell | contender | kernel's slab bytes a connection, %s, medians |" % ends,
             "| --- | --- | --- |"]
    for cell in result["cells"]:
        for name, kept in cell["contenders"].items():
            if kept["samples"]:
                spread = harness.Spread([one["kernel_bytes"] for one in kept["samples"]])
                lines.append("| %s | %s | %.0f |" % (cell["name"], name, spread.median))
    return lines


def plots(result):
    return [("idle", pictures.line_plot(
        pictures.lines_over(result, "connections"), "connections", UNIT,
        "Resident memory of the measured process"))]

"""One publish to every live connection: when the first receiver has it, and when the last."""

import argparse

import dpdk_connections
import far as far_machines
import floors
import generator
import harness
import plots as pictures
import report as reports
from contender import DPDK, MOSQUITTO, URING, Cell, Contender, has_dpdk, sample_of
from harness import Broker

QUESTION = ("One 64-byte message to N live connections at once: milliseconds from its publish to the "
            "last of them. The plot says when each share of the receivers had it.")
UNIT, SCALE, DECIMALS = "ms to the last", 1, 1
LESS_IS_BETTER = True
FLOOR = "bare sender"
FIGURE = "delivery_latency_max_ms"
PAYLOAD_BYTES = 64
KERNEL_COUNT_MAX = 100_000  # more are DPDK's alone
CONNECTIONS_PER_SHARD = 16_000  # descriptors of a ring; more of them than cores, if need be
DPDK_MEMORY_BYTES = 4 << 30


def cells(options):
    counts = (200,) if options.smoke else (10_000, 61_000, 1_000_000)
    if options.far:
        most = KERNEL_COUNT_MAX if options.far.sources else far_machines.CONNECTIONS_OF_AN_ADDRESS
        counts = [count for count in counts if count <= most]
    return [Cell("to %d" % count, floor=FLOOR, receivers=count) for count in counts]


def contenders(options, cell):
    count = cell.parameters["receivers"]
    found = []
    if count <= KERNEL_COUNT_MAX:
        if count <= CONNECTIONS_PER_SHARD:
            found.append(Contender(FLOOR, lambda: bare(options, count)))
        found.append(Contender(URING, lambda: kernel(options, "millrace", count)))
        if harness.mosquitto_path() and count <= CONNECTIONS_PER_SHARD:
            found.append(Contender(MOSQUITTO, lambda: kernel(options, "mosquitto", count)))
    if has_dpdk(options):
        found.append(Contender(DPDK, lambda: dpdk(options, count)))
    return found


def with_curve(sample):
    return {**sample, "curve": sample["report"]["delivery_latency_curve"]}


def kernel(options, kind, count):
    shards = -(-count // CONNECTIONS_PER_SHARD)
    cores = harness.allowed_cores if shards > 1 else None
    with Broker(kind, options, ["--shards", str(shards)] if kind == "millrace" else [],
                cores=cores) as broker:
        return with_curve(sample_of(generator.load(options, broker, "fanout", [
            "--publishers", 1, "--subscribers", count, "--payload", PAYLOAD_BYTES,
            "--messages", 1, "--warmup", 0, "--shards", shards, "--keep-alive", 600,
            "--drain-timeout", 30, *generator.sources(options)], cores=cores), FIGURE))


def dpdk(options, count):
    settings = argparse.Namespace(**{**vars(options), "serve": [], "memory": DPDK_MEMORY_BYTES,
                                     "messages": 1, "keep_alive": 600, "outstanding": 2048,
                                     "timeout": 120})
    return with_curve(sample_of(dpdk_connections.one_broadcast(settings, count, PAYLOAD_BYTES),
                                FIGURE))


def bare(options, count):
    """N sends; the last receiver has it when the other side has told so."""
    told = floors.bare_send(options, count, PAYLOAD_BYTES, window=1, coalesce=False,
                            engine="write", seconds=options.seconds)
    return {"value": 1000 * told["wall_s"] * count / told["messages"], "report": told}


def plots(result):
    return [plot_of(cell) for cell in result["cells"]]


def plot_of(cell):
    def paint(axes):
        for name, kept in cell["contenders"].items():
            if not kept["samples"] or "curve" not in kept["samples"][0]:
                continue
            curve = reports.median_sample(kept)["curve"]
            axes.plot([point[1] for point in curve], [point[0] for point in curve], label=name,
                      color=pictures.color_of(name))
        axes.set_xlabel("ms after the publish")
        axes.set_ylabel("% of receivers")
        axes.set_title("One broadcast %s connections" % cell["name"])
    return "broadcast_%d" % cell["parameters"]["receivers"], paint

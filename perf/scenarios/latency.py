"""One way through the broker at a share of what it can do, in open loop: a message is due at its
time, whatever became of those before, and its latency counts from then (coordinated omission).
"""

import floors
import plots as pictures
import report as reports
from contender import DPDK, URING, Cell, Contender, broker, names_of_brokers

QUESTION = ("Latency from publish to delivery over 100 pairs, open loop, at 10, 50 and 80 % of the "
            "rate that each contender reaches in a closed loop (measured first, window 1, in the same "
            "round). A message passes the network twice, as the raw ping's round trip does, which goes "
            "at the same share of its own maximum.")
UNIT, SCALE, DECIMALS = "us at 99.9 %", 1, 0
LESS_IS_BETTER = True
FLOOR = "raw ping"
PAYLOAD_BYTES = 64


def cells(options):
    pairs, shares = (5, (50,)) if options.smoke else (100, (10, 50, 80))
    return [Cell("%d pairs at %d %%" % (pairs, share), floor=FLOOR,
                 asked={URING: 3, DPDK: 3} if share == 50 else {},
                 pairs=pairs, share=share) for share in shares]


def contenders(options, cell):
    shape = cell.parameters
    common = ["--publishers", shape["pairs"], "--subscribers", shape["pairs"],
              "--payload", PAYLOAD_BYTES, "--duration", options.seconds]
    return [Contender(FLOOR, lambda: ping(options, shape)),
            *[Contender(name, at_share(options, shape, common, name))
              for name in names_of_brokers(options)]]


def at_share(options, shape, common, name):
    def run():
        most = broker(options, name, "pair", [*common, "--window", 1], "deliveries_per_s").run()
        rate = max(1, int(most["value"] * shape["share"] / 100))
        sample = broker(options, name, "pair", [*common, "--rate", rate],
                        "delivery_latency_p999_ms").run()
        return {**sample, "value": sample["value"] * 1000, "rate": rate,
                "most_per_s": most["value"],
                "curve": [[percentile, milliseconds * 1000] for percentile, milliseconds in
                          sample["report"]["delivery_latency_curve"]]}
    return run


def ping(options, shape):
    most = floors.bare_echo(options, shape["pairs"], PAYLOAD_BYTES, 1, options.seconds)["ping"]
    rate = max(1, int(most["round_trips_per_s"] * shape["share"] / 100))
    told = floors.ping(options, shape["pairs"], PAYLOAD_BYTES, rate, options.seconds, sleep=True)
    return {"value": told["latency_us"]["p99.9"], "report": told, "rate": rate,
            "curve": told["curve"], "most_per_s": most["round_trips_per_s"]}


def remarks(result):
    lines = ["| cell | contender | rate a second | of at most |", "| --- | --- | --- | --- |"]
    for cell in result["cells"]:
        for name, kept in cell["contenders"].items():
            if kept["samples"]:
                one = reports.median_sample(kept)
                lines.append("| %s | %s | %d | %d |" % (cell["name"], name, one["rate"],
                                                        one["most_per_s"]))
    return lines


def plots(result):
    return [plot_of(cell) for cell in result["cells"]]


def plot_of(cell):
    curves = {name: reports.median_sample(kept)["curve"] for name, kept in cell["contenders"].items()
              if kept["samples"]}

    def paint(axes):
        pictures.paint_curves(axes, curves, "us")
        axes.set_xlabel("percentile of messages")
        axes.set_title("One way through the broker: %s of the maximum rate" % cell["name"])
    return "latency_%d" % cell["parameters"]["share"], paint

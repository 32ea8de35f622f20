"""Many publishers to one subscriber, and pairs."""

import floors
import recorded_peers
from contender import Cell, Contender, brokers

QUESTION = ("Publishers to one subscriber, and each to one of its own: deliveries a second of the "
            "measured process's own processor time. The bare echo reads and writes what comes.")
UNIT, SCALE, DECIMALS = "k deliveries/CPU s", 1000, 0
FLOOR = "bare echo"
PAYLOAD_BYTES = 64


def cells(options):
    if options.smoke:
        return [pairs(10, 32)]
    # 200 is what other brokers were measured at (peers.json).
    return [make(count, window) for window in (1, 32) for make, count in (
        (to_one, 1000), (pairs, 500), (to_one, 200), (pairs, 200))]


def to_one(count, window):
    return Cell("%d to 1, window %d" % (count, window), floor=FLOOR, mode="fanin",
                publishers=count, subscribers=1, window=window)


def pairs(count, window):
    return Cell("%d pairs, window %d" % (count, window), floor=FLOOR, mode="pair",
                publishers=count, subscribers=count, window=window)


def contenders(options, cell):
    shape = cell.parameters
    found = brokers(options, shape["mode"], [
        "--publishers", shape["publishers"], "--subscribers", shape["subscribers"],
        "--payload", PAYLOAD_BYTES, "--window", shape["window"], "--duration", options.seconds],
        "deliveries_per_server_cpu_s")
    return [Contender(FLOOR, lambda: echo(options, shape)), *found]


def echo(options, shape):
    told = floors.bare_echo(options, shape["publishers"], PAYLOAD_BYTES, shape["window"],
                            options.seconds)
    return {"value": told["messages_per_cpu_s"], "report": told}


goals = recorded_peers.goals
remarks = recorded_peers.remarks

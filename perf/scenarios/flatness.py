"""Does a delivery cost the same however many receivers and bystanders there are?"""

import floors
import generator
import plots as pictures
import report as reports
from bystanders import Bystanders
from contender import URING, Cell, Contender, sample_of
from goals import Goal
from harness import BROKER_CORE, Broker

QUESTION = ("Deliveries a CPU second of millrace over io_uring, 64 B, QoS 0, one publish at a time: over "
            "the number of receivers, and of idle clients beside 100 receivers. The bare sender shows "
            "what the kernel's sockets alone cost as they become more: nearly all of a delivery with "
            "nothing to batch is theirs. The broker's own instructions: `perf/instructions.py`.")
UNIT, SCALE, DECIMALS = "k deliveries/CPU s", 1000, 0
DEARER_MAX = 1.1
PAYLOAD_BYTES = 64
FLOOR = "bare io_uring sender"


def cells(options):
    if options.smoke:
        return [make(20, 20)]
    return [make(receivers, 0) for receivers in (100, 1_000, 10_000)] + [
        make(100, bystanders) for bystanders in (1_000, 5_000, 15_000)]


def make(receivers, bystanders):
    return Cell("%d receivers, %d bystanders" % (receivers, bystanders),
                floor=None if bystanders else FLOOR, receivers=receivers, bystanders=bystanders)


def contenders(options, cell):
    found = [Contender(URING, lambda: measure(options, cell.parameters))]
    if cell.floor:
        found.insert(0, Contender(FLOOR, lambda: floors.bare_sender(
            options, cell.parameters["receivers"], PAYLOAD_BYTES, 1, "uring")))
    return found


def measure(options, shape):
    with Broker("millrace", options, ["--cpus", str(BROKER_CORE)]) as broker, \
            Bystanders(options, broker, shape["bystanders"]) as idle:
        idle.await_connected(broker)
        return sample_of(generator.load(options, broker, "fanout", [
            "--publishers", 1, "--subscribers", shape["receivers"], "--payload",
            PAYLOAD_BYTES, "--window", 1, "--duration", options.seconds]),
            "deliveries_per_server_cpu_s")


OVER = {"receivers": lambda shape: shape["bystanders"] == 0,
        "bystanders": lambda shape: shape["bystanders"] > 0}


def goals(result):
    """A delivery beside the most others costs at most a tenth more than beside the fewest, and so
    does each in between."""
    found = []
    for name, keep in OVER.items():
        costs = sorted((cell["parameters"][name], 1 / medians[URING])
                       for cell in result["cells"] if keep(cell["parameters"])
                       for medians in [reports.medians_of(cell)] if medians.get(URING))
        if len(costs) > 1:
            dearest = max(cost for _, cost in costs[1:])
            found.append(Goal("%d to %d %s" % (costs[0][0], costs[-1][0], name), URING,
                              "cost of a delivery, dearest to the first", dearest / costs[0][1],
                              DEARER_MAX, at_most=True))
    return found


def plots(result):
    lines = {"%s, %s" % (who, name): points for name, keep in OVER.items()
             for who, points in pictures.lines_over(result, name, keep=keep, scale=SCALE).items()}
    return [("flatness", pictures.line_plot(
        lines, "receivers, or bystanders of 100 receivers", UNIT,
        "What a delivery costs as others join", log_x=True))]

"""Does a delivery cost the same however many receivers and bystanders there are?"""

import harness
import plots as pictures
from bystanders import Bystanders
from contender import Cell, Contender, sample_of
from harness import BROKER_CORE, GENERATOR_CORE, Broker

QUESTION = ("Deliveries a CPU second of millrace over io_uring, 64 B, QoS 0, one publish at a time: over "
            "the number of receivers, and of idle clients beside 100 receivers.")
UNIT, SCALE, DECIMALS = "k deliveries/CPU s", 1000, 0


def cells(options):
    if options.smoke:
        return [make(20, 20)]
    return [make(receivers, 0) for receivers in (100, 1_000, 10_000)] + [
        make(100, bystanders) for bystanders in (1_000, 5_000, 15_000)]


def make(receivers, bystanders):
    return Cell("%d receivers, %d bystanders" % (receivers, bystanders), receivers=receivers,
                bystanders=bystanders)


def contenders(options, cell):
    return [Contender("millrace io_uring", lambda: measure(options, cell.parameters))]


def measure(options, shape):
    with Broker("millrace", options, ["--cpus", str(BROKER_CORE)]) as broker, \
            Bystanders(options, broker, shape["bystanders"]) as idle:
        idle.await_connected(broker)
        return sample_of(harness.load(options, broker, "fanout", [
            "--publishers", 1, "--subscribers", shape["receivers"], "--payload", 64,
            "--window", 1, "--duration", options.seconds, "--cpus", GENERATOR_CORE]),
            "deliveries_per_server_cpu_s")


def plots(result):
    over = {"receivers": lambda shape: shape["bystanders"] == 0,
            "bystanders": lambda shape: shape["bystanders"] > 0}
    lines = {name: points for name, keep in over.items()
             for points in pictures.lines_over(result, name, keep=keep, scale=SCALE).values()}
    return [("flatness", pictures.line_plot(
        lines, "receivers, or bystanders of 100 receivers", UNIT,
        "What a delivery costs as others join", log_x=True))]

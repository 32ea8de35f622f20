"""Sends that the kernel takes from our memory, against plain ones, by the length of a send."""

import harness
import plots as pictures
from contender import Cell, Contender, sample_of, with_counters
from harness import BROKER_CORE, GENERATOR_CORE, Broker

QUESTION = ("Messages of growing length to 100 subscribers, plain and with zero-copy sends: processor "
            "milliseconds a gigabyte. Where the kernel says that it copied all the same, as it does on "
            "loopback and veth, a connection goes on with plain sends.")
UNIT, SCALE, DECIMALS = "CPU ms/GB", 1, 0
LESS_IS_BETTER = True
FLOOR = "plain"


def cells(options):
    receivers, lengths = (10, (65_536,)) if options.smoke else (
        100, (4_096, 16_384, 65_536, 262_144))
    return [Cell("%d B to %d" % (length, receivers), floor=FLOOR, receivers=receivers,
                 payload=length) for length in lengths]


def contenders(options, cell):
    return [Contender(name, lambda bytes_min=bytes_min: measure(options, cell.parameters,
                                                                bytes_min))
            for name, bytes_min in ((FLOOR, 0), ("zero copy", 1))]


def measure(options, shape, bytes_min):
    with Broker("millrace", options, ["--cpus", str(BROKER_CORE), "--zero-copy-bytes-min",
                                      str(bytes_min)]) as broker:
        sample = with_counters(sample_of(harness.load(options, broker, "fanout", [
            "--publishers", 1, "--subscribers", shape["receivers"], "--payload",
            shape["payload"], "--window", 4, "--duration", options.seconds,
            "--cpus", GENERATOR_CORE]), "deliveries_per_server_cpu_s"), broker)
    gigabytes_a_second = sample["value"] * shape["payload"] / 1e9
    return {**sample, "value": 1000 / gigabytes_a_second}


def remarks(result):
    lines = ["| cell | zero-copy sends | of them copied |", "| --- | --- | --- |"]
    for cell in result["cells"]:
        for one in cell["contenders"]["zero copy"]["samples"][-1:]:
            counted = one["counters"]
            lines.append("| %s | %d | %d |" % (cell["name"], counted.get("sends_zero_copy", 0),
                                               counted.get("sends_zero_copy_copied", 0)))
    return lines


def plots(result):
    return [("zero_copy", pictures.line_plot(
        pictures.lines_over(result, "payload"), "bytes of a message", UNIT,
        "Plain and zero-copy sends", log_x=True))]

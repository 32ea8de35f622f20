"""Sends that the kernel takes from our memory, against plain ones, by the length of a send."""

import generator
import plots as pictures
import report as reports
from contender import Cell, Contender, sample_of, with_counters
from harness import BROKER_CORE, Broker

QUESTION = ("Messages of growing length to 100 subscribers, plain and with zero-copy sends: processor "
            "milliseconds a gigabyte. Where the kernel says that it copied all the same, as it does on "
            "loopback and veth, a connection goes on with plain sends.")
UNIT, SCALE, DECIMALS = "CPU ms/GB", 1, 0
LESS_IS_BETTER = True
FLOOR = "plain"
ZERO_COPY = "zero copy"


def cells(options):
    receivers, lengths = (10, (65_536,)) if options.smoke else (
        100, (4_096, 8_192, 16_384, 32_768, 65_536, 262_144))
    return [Cell("%d B to %d" % (length, receivers), floor=FLOOR, receivers=receivers,
                 payload=length) for length in lengths]


def contenders(options, cell):
    return [Contender(name, lambda bytes_min=bytes_min: measure(options, cell.parameters,
                                                                bytes_min))
            for name, bytes_min in ((FLOOR, 0), (ZERO_COPY, 1))]


def measure(options, shape, bytes_min):
    with Broker("millrace", options, ["--cpus", str(BROKER_CORE), "--zero-copy-bytes-min",
                                      str(bytes_min)]) as broker:
        sample = with_counters(sample_of(generator.load(options, broker, "fanout", [
            "--publishers", 1, "--subscribers", shape["receivers"], "--payload",
            shape["payload"], "--window", 4, "--duration", options.seconds]),
            "deliveries_per_server_cpu_s"), broker)
    gigabytes_a_second = sample["value"] * shape["payload"] / 1e9
    return {**sample, "value": 1000 / gigabytes_a_second}


def crossover(result):
    """The smallest length from which zero copy costs less at every length; None when it doesn't."""
    smallest = None
    for cell in sorted(result["cells"], key=lambda one: -one["parameters"]["payload"]):
        medians = reports.medians_of(cell)
        if ZERO_COPY not in medians or FLOOR not in medians:
            continue
        if medians[ZERO_COPY] >= medians[FLOOR] or all_copied(cell):
            break
        smallest = cell["parameters"]["payload"]
    return smallest


def all_copied(cell):
    """Whether the kernel copied at every zero-copy send: a gain then is chance."""
    counted = [one["counters"] for one in cell["contenders"][ZERO_COPY]["samples"]]
    return all(one.get("sends_zero_copy_copied", 0) == one.get("sends_zero_copy", 0)
               for one in counted)


def crossover_text(result):
    tried = [cell for cell in result["cells"] if cell["contenders"].get(
        ZERO_COPY, {"samples": []})["samples"]]
    if not tried:
        return "Zero copy was not measured."
    found = crossover(result)
    if found:
        return "**Crossover: from messages of %d bytes on zero copy costs less.**" % found
    if all(all_copied(cell) for cell in tried):
        return ("**No crossover: the kernel copied all the same at every length, so that zero copy "
                "can save nothing on this route.**")
    return "**No crossover: the longest message doesn't cost less with zero copy.**"


def remarks(result):
    lines = [crossover_text(result), "",
             "| cell | zero-copy sends | of them copied |", "| --- | --- | --- |"]
    for cell in result["cells"]:
        for one in cell["contenders"].get(ZERO_COPY, {"samples": []})["samples"][-1:]:
            counted = one["counters"]
            lines.append("| %s | %d | %d |" % (cell["name"], counted.get("sends_zero_copy", 0),
                                               counted.get("sends_zero_copy_copied", 0)))
    return lines


def plots(result):
    return [("zero_copy", pictures.line_plot(
        pictures.lines_over(result, "payload"), "bytes of a message", UNIT,
        "Plain and zero-copy sends", log_x=True))]

"""One publisher to many subscribers. Window 1: nothing can be batched; 32: bursts."""

import functools

import floors
import harness
import plots as pictures
import recorded_peers
import report as reports
from contender import DPDK, MOSQUITTO, URING, Cell, Contender, brokers
from goals import Goal

QUESTION = ("One publisher to N subscribers: deliveries a second of the measured process's own "
            "processor time. With window 1 the next publish waits until all have the last one.")
UNIT, SCALE, DECIMALS = "k deliveries/CPU s", 1000, 0
FIGURE = "deliveries_per_server_cpu_s"
FLOOR = "bare sender"
SHARE_OF_QOS_0_MIN, CYCLES_MAX = 0.6, 800
# Of a burst: the smallest window that is one, and sends a delivery in it.
BURST_COUNT_MIN, SENDS_MAX = 16, 0.1


def cells(options):
    if options.smoke:
        return [make(20, 64, 0, 32)]
    shapes = [(1000, payload, qos, window) for payload in (64, 1024, 4096) for qos in (0, 1)
              for window in (1, 32)]
    shapes += [(receivers, 64, 0, window) for receivers in (10, 100, 10000) for window in (1, 32)]
    return [make(*shape) for shape in shapes]


def make(receivers, payload, qos, window):
    asked = {URING: 0.9 if window == 1 else 0.8} if qos == 0 else {}
    return Cell("1 to %d, %d B, QoS %d, window %d" % (receivers, payload, qos, window),
                floor=FLOOR, asked=asked if receivers == 1000 else {},
                receivers=receivers, payload=payload, qos=qos, window=window)


def contenders(options, cell):
    shape = cell.parameters
    found = [Contender(FLOOR, lambda: floors.bare_sender(
        options, shape["receivers"], shape["payload"], shape["window"], "write")),
             *at_qos(options, shape, shape["qos"])]
    if shape["qos"] == 1:  # in turns with what it is compared with
        found += [Contender(at_qos_0(one.name), one.run) for one in at_qos(options, shape, 0)
                  if one.name != MOSQUITTO]
    return found


def at_qos(options, shape, qos):
    return brokers(options, "fanout", [
        "--publishers", 1, "--subscribers", shape["receivers"], "--payload", shape["payload"],
        "--qos", qos, "--window", shape["window"], "--duration", options.seconds], FIGURE)


def at_qos_0(name):
    return name + " at QoS 0"


@functools.lru_cache
def tsc_hertz():
    """The time-stamp counter's frequency as the kernel found it at its start; when that is no
    longer in its log, the processor's, which in a virtual machine is the counter's; else 0."""
    output = harness.first_line_of(["sh", "-c", "dmesg 2>/dev/null | grep -o "
                                    "'tsc: Detected [0-9.]* MHz' | tail -1"])
    for text in (output.replace("tsc: Detected", "").replace("MHz", ""),
                 harness.value_of("/proc/cpuinfo", "cpu MHz")):
        try:
            return float(text) * 1e6
        except ValueError:
            continue
    return 0.0


def sends_a_delivery(result, name):
    cell = next(one for one in result["cells"] if one["name"] == name)
    return {who: kept["samples"][-1]["sends_a_delivery"] for who, kept in
            cell["contenders"].items()
            if kept["samples"] and "sends_a_delivery" in kept["samples"][-1]}


def medians_by_name(result):
    return {cell["name"]: reports.medians_of(cell) for cell in result["cells"]}


def of_qos_0(medians, name):
    """Of a cell at QoS 1 its contenders' medians at QoS 0, measured in turns with it; where they
    weren't, those of the cell at QoS 0."""
    own = {who: medians[name][at_qos_0(who)] for who in (URING, DPDK)
           if at_qos_0(who) in medians[name]}
    if own or "QoS 1" not in name:
        return own
    return medians.get(name.replace("QoS 1", "QoS 0"), {})


def goals(result):
    medians, found = medians_by_name(result), []
    for cell in result["cells"]:
        found += share_goals(cell, medians) + cycle_goals(cell, medians[cell["name"]])
        # Over DPDK a send is a segment, and few messages of 4 KB fit one.
        sends = sends_a_delivery(result, cell["name"]).get(URING)
        if cell["parameters"]["window"] >= BURST_COUNT_MIN and sends is not None:
            found.append(Goal(cell["name"], URING, "sends a delivery", sends, SENDS_MAX,
                              at_most=True, decimals=3))
    return found + recorded_peers.goals(result)


def share_goals(cell, medians):
    name = cell["name"]
    own, lower = medians[name], of_qos_0(medians, name)
    return [Goal(name, who, "share of its QoS 0", own[who] / lower[who], SHARE_OF_QOS_0_MIN)
            for who in (URING, DPDK) if own.get(who) and lower.get(who)]


def cycle_goals(cell, own):
    shape, hertz = cell["parameters"], tsc_hertz()
    asked = (shape["payload"], shape["qos"], shape["window"]) == (64, 0, 1)
    if not asked or shape["receivers"] < 1000 or not hertz or not own.get(DPDK):
        return []
    return [Goal(cell["name"], DPDK, "time-stamp cycles a delivery", hertz / own[DPDK], CYCLES_MAX,
                 at_most=True, decimals=0)]


def remarks(result):
    """In cycles, sends, and multiples of one another."""
    medians = medians_by_name(result)
    hertz = tsc_hertz()
    lines = ["| cell | time-stamp cycles a delivery, dpdk | sends a delivery, io_uring / dpdk | "
             "share of its QoS 0, io_uring / dpdk | io_uring to mosquitto |",
             "| --- | --- | --- | --- | --- |"]
    ours = (URING, DPDK)
    for name, found in medians.items():
        lower = of_qos_0(medians, name)
        sends = sends_a_delivery(result, name)
        lines.append("| %s | %s | %s | %s | %s |" % (
            name, quotient(hertz, found.get(ours[1]), 0),
            " / ".join("%.3f" % sends[one] if one in sends else "-" for one in ours),
            " / ".join(quotient(found.get(one), lower.get(one), 2) for one in ours),
            quotient(found.get(ours[0]), found.get(MOSQUITTO), 1)))
    return [*lines, "", *recorded_peers.remarks(result)]


def quotient(above, below, decimals):
    return "%.*f" % (decimals, above / below) if above and below else "-"


def plots_of(result, window):
    lines = pictures.lines_over(result, "receivers", scale=SCALE, keep=lambda shape: (
        shape["payload"], shape["qos"], shape["window"]) == (64, 0, window))
    return "fan_out_window_%d" % window, pictures.line_plot(
        lines, "subscribers", UNIT, "64 B, QoS 0, window %d" % window, log_x=True,
        from_zero=False)


def plots(result):
    return [plots_of(result, 1), plots_of(result, 32)]

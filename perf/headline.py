"""The three figures that a report begins with, each with the command that repeats it."""

import report as reports
from contender import DPDK, URING

OURS = (URING, DPDK)
PAYLOAD_BYTES = 4096


def lines(results):
    by_name = {result["scenario"]: result for result in results}
    found = []
    for scenario, title, command, part in (
            ("broadcast", "One broadcast, first to last receiver", "broadcast", broadcast),
            ("fan_out", "Messages a second of a core, at 4 KB",
             "fan-out --only '4096 B, QoS 0'", four_kilobytes),
            ("storm", "Recovery from a reconnect storm", "storm", storm)):
        table = part(by_name[scenario]) if scenario in by_name else None
        found += ["### %s" % title, ""]
        found += table if table else ["Not measured in this run."]
        found += ["", "Repeat it: `perf/run.sh %s`" % command, ""]
    return found


def measured(result, names=OURS):
    """[(cell, contender, its median sample)]."""
    return [(cell, name, reports.median_sample(cell["contenders"][name]))
            for cell in result["cells"] for name in names
            if cell["contenders"].get(name, {"samples": []})["samples"]]


def broadcast(result):
    rows = []
    for cell, name, one in measured(result):
        told = one["report"]
        rows.append(["%d" % cell["parameters"]["receivers"], name, *[
            "%.1f" % told["delivery_latency_%s_ms" % point] for point in (
                "min", "p50", "p99", "max")]])
    return rows and reports.table_lines(
        ["receivers", "over", "first, ms after the publish", "half of them", "99 %", "last"], rows)


def four_kilobytes(result):
    """Of a second of processor time: what a whole core does."""
    rows = []
    for cell in result["cells"]:
        shape, medians = cell["parameters"], reports.medians_of(cell)
        if (shape["payload"], shape["qos"]) == (PAYLOAD_BYTES, 0):
            rows += [[cell["name"], name, "%.0f" % medians[name],
                      "%.1f" % (medians[name] * PAYLOAD_BYTES * 8 / 1e9)]
                     for name in OURS if name in medians]
    return rows and reports.table_lines(
        ["cell", "over", "messages/CPU s", "Gbit of payload/CPU s"], rows)


def storm(result):
    rows = []
    for cell, name, one in measured(result):
        rate = one["connects_per_server_cpu_s"]
        rows.append([cell["name"], name, "%.3f" % one["value"],
                     "%d" % one["report"]["sessions_resumed_count"],
                     "%.1f" % (1e6 / rate) if rate else "unknown"])
    return rows and reports.table_lines(
        ["clients", "over", "s to the last CONNACK", "sessions resumed", "CPU us a connect"], rows)

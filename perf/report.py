"""The Markdown report of a run of the suite: one table a scenario, ratios to the floor, what was asked.
"""

import importlib

import harness
from contender import Cell
from harness import Spread


def scenario_of(result):
    return importlib.import_module("scenarios." + result["scenario"])


def value_text(scenario, value):
    return "%.*f %s" % (scenario.DECIMALS, value / scenario.SCALE, scenario.UNIT)


def medians_of(cell):
    return {name: Spread([one["value"] for one in kept["samples"]]).median
            for name, kept in cell["contenders"].items() if kept["samples"]}


def median_sample(kept):
    """A whole one: that of the median round, or the one above."""
    ordered = sorted(kept["samples"], key=lambda one: one["value"])
    return ordered[len(ordered) // 2]


def ratio_text(scenario, cell_setting, medians, name):
    floor = cell_setting.floor
    if floor not in medians or name == floor or not medians[floor]:
        return "", ""
    ratio = medians[name] / medians[floor]
    asked = cell_setting.asked.get(name)
    if asked is None:
        return "%.2f" % ratio, ""
    less_is_better = getattr(scenario, "LESS_IS_BETTER", False)
    reached = ratio <= asked if less_is_better else ratio >= asked
    return "%.2f" % ratio, "%s %.2f: %s" % ("at most" if less_is_better else "at least", asked,
                                            "reached" if reached else "NOT reached")


def cpu_text(samples):
    """Median shares of a core that the measured process took, where they are known: all, and in
    the kernel (softirqs of its own sends included)."""
    shares, in_kernel = [], []
    for one in samples:
        told = one.get("report", {})
        wall = told.get("measured_s") or told.get("wall_s")
        if wall and "server_cpu_s" in told:
            shares.append(told["server_cpu_s"] / wall)
        if wall and "server_cpu_system_s" in told:
            in_kernel.append(told["server_cpu_system_s"] / wall)
    if not shares:
        return ""
    text = "%.0f %%" % (100 * Spread(shares).median)
    return text + (", %.0f in the kernel" % (100 * Spread(in_kernel).median) if in_kernel else "")


def rows_of(scenario, result, settings):
    rows = []
    for cell in result["cells"]:
        medians = medians_of(cell)
        for name, kept in cell["contenders"].items():
            if not kept["samples"]:
                reason = (kept["failure"] or "not run").strip().split("\n")[0][:80]
                rows.append([cell["name"], name, "failed: " + reason, "", "", ""])
                continue
            samples = kept["samples"]
            faults = sum(not one.get("ok", True) for one in samples)
            text = Spread([one["value"] for one in samples]).text(scenario.SCALE, scenario.DECIMALS)
            if faults:
                text += " (%d of %d not ok)" % (faults, len(samples))
            rows.append([cell["name"], name, text, cpu_text(samples),
                         *ratio_text(scenario, settings.get(cell["name"], Cell("")), medians, name)])
    return rows


def table_lines(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def section(options, result, drawn):
    scenario = scenario_of(result)
    settings = {cell.name: cell for cell in scenario.cells(options)}
    lines = ["## %s" % result["scenario"].replace("_", "-"), "", scenario.QUESTION, "",
             *machine_lines(result),
             "%s, min / median / max of the rounds; ratio of medians to the floor. "
             "`perf/run.sh %s` repeats it." % (scenario.UNIT, result["scenario"].replace("_", "-")),
             ""]
    lines += table_lines(["cell", "contender", scenario.UNIT, "its CPU", "to the floor", "goal"],
                         rows_of(scenario, result, settings))
    if hasattr(scenario, "remarks"):
        lines += [""] + scenario.remarks(result)
    for picture in drawn.get(result["scenario"], []):
        lines += ["", "![%s](%s)" % (picture.rsplit(".", 1)[0], picture)]
    return lines + [""]


def machine_lines(result):
    sheet = result["machine"]
    lines = ["%(cores)d cores of %(processor)s, %(memory)s, Linux %(kernel)s, "
             "%(congestion_control)s; load average at the start %(load_average_at_start)s. "
             "%(millrace)s (commit %(commit)s), %(mosquitto)s; %(date)s." % sheet,
             "%d rounds of %d s in turns." % (result["rounds"], result["measured_seconds"])]
    if float(sheet["load_average_at_start"].split()[0]) > harness.BUSY_LOAD_AVERAGE:
        lines.append("**The machine was busy: what depends on time is not a claim.**")
    return lines + [""]


def markdown(options, results, drawn):
    lines = ["# Measured side by side", "",
             "The measured process has the first core, the generator the second.", ""]
    for result in results:
        lines += section(options, result, drawn)
    return "\n".join(lines)

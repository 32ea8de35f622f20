"""The Markdown report of a run of the suite: the headline, what was asked and reached, and a
section a scenario.
"""

import importlib

import goals
import harness
import headline
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


def ratio_text(cell, medians, name):
    floor = cell.get("floor")
    if name == floor or not medians.get(floor):
        return ""
    return "%.2f" % (medians[name] / medians[floor])


def cpu_text(samples):
    """Median shares of a core in the measured time: the measured process's own, and what the whole
    machine spent in softirqs (some of that in the process's own turn, and in its kernel share)."""
    parts = [(share_of(samples, names), text) for names, text in (
        (("server_cpu_user_s", "user_s"), "%.0f user"),
        (("server_cpu_system_s", "system_s"), "%.0f kernel"),
        (("softirq_s",), "machine's softirqs %.0f"))]
    known = [text % share for share, text in parts if share is not None]
    whole = share_of(samples, ("server_cpu_s", "cpu_s"))
    if not known and whole is not None:
        known = ["%.0f" % whole]
    return ", ".join(known)


def share_of(samples, names):
    shares = []
    for one in samples:
        told = one.get("report", {})
        wall = told.get("measured_s") or told.get("wall_s")
        for name in names:
            if wall and name in told:
                shares.append(100 * told[name] / wall)
                break
    return Spread(shares).median if shares else None


def rows_of(scenario, result):
    rows = []
    for cell in result["cells"]:
        medians, asked = medians_of(cell), goals.to_the_floor(scenario, cell)
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
            goal = asked.get(name)
            rows.append([cell["name"], name, text, cpu_text(samples),
                         ratio_text(cell, medians, name),
                         "%s: %s" % (goal.asked_text(), goal.verdict()) if goal else ""])
    return rows


def table_lines(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def section(result, drawn):
    scenario = scenario_of(result)
    shown = result["scenario"].replace("_", "-")
    lines = ["## %s" % shown, "", scenario.QUESTION, "", *machine_lines(result)]
    if result.get("left_out"):
        return lines + ["Left out: %s." % result["left_out"], ""]
    lines += ["%s, min / median / max of the rounds; CPU in %% of a core; ratio of medians to the "
              "floor. `perf/run.sh %s` repeats it." % (scenario.UNIT, shown), ""]
    lines += table_lines(["cell", "contender", scenario.UNIT, "its CPU", "to the floor", "goal"],
                         rows_of(scenario, result))
    if hasattr(scenario, "remarks"):
        lines += [""] + scenario.remarks(result)
    for picture in drawn.get(result["scenario"], []):
        lines += ["", "![%s](%s)" % (picture.rsplit(".", 1)[0], picture)]
    return lines + profile_lines(result) + [""]


def profile_lines(result):
    """Links to what profiles.py has left beside the report."""
    found = [(cell["name"], cell["profile"]) for cell in result["cells"] if cell.get("profile")]
    if not found:
        return []
    return ["", "Where millrace's time over io_uring goes, by cell:", ""] + [
        "- [%s](%s)" % (name, one["file"]) if "file" in one else "- %s: %s" % (name, one["note"])
        for name, one in found]


def machine_lines(result):
    sheet = {"network": "the host's namespace", "generator": "this machine", **result["machine"]}
    share = sheet.get("busy_share_at_start")
    lines = ["%(cores)d cores of %(processor)s, %(memory)s, Linux %(kernel)s, "
             "%(congestion_control)s in %(network)s. %(millrace)s (commit %(commit)s), %(mosquitto)s; "
             "%(date)s." % sheet,
             "Before it began: load average %s, which still holds the scenario before%s." % (
                 sheet["load_average_at_start"],
                 "; in the last second the cores were %.0f %% busy" % (100 * share)
                 if share is not None else "")]
    if result.get("far"):
        lines.append("The load came from %(generator)s. Left out, since both their ends are here: "
                     "everything over DPDK's memif." % sheet)
    lines.append("%d rounds of %d s in turns." % (result["rounds"], result["measured_seconds"]))
    if harness.was_busy(sheet):
        lines.append("**By that the machine was busy: what depends on time is not a claim.**")
    return lines + [""]


def busy_lines(results):
    names = [result["scenario"].replace("_", "-") for result in results
             if harness.was_busy(result["machine"])]
    return ["**The machine was busy when these began, so that nothing of theirs that depends on "
            "time is a claim: %s.**" % ", ".join(names), ""] if names else []


def markdown(results, drawn):
    lines = ["# Measured side by side", "",
             "The measured process has one core, the generator another.", "",
             *busy_lines(results), "## Headline", "",
             "Of the median round; the sections below have the spread and the machine.", "",
             *headline.lines(results),
             "## What was asked and reached", "", *goals.summary(results), ""]
    for result in results:
        lines += section(result, drawn)
    return "\n".join(lines)

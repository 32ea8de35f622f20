"""Pictures of a run of the suite, by matplotlib (Debian python3-matplotlib); none without it."""

import importlib
import os

from harness import Spread, progress

COLORS = {"millrace io_uring": "#1f77b4", "millrace dpdk": "#2ca02c", "mosquitto": "#d62728"}
OF_FLOORS = "#7f7f7f"


def pyplot():
    try:
        import matplotlib
    except ImportError:
        progress("matplotlib is not installed (Debian package python3-matplotlib): no plots")
        return None
    matplotlib.use("Agg")
    from matplotlib import pyplot as plot
    return plot


def color_of(name):
    return COLORS.get(name, OF_FLOORS)


def draw(folder, results):
    """Each scenario's plots as SVG files in `folder`: {scenario: names}."""
    plot = pyplot()
    drawn = {}
    for result in results:
        scenario = importlib.import_module("scenarios." + result["scenario"])
        if plot is None or not hasattr(scenario, "plots"):
            continue
        names = []
        for name, paint in scenario.plots(result):
            figure, axes = plot.subplots(figsize=(8, 4.5))
            paint(axes)
            axes.grid(True, which="major", alpha=0.3)
            axes.legend(fontsize="small")
            figure.tight_layout()
            figure.savefig(os.path.join(folder, name + ".svg"))
            plot.close(figure)
            names.append(name + ".svg")
        drawn[result["scenario"]] = names
    return drawn


def lines_over(result, parameter, keep=lambda parameters: True, scale=1.0):
    """{contender: [(parameter's value, smallest, median, largest)]} of the cells that `keep` takes.
    """
    lines = {}
    for cell in result["cells"]:
        if not keep(cell["parameters"]):
            continue
        for name, kept in cell["contenders"].items():
            if kept["samples"]:
                spread = Spread([one["value"] / scale for one in kept["samples"]])
                lines.setdefault(name, []).append(
                    (cell["parameters"][parameter], spread.smallest, spread.median, spread.largest))
    return {name: sorted(points) for name, points in lines.items()}


def paint_lines(axes, lines):
    """A line a contender, its spread as error bars."""
    for name, points in lines.items():
        at = [point[0] for point in points]
        middle = [point[2] for point in points]
        below = [point[2] - point[1] for point in points]
        above = [point[3] - point[2] for point in points]
        axes.errorbar(at, middle, yerr=[below, above], marker="o", capsize=3, label=name,
                      color=color_of(name))


def line_plot(lines, x, y, title, log_x=False, from_zero=True):
    """What paints those lines, for a scenario's plots."""
    def paint(axes):
        paint_lines(axes, lines)
        if log_x:
            axes.set_xscale("log")
        if from_zero:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.set_title(title)
    return paint


def paint_curves(axes, curves, unit):
    """Latency by percentile: {label: [[percentile, value], ...]}, nines spread evenly."""
    for name, curve in curves.items():
        points = [(1 / (1 - percentile / 100), value) for percentile, value in curve
                  if percentile < 100]
        axes.plot([point[0] for point in points], [point[1] for point in points], label=name,
                  color=color_of(name))
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = [0, 90, 99, 99.9, 99.99, 99.999]
    axes.set_xticks([1 / (1 - tick / 100) for tick in ticks])
    axes.set_xticklabels(["%g %%" % tick for tick in ticks])
    axes.set_ylabel(unit)

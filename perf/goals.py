"""What was asked of a scenario, and whether this run reached it."""

import report as reports


class Goal:
    """`found` against `asked`, which is the least that is aimed at, or the most."""

    def __init__(self, cell, contender, what, found, asked, at_most=False, decimals=2):
        self.cell, self.contender, self.what = cell, contender, what
        self.found, self.asked, self.at_most, self.decimals = found, asked, at_most, decimals

    @property
    def reached(self):
        return self.found <= self.asked if self.at_most else self.found >= self.asked

    def asked_text(self):
        return "at %s %.*f" % ("most" if self.at_most else "least", self.decimals, self.asked)

    def verdict(self):
        return "reached" if self.reached else "NOT reached"

    def row(self):
        return [self.cell, self.contender, self.what, "%.*f" % (self.decimals, self.found),
                self.asked_text(), self.verdict()]


HEAD = ["cell", "contender", "what", "found", "asked", ""]


def to_the_floor(scenario, cell):
    """What a cell asks as ratios to its floor: {contender: Goal}."""
    medians = reports.medians_of(cell)
    floor = cell.get("floor")
    if not medians.get(floor):
        return {}
    return {name: Goal(cell["name"], name, "to %s" % floor, medians[name] / medians[floor], asked,
                       at_most=getattr(scenario, "LESS_IS_BETTER", False))
            for name, asked in cell.get("asked", {}).items() if name in medians}


def own(scenario, result):
    """Those that a scenario works out for itself."""
    return scenario.goals(result) if hasattr(scenario, "goals") else []


def all_of(result):
    scenario = reports.scenario_of(result)
    found = [goal for cell in result["cells"] for goal in to_the_floor(scenario, cell).values()]
    return found + own(scenario, result)


def summary(results):
    """The lines of one table of everything that was asked."""
    rows = [[result["scenario"].replace("_", "-"), *goal.row()]
            for result in results for goal in all_of(result)]
    if not rows:
        return ["Nothing that was run has a goal."]
    reached = sum(row[-1] == "reached" for row in rows)
    return ["%d of %d reached. Medians of the rounds; what is in no row was not run." % (
        reached, len(rows)), "", *reports.table_lines(["scenario", *HEAD], rows)]

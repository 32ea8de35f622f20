"""Brokers that can't be installed here, by what they were once measured at (peers.json): their
multiples of mosquitto, beside ours in this run. The quotient of two multiples stands for the
comparison that can't be made, as far as mosquitto is as fast in this run as it was in that one:
how fast it was stands beside them.
"""

import functools
import json
import os

import harness
import report as reports
from contender import DPDK, MOSQUITTO, URING
from goals import Goal

ASKED = "FlashMQ"
QUOTIENT_MIN = 1.3


@functools.lru_cache
def recorded():
    with open(os.path.join(harness.FOLDER, "peers.json")) as file:
        return json.load(file)


def multiples(result):
    """[(cell, contender, our multiple of mosquitto, {peer: its recorded one}, mosquitto's speed
    in this run to its recorded one)]."""
    found = []
    for cell in result["cells"]:
        rates, medians = recorded()["cells"].get(cell["name"]), reports.medians_of(cell)
        if not rates or not medians.get(MOSQUITTO):
            continue
        peers = {name: rate / rates[MOSQUITTO] for name, rate in rates.items() if name != MOSQUITTO}
        speed = medians[MOSQUITTO] / rates[MOSQUITTO]
        found += [(cell["name"], name, medians[name] / medians[MOSQUITTO], peers, speed)
                  for name in (URING, DPDK) if name in medians]
    return found


def goals(result):
    return [Goal(cell, name, "multiple of mosquitto, to %s's recorded one" % ASKED,
                 ours / peers[ASKED], QUOTIENT_MIN)
            for cell, name, ours, peers, _ in multiples(result)]


def remarks(result):
    found = multiples(result)
    if not found:
        return []
    peers = sorted(found[0][3])
    rows = [[goal.cell, goal.contender, "%.1f" % ours,
             *["%.1f" % recorded_ones[name] for name in peers], "%.2f" % goal.found,
             "%s: %s" % (goal.asked_text(), goal.verdict()),
             "%.2f" % speed, "%.2f" % (goal.found * speed)]
            for goal, (_, _, ours, recorded_ones, speed) in zip(goals(result), found)]
    return ["Multiples of mosquitto. %s" % recorded()["how"], "",
            "Where mosquitto is slower here than it was there and we are not, the quotient flatters "
            "us: the last column leaves mosquitto out and is the quotient of the plain rates.", "",
            *reports.table_lines(["cell", "contender", "ours, in this run",
                                  *["%s's, recorded" % name for name in peers],
                                  "ours to %s's" % ASKED, "goal", "mosquitto, here to recorded",
                                  "our rate to %s's" % ASKED], rows)]

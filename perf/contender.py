"""What a scenario is made of: cells (one row of its table each) and, in each, contenders."""

import functools

import dpdk_harness
import generator
import harness
from dpdk_harness import DpdkBroker
from harness import Broker, GENERATOR_CORE, BROKER_CORE

URING, DPDK, MOSQUITTO = "millrace io_uring", "millrace dpdk", "mosquitto"


class Cell:
    """One setting of a scenario's parameters. `floor`: the contender that ratios are taken to;
    `asked`: {contender: ratio to the floor that is aimed at}, the smallest, or the largest in a
    scenario with LESS_IS_BETTER."""

    def __init__(self, name, floor=None, asked=None, **parameters):
        self.name, self.floor, self.asked, self.parameters = name, floor, asked or {}, parameters


class Contender:
    """`run()` measures once and returns a sample: a dict with `value` (the scenario's figure),
    `ok` (nothing was lost or refused), and what else is to be kept."""

    def __init__(self, name, run):
        self.name, self.run = name, run


def sample_of(report, figure):
    """A load generator's report as a sample."""
    return {"value": report[figure], "ok": report["ok"], "report": report}


def with_counters(sample, broker):
    """What millrace itself counted, and its sends (ring entries, or segments over DPDK) a delivery
    of the whole run, warm-up included."""
    counted, report = broker.counters(), sample["report"]
    published = report.get("published_count", 0) + report.get("warmup_published_count", 0)
    receivers = report.get("expected_count", 0) / max(1, report.get("published_count", 0))
    if published * receivers > 0:
        sample["sends_a_delivery"] = counted.get("sends", 0) / (published * receivers)
    return {**sample, "counters": counted}


def millrace_uring(options, mode, arguments, figure, serve=()):
    """One shard on the first core, the generator on the second, over loopback."""
    def run():
        with Broker("millrace", options, ["--cpus", str(BROKER_CORE), *serve]) as broker:
            return with_counters(sample_of(generator.load(options, broker, mode, arguments),
                                           figure), broker)
    return Contender(URING, run)


def millrace_dpdk(options, mode, arguments, figure, serve=()):
    """The same over memif; both poll, so that the broker's core counts whole."""
    def run():
        command = ["--cpus", str(BROKER_CORE), "--dpdk-idle", "spin", *serve]
        with DpdkBroker(options, command) as broker:
            return with_counters(sample_of(dpdk_harness.load(options, broker, mode, [
                *arguments, "--cpus", GENERATOR_CORE, "--dpdk-idle", "spin"]), figure), broker)
    return Contender(DPDK, run)


def mosquitto(options, mode, arguments, figure):
    def run():
        with Broker("mosquitto", options) as broker:
            return sample_of(generator.load(options, broker, mode, arguments), figure)
    return Contender(MOSQUITTO, run)


MAKERS = {URING: millrace_uring, DPDK: millrace_dpdk, MOSQUITTO: mosquitto}


def names_of_brokers(options):
    """All that are there: millrace over both back ends, and the peer."""
    there = {URING: True, DPDK: has_dpdk(options), MOSQUITTO: bool(harness.mosquitto_path())}
    return [name for name in MAKERS if there[name]]


def broker(options, name, mode, arguments, figure):
    return MAKERS[name](options, mode, arguments, figure)


def brokers(options, mode, arguments, figure):
    return [broker(options, name, mode, arguments, figure) for name in names_of_brokers(options)]


def has_dpdk(options):
    """Over memif, whose two ends are on one machine."""
    return not options.far and ", dpdk " in version_of(options.millrace)


@functools.lru_cache
def version_of(millrace):
    return harness.first_line_of([millrace, "--version"])

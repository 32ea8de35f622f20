"""What a scenario is made of: cells (one row of its table each) and, in each, contenders."""

import functools

import dpdk_harness
import harness
from dpdk_harness import DpdkBroker
from harness import Broker, GENERATOR_CORE, BROKER_CORE


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
            return with_counters(sample_of(harness.load(options, broker, mode, arguments), figure),
                                 broker)
    return Contender("millrace io_uring", run)


def millrace_dpdk(options, mode, arguments, figure, serve=()):
    """The same over memif; both poll, so that the broker's core counts whole."""
    def run():
        command = ["--cpus", str(BROKER_CORE), "--dpdk-idle", "spin", *serve]
        with DpdkBroker(options, command) as broker:
            return with_counters(sample_of(dpdk_harness.load(options, broker, mode, [
                *arguments, "--dpdk-idle", "spin"]), figure), broker)
    return Contender("millrace dpdk", run)


def mosquitto(options, mode, arguments, figure):
    def run():
        with Broker("mosquitto", options) as broker:
            return sample_of(harness.load(options, broker, mode, arguments), figure)
    return Contender("mosquitto", run)


def brokers(options, mode, arguments, figure):
    """All that are there: millrace over both back ends, and the peer."""
    arguments = [*arguments, "--cpus", GENERATOR_CORE]
    contenders = [millrace_uring(options, mode, arguments, figure)]
    if has_dpdk(options):
        contenders.append(millrace_dpdk(options, mode, arguments, figure))
    if harness.mosquitto_path():
        contenders.append(mosquitto(options, mode, arguments, figure))
    return contenders


def has_dpdk(options):
    return ", dpdk " in version_of(options.millrace)


@functools.lru_cache
def version_of(millrace):
    return harness.first_line_of([millrace, "--version"])

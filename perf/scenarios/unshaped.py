"""4 KB messages as fast as they go: bits a second of one core of the measured process."""

import floors
import report as reports
import testpmd_floor
from contender import DPDK, Cell, Contender, brokers, has_dpdk
from goals import Goal
from harness import BROKER_CORE, GENERATOR_CORE

QUESTION = ("4,096-byte messages to 1,000 subscribers with nothing to limit them but the two cores: "
            "payload bits a second of the measured process's own processor time. testpmd moves frames "
            "of that length over the same memif and counts frame bits, with no TCP.")
UNIT, SCALE, DECIMALS = "Gbit/CPU s", 1e9, 1
PAYLOAD_BYTES = 4096
FRAME_BYTES = 4178  # of such a message over DPDK: MQTT 16, TCP 32, IPv4 20, Ethernet 14
FLOOR = "bare io_uring sender"
TESTPMD = "testpmd txonly"
SHARE_OF_TESTPMD_MIN = 0.6


def cells(options):
    receivers, windows = (20, (32,)) if options.smoke else (1000, (1, 32))
    return [Cell("4,096 B to %d, window %d" % (receivers, window), floor=FLOOR,
                 receivers=receivers, window=window) for window in windows]


def contenders(options, cell):
    shape = cell.parameters
    found = brokers(options, "fanout", [
        "--publishers", 1, "--subscribers", shape["receivers"], "--payload", PAYLOAD_BYTES,
        "--window", shape["window"], "--duration", options.seconds], "deliveries_per_server_cpu_s")
    found = [Contender(one.name, in_bits(one.run)) for one in found]
    if has_dpdk(options):
        found.append(Contender(TESTPMD, lambda: testpmd(options)))
    floor = in_bits(lambda: floors.bare_sender(options, shape["receivers"], PAYLOAD_BYTES,
                                               shape["window"], "uring"))
    return [Contender(FLOOR, floor), *found]


def in_bits(run):
    def run_in_bits():
        sample = run()
        return {**sample, "value": sample["value"] * PAYLOAD_BYTES * 8}
    return run_in_bits


def testpmd(options):
    """Its sender spins: a second of the wall is a second of its core."""
    told = testpmd_floor.measure(FRAME_BYTES, options.seconds, BROKER_CORE, GENERATOR_CORE)
    return {"value": told["bits_per_s"], "report": told}


def goals(result):
    return [Goal(cell["name"], DPDK, "to " + TESTPMD, medians[DPDK] / medians[TESTPMD],
                 SHARE_OF_TESTPMD_MIN)
            for cell in result["cells"] for medians in [reports.medians_of(cell)]
            if DPDK in medians and medians.get(TESTPMD)]

"""Two DPDK processes on this machine, joined by memif: the broker on one core, the generator on the
other. What perf/harness.py has for loopback, over that wire.

Memory is plain pages (no huge page pool is needed) unless --huge-pages asks for them.
"""

import json
import os
import subprocess
import tempfile
import time

import harness
from harness import Failure

BROKER_ADDRESS = "10.64.0.1"
GENERATOR_ADDRESS = "10.64.0.2"
PREFIX = 10                       # 10.64.0.0/10: everything below is on the link
SOURCE_RANGE = "10.65.0.0/16"     # 65,536 addresses of about 64,000 ports each
# 9,000 bytes of MTU: a message of 4 KB is one segment.
MTU = 9000
MEMIF_BUFFER_BYTES = 9216


class DriverFault(Failure):
    """DPDK 22.11's memif unmaps its rings on its interrupt thread when the other process has gone.
    Now and then a poll is in the middle of them, and the process ends in the driver."""


def driver_faults():
    """How often the kernel's log has that; 0 when it can't be read."""
    log = subprocess.run(["dmesg"], capture_output=True, text=True, check=False).stdout
    return sum("segfault" in line and "in librte_net_memif" in line for line in log.splitlines())


def repeat_after_driver_fault(measure, attempts=3):
    for attempt in range(attempts):
        try:
            return measure()
        except DriverFault as fault:
            if attempt + 1 == attempts:
                raise
            harness.progress("once more: %s" % fault)


def add_arguments(parser):
    parser.add_argument("--huge-pages", action="store_true", help="DPDK's memory in huge pages")
    parser.add_argument("--mtu", type=int, default=MTU)
    parser.add_argument("--ring-log2", type=int, default=11, help="descriptors of a memif ring")


def memif(role, socket, options, extra=""):
    return "net_memif0,role=%s,id=0,socket=%s,socket-abstract=no,rsize=%d,bsize=%d%s" % (
        role, socket, options.ring_log2, MEMIF_BUFFER_BYTES, extra)


class DpdkBroker(harness.Broker):
    """`millrace serve --net dpdk` at the server's end of a memif."""

    def __init__(self, options, arguments=(), cores=None):
        self.wire_folder = tempfile.TemporaryDirectory(prefix="millrace-memif-")
        self.socket = os.path.join(self.wire_folder.name, "socket")
        self.driver_faults_before = driver_faults()
        super().__init__("millrace", options, arguments, cores)

    def _command(self, options, arguments):
        self.port = 1883
        command = [options.millrace, "serve", "--net", "dpdk",
                   "--listen", "%s:%d" % (BROKER_ADDRESS, self.port),
                   "--dpdk-device", memif("server", self.socket, options),
                   "--dpdk-address", "%s/%d" % (BROKER_ADDRESS, PREFIX),
                   "--set", "dpdk.mac=02:00:00:00:00:01", "--dpdk-mtu", str(options.mtu)]
        if not options.huge_pages:
            command += ["--set", "dpdk.huge_pages=false"]
        return command + arguments

    def _await_listening(self):
        deadline = time.monotonic() + harness.START_TIMEOUT_S
        while time.monotonic() < deadline and self.alive():
            if "listens on" in self.text():
                return
            time.sleep(0.02)
        text = self.text()
        self.stop()
        raise Failure("millrace doesn't listen on its memif:\n%s" % text)

    def stop(self):
        super().stop()
        self.wire_folder.cleanup()


def start_load(options, broker, mode, arguments, cores=None):
    """`millrace load` at the client's end of the broker's wire, as a process."""
    cores = [harness.GENERATOR_CORE] if cores is None else cores
    command = ["taskset", "-c", ",".join(map(str, cores)), options.millrace, "load", mode,
               "--net", "dpdk", "--host", BROKER_ADDRESS, "--port", str(broker.port),
               "--dpdk-device", memif("client", broker.socket, options),
               "--dpdk-address", "%s/%d" % (GENERATOR_ADDRESS, PREFIX),
               "--dpdk-source-range", SOURCE_RANGE, "--dpdk-mtu", str(options.mtu),
               "--server-pid", str(broker.pid), "--json", "--quiet"]
    if not options.huge_pages:
        command.append("--no-huge-pages")
    command += [str(one) for one in arguments]
    return command, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True)


def finish_load(broker, command, process, timeout_s=300):
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Failure("the generator didn't end within %d s" % timeout_s) from None
    if not broker.alive():
        if driver_faults() > broker.driver_faults_before:
            raise DriverFault("the broker ended in DPDK's memif driver as the generator left")
        raise Failure("the broker ended under load:\n%s" % broker.text()[-4000:])
    for line in output.splitlines():
        if line.startswith("{"):
            return json.loads(line)
    raise Failure("%s\nended with %d:\n%s%s" % (" ".join(command), process.returncode, output,
                                                errors[-4000:]))


def load(options, broker, mode, arguments, cores=None, timeout_s=300):
    command, process = start_load(options, broker, mode, arguments, cores)
    return finish_load(broker, command, process, timeout_s)

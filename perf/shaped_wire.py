"""A link of 10 Gbit/s between two network namespaces: a veth pair, shaped at both ends. Root only.

10GbE spends 24 bytes a frame that the kernel doesn't count (preamble, start, check sequence, gap):
1,514 counted bytes take the time of 1,538, so that 9.85 Gbit/s of counted bytes fill it.
"""

import os
import shutil
import subprocess

import harness
import network_namespace
from harness import Failure

SERVER_ADDRESS, CLIENT_ADDRESS = "10.88.0.1", "10.88.0.2"
RATE_GBIT = 9.85
MTU = 1500
# The share of counted bytes that is TCP payload: 1,448 (timestamps on) of 1,514.
GOODPUT_LIMIT_BIT_S = RATE_GBIT * 1e9 * (MTU - 52) / (MTU + 14)
TOOLS = ("ip", "tc")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure("%s: %s" % (" ".join(command), done.stderr.strip()))
    return done.stdout


class ShapedWire:
    """Both namespaces while the context lasts."""

    def __init__(self, options):
        self.congestion_control = network_namespace.chosen(options.congestion_control)
        self.server = "millrace-perf-%d-server" % os.getpid()
        self.client = "millrace-perf-%d-client" % os.getpid()

    def __enter__(self):
        for tool in TOOLS:
            if shutil.which(tool) is None:
                raise Failure("%s is not installed" % tool)
        if os.geteuid() != 0:
            raise Failure("a shaped link needs root")
        try:
            self._make()
        except Failure:
            self.__exit__()
            raise
        return self

    def _make(self):
        for name in (self.server, self.client):
            run("ip", "netns", "add", name)
            network_namespace.settle(self.within(name), self.congestion_control)
        run("ip", "link", "add", "wire", "netns", self.server, "type", "veth", "peer", "name",
            "wire", "netns", self.client)
        for name, address in ((self.server, SERVER_ADDRESS), (self.client, CLIENT_ADDRESS)):
            inside = self.within(name)
            run(*inside, "ip", "address", "add", address + "/24", "dev", "wire")
            run(*inside, "tc", "qdisc", "add", "dev", "wire", "root", "handle", "1:", "htb",
                "default", "1")
            run(*inside, "tc", "class", "add", "dev", "wire", "parent", "1:", "classid", "1:1",
                "htb", "rate", "%dmbit" % (RATE_GBIT * 1000), "burst", "4mb", "cburst", "4mb")
            run(*inside, "ip", "link", "set", "wire", "up")

    def __exit__(self, *_):
        for name in (self.server, self.client):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)

    @staticmethod
    def within(name):
        return ["ip", "netns", "exec", name]

    def retransmitted_segments(self):
        """Of the server's side, since it was made."""
        rows = [line.split() for line in run(*self.within(self.server), "cat",
                                             "/proc/net/snmp").splitlines()
                if line.startswith("Tcp:")]
        return int(rows[1][rows[0].index("RetransSegs")])

    def can_connect(self, port):
        """Whether something listens on the server's side."""
        test = "exec 3<>/dev/tcp/%s/%d" % (SERVER_ADDRESS, port)
        return subprocess.run([*self.within(self.client), "timeout", "1", "bash", "-c", test],
                              capture_output=True, check=False).returncode == 0


class WiredBroker(harness.Broker):
    """A broker on the server's side of a wire, its generator on the other."""

    host = SERVER_ADDRESS

    def __init__(self, wire, kind, options, arguments=()):
        self.wire = wire
        self.prefix = wire.within(wire.server)
        self.generator_prefix = wire.within(wire.client)
        super().__init__(kind, options, arguments)

    def _is_listening(self):
        return self.wire.can_connect(self.port)

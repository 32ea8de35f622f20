"""A wire between the Linux kernel and stack_peer: a veth pair in a network namespace of this process.

The peer has the frames of one end by the packet driver, with a MAC and IP addresses of its own; the
kernel has no address there, so it stays silent about them. The other end is the kernel's. The
namespace goes with the process, and everything in it.
"""

import itertools
import os
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

import own_namespace  # noqa: E402 (needs the path above)

OUR_MAC = "02:00:00:00:77:01"
OUR_END, KERNEL_END = "ours0", "kernel0"
SINK_END, SINK_OTHER_END = "sink0", "sink1"
TOOLS = ("ip", "ethtool", "nft", "tcpdump", "tshark")
_numbers = itertools.count(1)


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stderr.strip()))
    return done.stdout


def set_kernel(name, value):
    """A setting of this namespace, below /proc/sys/net."""
    with open("/proc/sys/net/" + name, "w") as file:
        file.write(str(value))


def enter_own_namespace():
    """From here on this process and its children see no network but their own."""
    own_namespace.enter()
    # What the kernel learns about a path in one test mustn't slow the next one down.
    set_kernel("ipv4/tcp_no_metrics_save", 1)


def enter_or_skip():
    own_namespace.enter_or_skip(TOOLS, enter_own_namespace)


def silence(end):
    """The kernel says nothing of its own there. Below its smallest MTU there is no IPv6 anyway."""
    if os.path.exists("/proc/sys/net/ipv6/conf/" + end):
        set_kernel("ipv6/conf/%s/disable_ipv6" % end, 1)


def prepare_end(end, mtu):
    """The wire carries what a card would: full checksums, and frames no longer than the MTU. One
    segment a packet also means that nftables drops segments and not bundles of forty."""
    run("ip", "link", "set", end, "mtu", str(mtu), "gso_max_segs", "1")
    run("ethtool", "-K", end, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")


class Wire:
    """One at a time in a process. Addresses are the same in all of them."""

    ours = {4: "10.77.0.1", 6: "fd77::1"}
    kernel = {4: "10.77.0.2", 6: "fd77::2"}
    prefix_bits = {4: 24, 6: 64}

    def __init__(self, mtu=1500):
        self.mtu = mtu
        run("ip", "link", "add", OUR_END, "type", "veth", "peer", "name", KERNEL_END)
        try:
            self._prepare()
        except Exception:
            self.remove()
            raise

    def _prepare(self):
        for end in (OUR_END, KERNEL_END):
            prepare_end(end, self.mtu)
        silence(OUR_END)
        self.add_address(KERNEL_END, self.kernel)
        for end in (OUR_END, KERNEL_END):
            run("ip", "link", "set", end, "up")

    def add_address(self, end, addresses):
        for family in self.families():
            more = ["nodad"] if family == 6 else []
            run("ip", "address", "add", "%s/%d" % (addresses[family], self.prefix_bits[family]),
                "dev", end, *more)

    def families(self):
        return (4, 6) if self.mtu >= 1280 else (4,)  # RFC 8200, section 5

    @property
    def device(self):
        return "net_af_packet%d,iface=%s" % (next(_numbers), OUR_END)

    def peer_arguments(self):
        arguments = ["--device", self.device, "--mac", OUR_MAC, "--mtu", str(self.mtu)]
        for family in self.families():
            arguments += ["--address", "%s/%d" % (self.ours[family], self.prefix_bits[family])]
        return arguments

    def lose(self, percent):
        """Random loss of frames in both directions; 100 cuts the wire. What the kernel sends goes
        to another interface instead of being dropped: a dropped packet is something that its sender
        is told of, and then it wouldn't be a loss. That hook is as near to the wire as can be."""
        self.lose_nothing()
        if SINK_END not in run("ip", "link"):
            run("ip", "link", "add", SINK_END, "type", "veth", "peer", "name", SINK_OTHER_END)
            for end in (SINK_END, SINK_OTHER_END):
                silence(end)
                run("ip", "link", "set", end, "mtu", "9000", "up")
        match = "" if percent >= 100 else ("numgen random mod 100000 < %d"
                                           % round(percent * 1000))
        run("nft", "-f", "-", text="""
            table netdev loss {
                chain arriving {
                    type filter hook ingress device %s priority 0;
                    %s counter drop;
                }
                chain leaving {
                    type filter hook egress device %s priority 0;
                    %s counter fwd to %s;
                }
            }""" % (KERNEL_END, match, KERNEL_END, match, SINK_END))

    def lost_counts(self):
        """Frames lost so far: those from us, those from the kernel."""
        counts = []
        for line in run("nft", "list", "table", "netdev", "loss").split("\n"):
            words = line.split()
            if "counter" in words:
                counts.append(int(words[words.index("packets") + 1]))
        return tuple(counts)

    def lose_nothing(self):
        subprocess.run(["nft", "delete", "table", "netdev", "loss"], capture_output=True,
                       check=False)  # there may be none

    def remove(self):
        self.lose_nothing()
        for end in (KERNEL_END, SINK_END):
            subprocess.run(["ip", "link", "delete", end], capture_output=True, check=False)

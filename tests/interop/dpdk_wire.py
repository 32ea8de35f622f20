"""A wire between the kernel and a broker on DPDK: a veth pair in this process's own namespace.

The broker has its frames by the packet driver on one end, and an address of its own; the kernel
has the other end.
"""

import itertools
import subprocess

TOOLS = ("ip", "ethtool")
_numbers = itertools.count(1)


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class DpdkWire:
    """One pair; `host` is the broker's address, `config` its part of the configuration file."""

    def __init__(self):
        number = next(_numbers)
        ours, self.kernel_end = "mr%da" % number, "mr%db" % number
        ip("link", "add", ours, "type", "veth", "peer", "name", self.kernel_end)
        for end in (ours, self.kernel_end):
            # The packet driver computes no checksums and cuts no segments for the kernel.
            subprocess.run(["ethtool", "-K", end, "tx", "off", "tso", "off", "gso", "off",
                            "gro", "off"], check=True, capture_output=True)
            ip("link", "set", end, "up")
        ip("address", "add", "10.77.%d.1/24" % number, "dev", self.kernel_end)
        self.host = "10.77.%d.2" % number
        self.config = {
            "device": "net_af_packet0,iface=" + ours,
            "mac": "02:00:00:00:%02x:02" % number,
            "addresses": [self.host + "/24"],
            "huge_pages": False,
            # Five times the usual pause: three shards that look every 100 us, mostly for nothing,
            # take half of a core from the tests beside them.
            "idle_sleep_us": 500,
        }

    def remove(self):
        ip("link", "delete", self.kernel_end)

"""A wire between the kernel and a broker on DPDK: a veth pair in a network namespace of this process.

The broker has its frames by the packet driver on one end, and an address of its own; the kernel
has the other end. The namespace goes with the process, and everything in it.
"""

import ctypes
import itertools
import os
import subprocess

CLONE_NEWNET = 0x40000000
_numbers = itertools.count(1)


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def enter_own_namespace():
    """From here on this process and its children see no network but their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace: %s"
                      % os.strerror(ctypes.get_errno()))
    ip("link", "set", "lo", "up")


def missing():
    """Why this can't run here, or None."""
    for tool in ("ip", "ethtool"):
        if subprocess.run(["sh", "-c", "PATH=$PATH:/usr/sbin:/sbin command -v " + tool],
                          capture_output=True, check=False).returncode != 0:
            return tool + " is not installed"
    if os.geteuid() != 0:
        return "root is needed for network namespaces"
    return None


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
        }

    def remove(self):
        ip("link", "delete", self.kernel_end)

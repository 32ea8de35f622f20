"""A network namespace of this process: it goes with the process, and everything in it."""

import ctypes
import os
import shutil
import subprocess
import sys

CLONE_NEWNET = 0x40000000
SKIPPED = 77  # what meson takes for it


def missing(tools):
    """Why a namespace with these programs can't be had here, or None."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    for tool in tools:
        if shutil.which(tool) is None:
            return tool + " is not installed"
    if os.geteuid() != 0:
        return "root is needed for a network namespace"
    return None


def enter():
    """From here on this process and its children see no network but their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace: %s"
                      % os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def enter_or_skip(tools, enter_it=enter):
    """Ends the process as skipped, with the reason, where it can't be."""
    reason = missing(tools)
    if not reason:
        try:
            enter_it()
        except OSError as error:
            reason = str(error)
    if reason:
        print("skipped: " + reason)
        sys.exit(SKIPPED)

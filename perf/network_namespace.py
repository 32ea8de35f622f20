"""A network namespace of the suite's own, so that what it sets for its measurements is set nowhere
else. Root only; without root it runs where it was started.

A new namespace has the kernel's defaults, or the first namespace's values: what the host has set
otherwise is carried over. The congestion control is chosen: bbr without the fq queue paces by
timers of its own, which a virtual machine pays for dearly. A kernel lets a namespace choose only
what the host allows; where cubic isn't, the namespace keeps what it has, and says so.
"""

import ctypes
import glob
import os
import stat
import subprocess

from harness import Failure, progress

CLONE_NEWNET = 0x40000000  # sched.h
SYSTEM = "/proc/sys/net/"
CONGESTION_CONTROL = "ipv4/tcp_congestion_control"
AVAILABLE = "ipv4/tcp_available_congestion_control"
ALLOWED = "ipv4/tcp_allowed_congestion_control"
CONGESTION_CONTROL_PREFERRED = "cubic"
PORT_RANGE = "ipv4/ip_local_port_range"
BACKLOG = "core/somaxconn"
CARRIED = ("ipv4/tcp_*", BACKLOG, "core/rmem_*", "core/wmem_*")
PORTS = "1024 65535"


def add_arguments(parser):
    parser.add_argument("--congestion-control", metavar="NAME",
                        help="of TCP, in namespaces that the suite makes (%s, where the host "
                        "allows it)" % CONGESTION_CONTROL_PREFERRED)


def enter(options):
    """The calling process, and all that it starts from now on. Says where it is in
    options.network."""
    if options.far:
        options.network = "the host's namespace, for the other machine"
        return
    if os.geteuid() != 0:
        options.network = "the host's namespace (one of its own needs root)"
        return
    options.congestion_control = chosen(options.congestion_control)
    before = carried_values()
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(CLONE_NEWNET) != 0:
        options.network = "the host's namespace (unshare: %s)" % os.strerror(ctypes.get_errno())
        return
    carry_over(before)
    settle((), options.congestion_control)
    options.network = "a namespace of its own, ports %s, somaxconn %s" % (
        " to ".join(read(PORT_RANGE).split()), read(BACKLOG))


def chosen(wanted=None):
    """The congestion control that namespaces made from here get. One that was asked for by name is
    had or refused."""
    available, allowed = (read(AVAILABLE) or "").split(), (read(ALLOWED) or "").split()
    if wanted is None:
        if CONGESTION_CONTROL_PREFERRED in allowed:
            return CONGESTION_CONTROL_PREFERRED
        kept = read(CONGESTION_CONTROL)
        progress("TCP's congestion control stays %s: this host allows %s in namespaces (%s = %s)" % (
            kept, ", ".join(allowed), ALLOWED, " ".join(allowed)))
        return kept
    if wanted not in available:
        raise Failure("--congestion-control %s: this kernel has %s" % (wanted, ", ".join(available)))
    if wanted not in allowed:
        raise Failure("--congestion-control %s: this host allows %s in namespaces: sysctl -w "
                      "net.ipv4.tcp_allowed_congestion_control='%s' first" % (
                          wanted, ", ".join(allowed), " ".join([*allowed, wanted])))
    return wanted


def settle(prefix, congestion_control):
    """What both the suite's own namespace and those of its wires need: commands after `prefix` run
    in it."""
    call([*prefix, "ip", "link", "set", "lo", "up"])
    for name, value in ((PORT_RANGE, PORTS), (CONGESTION_CONTROL, congestion_control)):
        call([*prefix, "sh", "-c", 'echo "$1" > "$2"', "sh", value, SYSTEM + name])


def carried_values():
    """{name below /proc/sys/net: value} of what may be set in this namespace."""
    names = [path[len(SYSTEM):] for pattern in CARRIED for path in glob.glob(SYSTEM + pattern)
             # Mode bits say what may be set at all; keys are secrets of the host.
             if os.stat(path).st_mode & stat.S_IWUSR and not path.endswith("_key")]
    return {name: value for name, value in ((name, read(name)) for name in names)
            if value is not None}


def carry_over(before):
    """Into the new namespace, what differs there. The host's own stays as it is."""
    for name, value in carried_values().items():
        if before.get(name, value) == value:
            continue
        try:
            with open(SYSTEM + name, "w") as file:
                file.write(before[name])
        except OSError as error:
            progress("%s stays %s (on the host: %s): %s" % (name, value, before[name], error))


def read(name):
    try:
        with open(SYSTEM + name) as file:
            return file.read().strip()
    except OSError:
        return None


def call(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure("%s: %s" % (" ".join(command[:6]), done.stderr.strip()[-500:]))

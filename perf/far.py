"""Another machine, whose load reaches the one here over a real network: what is measured (a broker,
a floor) runs here, what makes its load runs there, behind the words of a command such as
`ssh HOST`.
"""

import os
import re
import shlex
import socket
import subprocess

import floors
import harness
from harness import Failure

REACH_TIMEOUT_S = 30.0
# What one address has ports for, with room for those that wait to be used again.
CONNECTIONS_OF_AN_ADDRESS = 25_000


def add_arguments(parser):
    group = parser.add_argument_group("a second machine, which makes the load")
    group.add_argument("--host", metavar="HOST", help="its name or address; none: all runs here")
    group.add_argument("--generator-command", metavar="WORDS", type=shlex.split,
                       help="what runs a command there (ssh HOST)")
    group.add_argument("--server-address", metavar="ADDRESS",
                       help="of this machine, as seen from there (found by `ip route get`)")
    group.add_argument("--generator-millrace", metavar="PATH",
                       help="that executable there (as --millrace here)")
    group.add_argument("--generator-floors", metavar="PATH",
                       help="that executable there (as --floors here)")
    group.add_argument("--generator-core", metavar="NUMBER", type=int,
                       default=harness.GENERATOR_CORE, help="that the load has there (%(default)s)")
    group.add_argument("--generator-sources", metavar="LIST",
                       help="addresses of that machine to connect from, such as 10.0.0.2-10.0.0.9: "
                       "one alone has ports for %d connections" % CONNECTIONS_OF_AN_ADDRESS)


class FarMachine:
    def __init__(self, options):
        self.name = options.host
        self.prefix = options.generator_command or ["ssh", options.host]
        self.millrace = options.generator_millrace or options.millrace
        self.floors = options.generator_floors or floors.executable(options)
        self.core, self.sources = options.generator_core, options.generator_sources
        self.server_address = options.server_address or own_address(options.host)
        self.version = self.ask([self.millrace, "--version"]).split("\n")[0]
        self.ask(["test", "-x", self.floors])
        self.kernel = self.ask(["uname", "-r"]).strip()
        model = re.search(r"model name\s*: (.*)", self.ask(["cat", "/proc/cpuinfo"]))
        self.processor = model.group(1) if model else "unknown"

    def command(self, words):
        """Those words, to be run there. ssh hands them to a shell, other commands don't."""
        words = [str(one) for one in words]
        if os.path.basename(self.prefix[0]) == "ssh":
            words = [shlex.quote(one) for one in words]
        return [*self.prefix, *words]

    def pinned(self, words):
        return self.command(["taskset", "-c", self.core, *words])

    def ask(self, words):
        command = self.command(words)
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  stdin=subprocess.DEVNULL, timeout=REACH_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure("--host %s: %s" % (self.name, error)) from None
        if done.returncode != 0:
            raise Failure("--host %s: \"%s\" ended with %d: %s%s\nThe same build is needed there; "
                          "see --generator-command, --generator-millrace, --generator-floors" % (
                              self.name, " ".join(command), done.returncode, done.stdout,
                              done.stderr))
        return done.stdout

    def sheet(self):
        return "%s (%s, Linux %s, %s)" % (self.name, self.processor, self.kernel, self.version)


def own_address(host):
    """Of this machine, on the way to `host`."""
    try:
        address = socket.getaddrinfo(host.rpartition("@")[2], None, socket.AF_INET)[0][4][0]
        told = subprocess.run(["ip", "-4", "route", "get", address], capture_output=True,
                              text=True, check=False).stdout
    except OSError as error:
        raise Failure("--host %s: %s; see --server-address" % (host, error)) from None
    found = re.search(r"\bsrc (\S+)", told)
    if not found:
        raise Failure("--host %s: no route to %s; see --server-address" % (host, address))
    return found.group(1)

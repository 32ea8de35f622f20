"""What the programs beside this file share: brokers as processes, memory and processor time from
/proc, and how figures are printed and kept. The load is generator.py's.

Every process is started here with a configuration and a folder of its own, on a free loopback
port, and ended by its process id. Nothing here judges a figure.
"""

import argparse
import datetime
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
STATE_TIMEOUT_S = 5.0
BUSY_LOAD_AVERAGE = 0.5
BUSY_SHARE_MAX = 0.1   # of all cores, in the second before a measurement

allowed_cores = sorted(os.sched_getaffinity(0))
BROKER_CORE = allowed_cores[0]
GENERATOR_CORE = allowed_cores[1 % len(allowed_cores)]


class Failure(Exception):
    """The measurement could not be made."""


def say(text):
    print(text, flush=True)


def progress(text):
    print(text, file=sys.stderr, flush=True)


# ---- arguments ----------------------------------------------------------------------------------

def argument_parser(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--millrace", default=os.path.join(FOLDER, "..", "build", "millrace"),
                        help="the executable (build/millrace)")
    parser.add_argument("--smoke", action="store_true",
                        help="as small as it gets: only shows that this program works")
    parser.add_argument("--write", action="store_true",
                        help="keep the raw figures in perf/results/")
    return parser


def parse(parser):
    options = parser.parse_args()
    options.millrace = os.path.abspath(options.millrace)
    if not os.access(options.millrace, os.X_OK):
        parser.error("%s is not an executable; see --millrace" % options.millrace)
    # A second machine (far.py) and a profile being taken (profiles.py): the suite's alone.
    options.far, options.recorder = None, None
    options.network = "the host's namespace"  # the suite may take another: network_namespace.py
    return options


def numbers(text):
    return [int(one) for one in text.split(",")]


def mosquitto_path():
    for path in (shutil.which("mosquitto"), "/usr/sbin/mosquitto"):
        if path and os.access(path, os.X_OK):
            return path
    return None


def available_brokers(wanted):
    kinds = []
    for kind in wanted.split(","):
        if kind == "mosquitto" and not mosquitto_path():
            say("mosquitto is not installed (Debian package mosquitto): left out.")
        else:
            kinds.append(kind)
    return kinds


# ---- /proc --------------------------------------------------------------------------------------

def memory_bytes(pid):
    """Resident memory, huge pages included (VmRSS doesn't count those)."""
    kilobytes = 0
    with open("/proc/%d/status" % pid) as status:
        for line in status:
            name, _, value = line.partition(":")
            if name in ("VmRSS", "HugetlbPages"):
                kilobytes += int(value.split()[0])
    return kilobytes * 1024


def all_cores_ticks():
    """{"user": ..., "softirq": ...}: what all cores have spent on each, proc_stat(5)."""
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    with open("/proc/stat") as stat:
        return dict(zip(names, map(int, stat.readline().split()[1:])))


class Usage:
    """What a process has used so far, its ended threads included, and all cores in softirqs."""

    def __init__(self, user_s, system_s, softirq_s, memory):
        self.user_s, self.system_s, self.softirq_s = user_s, system_s, softirq_s
        self.memory_bytes = memory

    @staticmethod
    def of(pid):
        ticks = os.sysconf("SC_CLK_TCK")
        with open("/proc/%d/stat" % pid) as stat:
            fields = stat.read().rpartition(")")[2].split()
        return Usage(int(fields[11]) / ticks, int(fields[12]) / ticks,
                     all_cores_ticks()["softirq"] / ticks, memory_bytes(pid))

    def since(self, before):
        return Usage(self.user_s - before.user_s, self.system_s - before.system_s,
                     self.softirq_s - before.softirq_s, self.memory_bytes - before.memory_bytes)


def cpu_seconds(pid):
    used = Usage.of(pid)
    return used.user_s + used.system_s


def settled_memory_bytes(pid, timeout_s=5.0):
    """Resident memory once it has stood still for half a second."""
    deadline = time.monotonic() + timeout_s
    last, since = memory_bytes(pid), time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < 0.5:
        time.sleep(0.05)
        now = memory_bytes(pid)
        if now != last:
            last, since = now, time.monotonic()
    return last


# ---- brokers ------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


class Server:
    """What a running server of ours has; how it starts is its own affair: `process`, `folder` (for
    its files, gone with it), `kind` (what it is called) and text() (what it said)."""

    host = "127.0.0.1"
    # Before its command, and before its generator's, to run them elsewhere.
    prefix = ()
    generator_prefix = ()

    def face(self, options):
        """Listens where its clients can reach it."""
        if options.far:
            self.host = options.far.server_address

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None and not self.alive():
            progress("%s ended by itself:\n%s" % (self.kind, self.text()[-4000:]))
        self.stop()


class Broker(Server):
    """A running broker. `kind`: millrace or mosquitto; `arguments` go to `millrace serve`."""

    def __init__(self, kind, options, arguments=(), cores=None):
        self.face(options)
        self.kind, self.port = kind, free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-perf-")
        self.output_path = os.path.join(self.folder.name, "output")
        cores = [BROKER_CORE] if cores is None else cores
        command = [*self.prefix, "taskset", "-c", ",".join(map(str, cores))]
        command += self._command(options, list(arguments))
        with open(self.output_path, "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, cwd=self.folder.name,
                                            preexec_fn=raise_open_file_limit)
        self.pid = self.process.pid  # taskset becomes the broker: exec keeps the number
        self._await_listening()

    def _command(self, options, arguments):
        if self.kind == "millrace":
            return [options.millrace, "serve", "--listen", "%s:%d" % (self.host, self.port),
                    *arguments]
        config = os.path.join(self.folder.name, "mosquitto.conf")
        with open(config, "w") as out:
            out.write("listener %d %s\nallow_anonymous true\npersistence false\n"
                      "log_type error\nlog_type warning\nmax_queued_messages 0\n"
                      "max_inflight_messages 0\nmax_connections -1\n" % (self.port, self.host))
        return [mosquitto_path(), "-c", config]

    def _await_listening(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self._is_listening():
                return
            time.sleep(0.01)
        text = self.text()
        self.stop()
        raise Failure("%s doesn't listen:\n%s" % (self.kind, text))

    def _is_listening(self):
        try:
            socket.create_connection((self.host, self.port), 1.0).close()
            return True
        except OSError:
            return False

    def counters(self):
        """Sums over millrace's shards, as it writes them on SIGUSR1: {name: total}."""
        shown = len(self.text())
        self.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + STATE_TIMEOUT_S
        told = ""
        while time.monotonic() < deadline:
            time.sleep(0.05)
            before, told = told, self.text()[shown:]
            if told and told == before:
                break
        found = {}
        for name, value in re.findall(r" name=([a-z_]+) value=(\d+)$", told, re.MULTILINE):
            found[name] = found.get(name, 0) + int(value)
        return found

    def text(self):
        with open(self.output_path, "rb") as output:
            return output.read().decode("utf-8", "replace")


def raise_open_file_limit():
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# ---- figures ------------------------------------------------------------------------------------

class Spread:
    """Smallest, median and largest of the rounds."""

    def __init__(self, values):
        self.values = list(values)
        self.smallest, self.largest = min(self.values), max(self.values)
        self.median = statistics.median(self.values)

    def text(self, unit=1.0, decimals=0):
        return " / ".join("%.*f" % (decimals, value / unit)
                          for value in (self.smallest, self.median, self.largest))


def table(head, rows):
    """A Markdown table, padded so that it reads well in a terminal."""
    cells = [list(map(str, row)) for row in [head] + rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
             for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    say("\n".join(lines))


def first_line_of(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        return (done.stdout or done.stderr).strip().split("\n")[0]
    except OSError:
        return "not found"


def value_of(path, name):
    with open(path) as lines:
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return "unknown"


def machine_sheet(options):
    def contents(path):
        try:
            with open(path) as file:
                return file.read().strip()
        except OSError:
            return "unknown"
    mosquitto = mosquitto_path()
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "processor": value_of("/proc/cpuinfo", "model name"),
        "cores": len(allowed_cores),
        "memory": value_of("/proc/meminfo", "MemTotal"),
        "kernel": os.uname().release,
        "congestion_control": contents("/proc/sys/net/ipv4/tcp_congestion_control"),
        "network": options.network,
        "generator": options.far.sheet() if options.far else "this machine",
        "huge_pages": value_of("/proc/meminfo", "HugePages_Total"),
        "load_average_at_start": contents("/proc/loadavg"),
        "busy_share_at_start": busy_share(),
        "millrace": first_line_of([options.millrace, "--version"]),
        "mosquitto": first_line_of([mosquitto, "-h"]) if mosquitto else "not found",
        "commit": first_line_of(["git", "-C", FOLDER, "describe", "--always", "--dirty"]),
    }


def busy_share(seconds=1.0):
    """Of all cores' time in the coming seconds, what isn't idle. The load average would still hold
    the measurement before."""
    before = all_cores_ticks()
    time.sleep(seconds)
    spent = {name: after - before[name] for name, after in all_cores_ticks().items()}
    whole = sum(spent.values())
    return 1 - (spent["idle"] + spent["iowait"]) / whole if whole else 0.0


def was_busy(sheet):
    """Of a sheet without the share, by its load average: it may be that of the run before."""
    if "busy_share_at_start" not in sheet:
        return float(sheet["load_average_at_start"].split()[0]) > BUSY_LOAD_AVERAGE
    return sheet["busy_share_at_start"] > BUSY_SHARE_MAX


def say_machine(sheet):
    say("%(cores)d cores of %(processor)s, %(memory)s, Linux %(kernel)s, %(congestion_control)s; "
        "load average %(load_average_at_start)s" % sheet)
    say("in the last second the cores were %.0f %% busy" % (100 * sheet["busy_share_at_start"]))
    say("%(millrace)s (%(commit)s) beside %(mosquitto)s\n" % sheet)
    if was_busy(sheet):
        say("THE MACHINE IS BUSY: what depends on time below is not a claim (README.md).\n")


def write_result(options, name, sheet, figures):
    if not options.write:
        return
    path = os.path.join(FOLDER, "results", "%s-%s.json" % (name, datetime.date.today()))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        json.dump({"program": name, "arguments": sys.argv[1:], "machine": sheet,
                   "figures": figures}, out, indent=1)
        out.write("\n")
    say("\nRaw figures: %s" % os.path.relpath(path))


def run(main):
    try:
        sys.exit(main())
    except Failure as failure:
        progress("%s: %s" % (os.path.basename(sys.argv[0]), failure))
        sys.exit(1)

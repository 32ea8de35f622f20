"""Where millrace's time over io_uring goes: one more round of a cell, with Linux's perf on the
broker during the measured phase. Kept as text: the functions that most samples fell into, and what part
of the work each sample was, by its call chain.

The kernel's call chains are whole. Ours are not (the build keeps no frame pointers), so that a
sample in user space counts by its own function alone.
"""

import collections
import glob
import os
import re
import select
import signal
import subprocess
import tempfile
import time

import harness
from contender import URING
from harness import Failure, progress

EVENT = ("-e", "cpu-clock", "-F", "2000", "-g")
ANSWER_TIMEOUT_S = 30.0
TOP_COUNT = 25
SOURCES = os.path.join(harness.FOLDER, "..", "src")
# Of a chain the innermost function counts that one of these takes.
KERNEL_PARTS = (
    ("copy", r"_?copy_(to|from)_|.*copy_(to|from)_(user|iter)|rep_movs|memcpy|skb_copy_datagram"),
    ("skb free", r"_*kfree_skb|skb_release_|skb_free_|consume_skb|napi_consume_skb|"
                 r"skb_attempt_defer_free|tcp_clean_rtx_queue|sk_skb_reason_drop|kfree_skbmem"),
    ("wake-ups", r"_*wake_up|try_to_wake_up|sock_def_readable|ep_poll_callback|io_poll_wake|"
                 r"sock_def_write_space|sk_stream_write_space|ttwu_|schedule$|__schedule$"),
    ("timers", r"mod_timer|__mod_timer|hrtimer_|run_timer_softirq|__hrtimer_|call_timer_fn|"
               r"sk_reset_timer|tcp_(write|delack)_timer|clockevents_"),
    ("softirq receive path", r"net_rx_action|process_backlog|__napi_poll|__netif_receive_skb|"
                             r"ip_(local_deliver|rcv)|tcp_v4_(do_)?rcv|tcp_rcv_|tcp_ack$|"
                             r"tcp_data_queue|handle_softirqs|__do_softirq|do_softirq|veth_poll"),
    ("TCP send path", r"tcp_(sendmsg|push|write_xmit|stream_alloc_skb|skb_entail)|"
                      r"__tcp_(transmit_skb|push_pending)|(__)?ip_queue_xmit|ip_(finish_)?output|"
                      r"__dev_queue_xmit|dev_hard_start_xmit|loopback_xmit|(inet|sock)_sendmsg|"
                      r"sk_stream_|skb_page_frag_refill"),
    ("io_uring", r"_*io_|__(x64|se|do)_sys_io_uring|io_uring|req_|ctx_flush"),
)
KERNEL_PARTS = tuple((name, re.compile("(?:%s)" % rule)) for name, rule in KERNEL_PARTS)
LAYERS = ("broker", "codec", "net", "runtime", "base", "server")


def add_arguments(parser):
    parser.add_argument("--profile", action="store_true",
                        help="after each cell, one more round of millrace over io_uring under perf")


class Recorder:
    """perf record on the broker's process: waiting from attach() on, recording from begin() to
    end(), since a phase may be over before perf has started."""

    def __init__(self, folder):
        self.path, self.process = os.path.join(folder, "data"), None
        self.orders = os.path.join(folder, "orders")
        self.answers = os.path.join(folder, "answers")
        self.said = ""

    def attach(self, pid):
        """Of a run that loads more than one broker the last remains: the one it reports."""
        self.stop()
        for path in (self.path, self.orders, self.answers):
            if os.path.exists(path):
                os.unlink(path)
        for path in (self.orders, self.answers):
            os.mkfifo(path)
        self.process = subprocess.Popen(
            ["perf", "record", "-q", *EVENT, "-o", self.path, "--delay=-1", "--control",
             "fifo:%s,%s" % (self.orders, self.answers), "-p", str(pid)], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        # Both ends of each: neither opening waits for the other process.
        self.order_file = os.open(self.orders, os.O_RDWR)
        self.answer_file = os.open(self.answers, os.O_RDWR)
        self._order("ping")

    def begin(self):
        self._order("enable")

    def end(self):
        self._order("disable")

    def _order(self, word):
        os.write(self.order_file, word.encode() + b"\n")
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while not select.select([self.answer_file], [], [], 0.1)[0]:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Failure("perf record takes no orders: %s" % self.said.strip())
        os.read(self.answer_file, 64)

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.said = self.process.communicate(timeout=ANSWER_TIMEOUT_S)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.said = self.process.communicate()[1]
        self.process = None
        os.close(self.order_file)
        os.close(self.answer_file)


def of_cell(options, scenario_name, cell, contenders):
    """What is to be kept with a cell: {"file"} in the results' folder, or a {"note"} why not."""
    chosen = [one for one in contenders if one.name == URING]
    if not chosen:
        return None
    if harness.first_line_of(["perf", "--version"]) == "not found":
        return {"note": "no profile: perf is not installed (Debian package linux-perf)"}
    with tempfile.TemporaryDirectory(prefix="millrace-profile-") as folder:
        recorder = options.recorder = Recorder(folder)
        try:
            chosen[0].run()
            recorder.stop()
            samples = read(recorder.path)
        except (Failure, OSError) as failure:
            return {"note": "no profile: %s" % " ".join(str(failure).split())[:200]}
        finally:
            recorder.stop()
            options.recorder = None
    if not samples:
        return {"note": "no profile: the phase ended before a sample was taken. %s" %
                " ".join(recorder.said.split())[:200]}
    name = "profile_%s_%s.txt" % (scenario_name, re.sub(r"[^a-z0-9]+", "_", cell.name.lower()))
    with open(os.path.join(options.results, name), "w") as out:
        out.write(text_of(cell.name, samples))
    progress("%s: %s" % (cell.name, name))
    return {"file": name}


# ---- samples ------------------------------------------------------------------------------------

def read(path):
    """Each sample's chain, innermost first: (function, whether it is the kernel's)."""
    if not os.path.exists(path):
        raise Failure("perf wrote nothing (see /proc/sys/kernel/perf_event_paranoid)")
    done = subprocess.run(["perf", "script", "-i", path, "-F", "ip,sym,dso"], capture_output=True,
                          text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise Failure("perf script: %s" % done.stderr.strip())
    return chains_of(done.stdout)


def chains_of(text):
    chains = []
    for block in re.split(r"\n\s*\n", text):
        frames = [frame_of(line) for line in block.splitlines() if line.strip()]
        if frames:
            chains.append(frames)
    return chains


def frame_of(line):
    name, _, place = line.strip().partition(" ")[2].rpartition(" (")
    return name, "kernel" in place or place.startswith("[k")


def part_of(chain, classes):
    """What the work of a sample was."""
    name, in_kernel = chain[0]
    if not in_kernel:
        return "user space: " + layer_of(name, classes)
    for name, in_kernel in chain:
        if in_kernel:
            for part, rule in KERNEL_PARTS:
                if rule.match(name):
                    return "kernel: " + part
    return "kernel: other"


def classes_of_layers():
    """{name of a class or namespace: its layer}, of the headers in src/."""
    found = {"mqtt": "codec", "uring": "net"}
    for layer in LAYERS:
        for path in glob.glob(os.path.join(SOURCES, layer, "**", "*.h"), recursive=True):
            with open(path) as file:
                for name in re.findall(r"^\s*(?:class|struct) (\w+)", file.read(), re.MULTILINE):
                    found.setdefault(name, layer)
    return found


def layer_of(function, classes):
    for name in re.findall(r"millrace::(\w+)", function):
        if name in classes:
            return classes[name]
    return "others of ours" if "millrace::" in function else "libraries"


def text_of(cell, samples):
    classes = classes_of_layers()
    functions = collections.Counter(chain[0] for chain in samples)
    parts = collections.Counter(part_of(chain, classes) for chain in samples)
    lines = ["millrace io_uring, %s: the broker's processor time in the measured phase" % cell,
             "%d samples of perf record %s" % (len(samples), " ".join(EVENT)), "",
             "by part (of a kernel chain the innermost function that belongs to one):", ""]
    lines += ["%6.2f %%  %s" % (100 * count / len(samples), part)
              for part, count in parts.most_common()]
    lines += ["", "the %d functions that most samples fell into:" % TOP_COUNT, ""]
    lines += ["%6.2f %%  %s%s" % (100 * count / len(samples), name, " [kernel]" * in_kernel)
              for (name, in_kernel), count in functions.most_common(TOP_COUNT)]
    return "\n".join(lines) + "\n"

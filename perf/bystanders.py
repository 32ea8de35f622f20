"""Idle clients beside the ones that are measured: connected, subscribed to topics of their own, and
silent.
"""

import subprocess
import time

import harness
from harness import Failure


class Bystanders:
    """`count` of them at `broker` while the context lasts."""

    def __init__(self, options, broker, count):
        self.count, self.process = count, None
        if count == 0:
            return
        self.process = subprocess.Popen(
            ["taskset", "-c", str(harness.GENERATOR_CORE), options.millrace, "load", "connect",
             "--port", str(broker.port), "--connections", str(count), "--duration", "600",
             "--keep-alive", "600", "--client-id-prefix", "bystander", "--source",
             "127.0.0.2-127.0.0.9", "--json", "--quiet"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=harness.raise_open_file_limit)

    def await_connected(self, broker, timeout_s=60.0):
        deadline = time.monotonic() + timeout_s
        while self.count and broker.counters().get("accepted", 0) < self.count:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise Failure("%d bystanders didn't connect" % self.count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

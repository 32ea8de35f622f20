"""Idle clients beside the ones that are measured: connected, subscribed to topics of their own, and
silent.
"""

import subprocess
import time

import generator
import harness
from harness import Failure

# They go when their input ends: on another machine no signal reaches them.
UNTIL_END_OF_INPUT = '"$@" </dev/null & cat >/dev/null; kill $!; wait'


class Bystanders:
    """`count` of them at `broker` while the context lasts; `shards` of the generator hold them, each
    as many as a process may have open files."""

    def __init__(self, options, broker, count, shards=1):
        self.count, self.process = count, None
        if count == 0:
            return
        arguments = ["load", "connect", "--host", broker.host, "--port", broker.port,
                     "--connections", count, "--duration", 600, "--keep-alive", 600,
                     "--client-id-prefix", "bystander", "--json", "--quiet", "--shards", shards,
                     *generator.sources(options)]
        shell = ["sh", "-c", UNTIL_END_OF_INPUT, "bystanders"]
        if options.far:
            command = options.far.command([*shell, "taskset", "-c", options.far.core,
                                           options.far.millrace, *arguments])
        else:
            command = [*shell, "taskset", "-c", harness.GENERATOR_CORE, options.millrace,
                       *arguments]
        self.process = subprocess.Popen(
            [str(one) for one in command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, preexec_fn=harness.raise_open_file_limit)

    def await_connected(self, broker, timeout_s=60.0):
        deadline = time.monotonic() + timeout_s
        while self.count and broker.counters().get("accepted", 0) < self.count:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise Failure("%d bystanders didn't connect" % self.count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.communicate()

"""The load generator, `millrace load`: on this machine beside the broker, or on another (far.py).
What the broker's process used is read where the broker runs. From here that is done by the moments
that the generator tells on standard error, which are late by the way of a line of text.
"""

import json
import subprocess
import tempfile
import threading

import harness
from harness import Failure, Usage

PHASE = "phase: "


def load(options, broker, mode, arguments, cores=None, timeout_s=300):
    """Runs `millrace load` against `broker`; its report as a dict. Lost messages are a figure."""
    phases = Phases(broker, options.recorder if broker.kind == "millrace" else None)
    command = command_of(options, broker, mode, arguments, cores)
    status, output, errors = run(command, timeout_s, phases)
    if not broker.alive():
        raise Failure("%s ended under load:\n%s" % (broker.kind, broker.text()[-4000:]))
    try:
        report = json.loads(output)
    except ValueError:
        raise Failure("%s\nended with %d:\n%s%s" % (" ".join(command), status, output,
                                                    errors)) from None
    return {**report, **phases.use(report)} if options.far else report


def command_of(options, broker, mode, arguments, cores):
    tail = ["load", mode, "--host", broker.host, "--port", broker.port, "--json", *arguments]
    if not options.far:
        tail += ["--server-pid", broker.pid]
    if not options.far and not options.recorder:
        tail.append("--quiet")
    tail = [str(one) for one in tail]
    if options.far:
        return options.far.pinned([options.far.millrace, *tail])
    cores = [harness.GENERATOR_CORE] if cores is None else cores
    return [*broker.generator_prefix, "taskset", "-c", ",".join(map(str, cores)),
            options.millrace, *tail]


def sources(options):
    """Arguments for more connections than one address has ports for."""
    if options.far:
        return ["--source", options.far.sources] if options.far.sources else []
    return ["--source", "127.0.0.2-127.0.0.9"]


class Phases:
    """What was used up to each moment that the generator told; a profile of the measured phase."""

    def __init__(self, broker, recorder):
        self.broker, self.recorder, self.usages = broker, recorder, {}
        if recorder:
            recorder.attach(broker.pid)

    def __call__(self, moment):
        if self.broker.alive():
            self.usages[moment] = Usage.of(self.broker.pid)
        if self.recorder and moment == "measuring":
            self.recorder.begin()
        if self.recorder and moment == "measured":
            self.recorder.end()

    def use(self, report):
        """What the generator itself would have reported of a broker beside it."""
        missing = {"connecting", "connected", "measuring", "measured"} - set(self.usages)
        if missing:
            return {}
        used = self.usages["measured"].since(self.usages["measuring"])
        growth = self.usages["connected"].since(self.usages["connecting"]).memory_bytes
        cpu_s = used.user_s + used.system_s
        kind, work = ("deliveries", report["delivered_count"]) if "delivered_count" in report \
            else ("connects", report["connected_count"])
        connected = report["rounds"][0]["connected_count"]
        return {"server_cpu_s": cpu_s, "server_cpu_user_s": used.user_s,
                "server_cpu_system_s": used.system_s, "softirq_s": used.softirq_s,
                kind + "_per_server_cpu_s": work / cpu_s if cpu_s else 0.0,
                "server_memory_growth_bytes": growth,
                "server_memory_bytes_per_connection": growth / connected if connected else 0.0}


def run(command, timeout_s, on_phase):
    """(status, output, what else it said)."""
    said = []
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, text=True,
                                   stderr=subprocess.PIPE,
                                   preexec_fn=harness.raise_open_file_limit)
        timer = threading.Timer(timeout_s, process.kill)
        timer.start()
        try:
            for line in process.stderr:
                if line.startswith(PHASE):
                    on_phase(line[len(PHASE):].strip())
                else:
                    said.append(line)
            status = process.wait()
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            process.stderr.close()
        output.seek(0)
        return status, output.read(), "".join(said)

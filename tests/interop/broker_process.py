"""Starts a broker on a free port and stops it, noticing when it has died or complained.

`millrace` is the subject. mosquitto can stand in for it, which shows that the harness and the
expectations are sound; `settings.broker` says which one runs.
"""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time

from dpdk_wire import DpdkWire


class Settings:
    """What run.py was asked for; read by the tests."""
    broker = "millrace"     # or "mosquitto"
    net = "uring"           # or "dpdk"
    executable = None
    shards = 1
    soak_seconds = 20.0
    soak_seed = 4711
    drain_connections = 1000


settings = Settings()

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
# A line of a sanitizer or of our own assert: the process is broken even if it still answers.
TROUBLE = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|"
                     r"runtime error:|[Aa]ssertion .*failed|MR_ASSERT|MR_VERIFY|terminate called")

# Keys of ours that mosquitto has too, so that one test can run against both.
MOSQUITTO_KEYS = {
    ("mqtt", "maximum_packet_bytes"): "max_packet_size",
    ("mqtt", "receive_maximum"): "max_inflight_messages",
    ("mqtt", "maximum_qos"): "max_qos",
    ("mqtt", "retain_available"): "retain_available",
    ("mqtt", "topic_alias_maximum"): "max_topic_alias",
    ("queues", "session_messages_max"): "max_queued_messages",
}
MOSQUITTO_AFTER_LISTENER = ("max_qos", "max_topic_alias")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(one) for one in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def toml(config):
    lines = []
    for section, values in config.items():
        lines.append("[%s]" % section)
        lines += ["%s = %s" % (key, toml_value(value)) for key, value in values.items()]
    return "\n".join(lines) + "\n"


def mosquitto_config(port, config):
    before = ["allow_anonymous true", "persistence false", "sys_interval 1",
              "max_queued_messages 0"]
    after = []
    for section, values in config.items():
        for key, value in values.items():
            name = MOSQUITTO_KEYS.get((section, key))
            if name:
                line = "%s %s" % (name, toml_value(value))
                (after if name in MOSQUITTO_AFTER_LISTENER else before).append(line)
    return "\n".join(before + ["listener %d 127.0.0.1" % port] + after) + "\n"


class BrokerProcess:
    """A running broker at `host` and `port`. `config`: sections of the configuration file, as dicts.
    `environment`: variables beside those of this process."""

    def __init__(self, config=None, shards=None, environment=None):
        self.config, self.port, self.host = dict(config or {}), free_port(), "127.0.0.1"
        self.wire = None
        if settings.net == "dpdk":
            self.wire = DpdkWire()
            self.host = self.wire.host
            self.config["dpdk"] = dict(self.wire.config, **self.config.get("dpdk", {}))
        self.shards = settings.shards if shards is None else shards
        self.folder = tempfile.TemporaryDirectory(prefix="interop-")
        self.output_path = os.path.join(self.folder.name, "output")
        self.config_path = os.path.join(self.folder.name, "broker.toml")
        self.output = open(self.output_path, "wb")
        self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT,
                                        env=dict(os.environ, **(environment or {})))
        try:
            self._await_listening()
        except Exception:
            self.kill()
            raise

    def _command(self):
        if settings.broker == "mosquitto":
            with open(self.config_path, "w") as out:
                out.write(mosquitto_config(self.port, self.config))
            return [settings.executable, "-c", self.config_path]
        command = [settings.executable, "serve", "--listen", "%s:%d" % (self.host, self.port),
                   "--net", settings.net, "--shards", str(self.shards)]
        if self.config:
            with open(self.config_path, "w") as out:
                out.write(toml(self.config))
            command += ["--config", self.config_path]
        return command

    def _await_listening(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError("the broker ended with %d at its start:\n%s"
                                   % (self.process.returncode, self.text()))
            try:
                socket.create_connection((self.host, self.port), 1.0).close()
                return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError("the broker doesn't listen after %d s:\n%s"
                           % (START_TIMEOUT_S, self.text()))

    @property
    def address(self):
        return (self.host, self.port)

    def text(self):
        with open(self.output_path, "rb") as output:
            return output.read().decode("utf-8", "replace")

    def trouble(self):
        """Why the process is not well, or None."""
        if self.process.poll() is not None:
            return "the broker ended by itself (status %d):\n%s" % (self.process.returncode,
                                                                     self.text()[-6000:])
        if TROUBLE.search(self.text()):
            return "the broker reports:\n" + self.text()[-6000:]
        return None

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        """Waits for the end after terminate(); returns what was wrong, or None."""
        try:
            status = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return "the broker did not end within %d s after SIGTERM" % STOP_TIMEOUT_S
        output = self.text()
        self.cleanup()
        if status != 0 or TROUBLE.search(output):
            return "exit status %d:\n%s" % (status, output[-6000:])
        return None

    def stop(self):
        problem = self.trouble()
        if problem:
            self.kill()
            return problem
        self.terminate()
        return self.wait()

    def resident_bytes(self):
        with open("/proc/%d/statm" % self.process.pid) as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.cleanup()

    def cleanup(self):
        self.output.close()
        self.folder.cleanup()
        if self.wire:
            self.wire.remove()
            self.wire = None

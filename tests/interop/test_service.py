"""What the service manager and the log are told: sd_notify(3), the watchdog, events with fields."""

import ctypes
import json
import os
import re
import signal
import socket
import tempfile
import time
import unittest

import mqtt_wire as mqtt
from broker_process import BrokerProcess, settings
from case import BrokerTest, millrace_only

WAIT_S = 20.0            # for what must come
WATCHDOG_TIMEOUT_S = 1.0

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="interop-")
        self.path = os.path.join(self.folder.name, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def receive(self, wait_s=WAIT_S):
        """The next message as a dict, or None."""
        self.socket.settimeout(wait_s)
        try:
            text = self.socket.recv(65536).decode()
        except (TimeoutError, BlockingIOError):
            return None
        return dict(line.split("=", 1) for line in text.split("\n"))

    def until(self, key):
        """The next message that assigns `key`."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            message = self.receive()
            if message and key in message:
                return message
        raise AssertionError("no %s within %d s" % (key, WAIT_S))

    def close(self):
        self.socket.close()
        self.folder.cleanup()


class StoppedThread:
    """One thread of a child process stands still, for real, while the others run: ptrace(2)."""

    def __init__(self, process, name):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.thread = next(int(task) for task in os.listdir("/proc/%d/task" % process)
                           if self._name(process, task) == name)
        if self._ptrace(PTRACE_SEIZE) != 0:
            raise unittest.SkipTest("ptrace: " + os.strerror(ctypes.get_errno()))
        if self._ptrace(PTRACE_INTERRUPT) != 0:
            raise AssertionError(os.strerror(ctypes.get_errno()))
        os.waitpid(self.thread, 0x40000000)  # __WALL: a thread that isn't the first

    @staticmethod
    def _name(process, task):
        with open("/proc/%d/task/%s/comm" % (process, task)) as comm:
            return comm.read().strip()

    def _ptrace(self, request):
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self.libc.ptrace.restype = ctypes.c_long
        return self.libc.ptrace(request, self.thread, None, None)

    def go_on(self):
        if self._ptrace(PTRACE_DETACH) != 0:
            raise AssertionError(os.strerror(ctypes.get_errno()))


@unittest.skipIf(settings.broker != "millrace", "millrace only: mosquitto has no watchdog")
class ManagerTest(unittest.TestCase):
    def setUp(self):
        self.manager = Manager()
        self.broker = None

    def tearDown(self):
        if self.broker:
            self.broker.kill()
        self.manager.close()

    def start(self, config=None, **environment):
        self.broker = BrokerProcess(config, environment=dict(environment,
                                                             NOTIFY_SOCKET=self.manager.path))
        message = self.manager.receive()
        self.assertIsNotNone(message, self.broker.text())
        return message

    def wait_for_log(self, pattern, after=0):
        """Until the text behind `after` characters matches."""
        deadline = time.monotonic() + WAIT_S
        while not re.search(pattern, self.broker.text()[after:]):
            self.assertLess(time.monotonic(), deadline, self.broker.text())
            time.sleep(0.02)

    def test_it_is_ready_when_it_listens_and_says_when_it_stops(self):
        ready = self.start()
        self.assertEqual(ready["READY"], "1")
        self.assertEqual(ready["MAINPID"], str(self.broker.process.pid))
        self.assertIn("%s:%d" % self.broker.address, ready["STATUS"])
        self.broker.terminate()
        stopping = self.manager.until("STOPPING")
        self.assertEqual(stopping["STOPPING"], "1")
        self.assertGreaterEqual(int(stopping["EXTEND_TIMEOUT_USEC"]), 5_000_000)
        self.assertNotIn("WATCHDOG_USEC", stopping, "that would start a watchdog")
        self.assertIsNone(self.broker.wait())

    def test_it_asks_for_the_time_that_a_reload_set(self):
        self.start({"timeouts": {"drain_ms": 1000}})
        with open(self.broker.config_path) as file:
            text = file.read()
        with open(self.broker.config_path, "w") as file:
            file.write(text.replace("drain_ms = 1000", "drain_ms = 300000"))
        self.broker.process.send_signal(signal.SIGHUP)
        self.manager.until("RELOADING")
        self.manager.until("READY")
        self.broker.terminate()
        stopping = self.manager.until("STOPPING")
        self.assertGreaterEqual(int(stopping["EXTEND_TIMEOUT_USEC"]), 600_000_000)

    def test_a_manager_that_reads_nothing_holds_nothing_up(self):
        self.start()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            with self.assertRaises(BlockingIOError):
                while True:
                    other.sendto(b"STATUS=full", self.manager.path)
        self.broker.terminate()
        self.assertIsNone(self.broker.wait())

    def test_without_a_watchdog_nothing_more_is_said(self):
        self.start()
        self.assertIsNone(self.manager.receive(0.3))

    def test_the_watchdog_hears_of_idle_shards_and_not_of_a_hung_one(self):
        self.start(WATCHDOG_USEC="%d" % (WATCHDOG_TIMEOUT_S * 1e6))
        for _ in range(4):
            self.assertEqual(self.manager.receive(), {"WATCHDOG": "1"})
        stopped = StoppedThread(self.broker.process.pid, "millrace-1")
        # What it had answered before may still have been told; a second later that's over.
        shown = len(self.broker.text())
        self.wait_for_log(r"shard silent shard=1 silent_ms=\d{4,}", shown)
        while self.manager.receive(0):
            pass
        self.assertIsNone(self.manager.receive(WATCHDOG_TIMEOUT_S))
        shown = len(self.broker.text())
        stopped.go_on()
        self.assertEqual(self.manager.receive(), {"WATCHDOG": "1"})
        self.wait_for_log("shard answers again shard=1 ", shown)
        self.broker.terminate()
        stopping = self.manager.until("STOPPING")
        self.assertNotIn("WATCHDOG_USEC", stopping, "that would start another watchdog")
        self.assertIsNone(self.broker.wait())


class LogTest(BrokerTest):
    config = {"log": {"format": "json", "level": "debug"}}

    def events(self, name):
        found = []
        for line in self.broker.text().splitlines():
            if line.startswith("millrace "):
                continue  # the start line, which stays as it is
            event = json.loads(line)
            if event["event"] == name:
                found.append(event)
        return found

    def wait_for(self, name, wanted):
        deadline = time.monotonic() + WAIT_S
        while True:
            for event in self.events(name):
                if wanted.items() <= event.items():
                    return event
            self.assertLess(time.monotonic(), deadline, self.broker.text())
            time.sleep(0.02)

    @millrace_only("a log of ours")
    def test_the_life_of_a_client_is_told_as_json_whatever_its_name_is(self):
        name = "a\"b\\ \u00e9\u20ac = {}," + self.name()
        wire = self.client(name, keep_alive=77)
        self.wait_for("client connected", {"level": "debug", "client": name, "keep_alive_s": 77,
                                           "mqtt": "5.0", "session_present": False})
        wire.send(mqtt.disconnect())
        self.expect_closed(wire)
        event = self.wait_for("client closed", {"client": name, "reason": "disconnect"})
        self.assertIn("shard", event)

    @millrace_only("a log of ours")
    def test_who_is_not_let_in_is_told_with_the_reason(self):
        wire = self.connect_raw(b"\x30\x00")
        self.expect_closed(wire)
        self.wait_for("connection closed", {"reason": "malformed_packet"})
        self.assertEqual(len(self.events("server started")), 1)


class LogLevelTest(BrokerTest):
    config = {"log": {"level": "info"}}

    def levels_told(self):
        return re.findall(r"log level changed log_level=(\w+)\n", self.broker.text())

    @millrace_only("a signal of ours")
    def test_sigusr2_steps_the_level_and_says_so_at_every_level(self):
        levels = ["debug", "error", "warning", "info", "debug"]
        for told in range(1, len(levels) + 1):
            os.kill(self.broker.process.pid, signal.SIGUSR2)
            deadline = time.monotonic() + WAIT_S
            # Whole lines: one that is just being written counts later.
            while len(said := self.levels_told()) < told:
                self.assertLess(time.monotonic(), deadline, self.broker.text())
                time.sleep(0.01)
            self.assertEqual(said, levels[:told])
        name = self.name()
        self.client(name)
        deadline = time.monotonic() + WAIT_S
        while "client=%s\n" % name not in self.broker.text():
            self.assertLess(time.monotonic(), deadline, self.broker.text())
            time.sleep(0.01)

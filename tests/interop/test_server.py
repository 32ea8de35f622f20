"""The process: its end by signal, its command line and its configuration file."""

import os
import select
import signal
import subprocess
import tempfile
import time
import unittest

import mqtt_wire as mqtt
from broker_process import BrokerProcess, free_port, settings
from case import BrokerTest, millrace_only


class OwnBrokerTest(BrokerTest):
    """Each test has a broker of its own, and ends it."""

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        super().setUp()
        self.broker = BrokerProcess(self.config)

    def tearDown(self):
        for wire in self.wires:
            wire.close()
        self.broker.kill()

    def ends_well(self):
        problem = self.broker.wait()
        if problem:
            self.fail(problem)


class StateTest(OwnBrokerTest):
    @millrace_only("a signal of ours")
    def test_sigusr1_writes_the_state_of_every_shard(self):
        """server.h: log_state()"""
        self.client()
        os.kill(self.broker.process.pid, signal.SIGUSR1)
        wanted = {"shard=%d " % index for index in range(self.broker.shards)}
        wanted.add(" section=transport name=accepted value=")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if all(one in self.broker.text() for one in wanted):
                break
            time.sleep(0.05)
        for one in wanted:
            self.assertIn(one, self.broker.text())
        self.assert_serves()
        self.broker.terminate()
        self.ends_well()


class ShutdownTest(OwnBrokerTest):
    @millrace_only("mosquitto just closes")
    def test_sigterm_tells_the_clients(self):
        """4.13, 3.14.2.1: DISCONNECT 0x8B to 5.0 clients, a close for 3.1.1; exit status 0"""
        new = [self.client(version=5) for _ in range(12)]
        old = [self.client(version=4) for _ in range(12)]
        self.broker.terminate()
        for wire in new:
            self.expect_error(wire, 0x8b)
        for wire in old:
            self.expect_closed(wire)
        self.ends_well()

    def test_sigint_ends_it_too(self):
        """As an operator's Ctrl-C"""
        self.client()
        self.broker.process.send_signal(signal.SIGINT)
        self.ends_well()

    def test_without_clients_it_ends_at_once(self):
        start = time.monotonic()
        self.broker.terminate()
        self.ends_well()
        self.assertLess(time.monotonic() - start, 5)

    def test_nothing_is_accepted_after_the_end(self):
        self.client()
        self.broker.terminate()
        self.ends_well()
        with self.assertRaises(OSError):
            self.open()

    def test_half_open_and_silent_connections_do_not_hold_it_up(self):
        start = time.monotonic()
        for _ in range(5):
            self.open()
            self.connect_raw(mqtt.connect("half")[:7])
        self.client()
        self.broker.terminate()
        self.ends_well()
        self.assertLess(time.monotonic() - start, 9)

    def test_under_load_it_ends_in_order(self):
        """A stream of publishes and connects is no reason to stay."""
        sender, receivers = self.client(), [self.client() for _ in range(4)]
        for wire in receivers:
            self.subscribe(wire, self.topic(), qos=0)
        block = mqtt.publish(self.topic(), b"x" * 500) * 20
        for _ in range(50):
            sender.send(block)
        self.broker.terminate()
        try:
            sender.sock.settimeout(2)
            for _ in range(500):
                sender.send(block)
                select.select([sender.sock], [], [], 0.001)
        except (mqtt.Closed, OSError):
            pass
        for wire in self.wires:
            wire.close()
        self.ends_well()


class LongDrainTest(OwnBrokerTest):
    config = {"timeouts": {"drain_ms": 60_000}}

    @millrace_only("mosquitto sends no rest")
    def test_queued_output_is_sent_before_the_end(self):
        """server.h: stop() sends what is queued"""
        receiver, sender = self.client(receive_buffer=8192), self.client()
        self.subscribe(receiver, self.topic(), qos=1)
        for number in range(100):
            self.publish(sender, self.topic(), b"%d " % number + b"x" * 20_000, 1)
        self.broker.terminate()
        seen = []
        try:
            while True:
                got = receiver.receive()
                if got.kind == mqtt.PUBLISH:
                    seen.append(int(got.payload.split()[0]))
                else:
                    self.assertEqual((got.kind, got.reason), (mqtt.DISCONNECT, 0x8b))
        except mqtt.Closed:
            pass
        self.assertEqual(seen, list(range(100)))
        self.ends_well()


class DrainTimeoutTest(OwnBrokerTest):
    config = {"timeouts": {"drain_ms": 500}}

    def test_a_reader_that_stands_still_is_left_behind(self):
        """config.h: timeouts.drain bounds the wait"""
        lazy, sender = self.client(receive_buffer=4096), self.client()
        self.subscribe(lazy, self.topic(), qos=1)
        for _ in range(150):
            self.publish(sender, self.topic(), b"x" * 20_000, 1)
        start = time.monotonic()
        self.broker.terminate()
        self.ends_well()
        self.assertLess(time.monotonic() - start, 6)


# What, the file, the line that is wrong, and pieces that the message must have.
BAD_FILES = (
    ("a number over its range", "[mqtt]\n\nreceive_maximum = 70000\n", 3,
     ("receive_maximum", "70000", "1", "65535")),
    ("a number under its range", "[mqtt]\nmaximum_packet_bytes = 1\n", 2,
     ("maximum_packet_bytes", "268435460")),
    ("a negative number", "[timeouts]\nconnect_ms = -1\n", 2, ("connect_ms", "-1")),
    ("a text for a number", "[queues]\ninflight_max = \"many\"\n", 2,
     ("inflight_max", "many", "65535")),
    ("a number for a switch", "[mqtt]\nretain_available = 1\n", 2,
     ("retain_available", "true", "false")),
    ("an unknown key", "[mqtt]\nmaximum_qos = 1\nmaximum_qso = 1\n", 3, ("maximum_qso",)),
    ("an unknown table", "# first\n\n[mqqt]\n", 3, ("mqqt",)),
    ("a QoS that isn't one", "[mqtt]\nmaximum_qos = 3\n", 2, ("maximum_qos", "3", "0", "2")),
    ("a bad filter", "[mqtt]\ndenied_filters = [\"ok/#\", \"a/#/b\"]\n", 2,
     ("denied_filters", "a/#/b")),
    ("a bad address", "listen = [\"127.0.0.1\"]\n", 1, ("listen", "127.0.0.1", "65535")),
    ("a port over its range", "listen = [\"127.0.0.1:70000\"]\n", 1, ("listen", "70000", "65535")),
    ("no power of two", "[uring]\nsubmission_entries = 1000\n", 2,
     ("submission_entries", "1000", "power of two")),
    ("keys that contradict", "[uring]\nsubmission_entries = 4096\ncompletion_entries = 1024\n", 3,
     ("completion_entries", "1024", "4096")),
    ("no TOML", "[mqtt\n", 1, ()),
    ("a key twice", "[mqtt]\nmaximum_qos = 1\nmaximum_qos = 2\n", 3, ("maximum_qos",)),
)


@unittest.skipIf(settings.broker != "millrace", "millrace only: its own command line")
class CommandLineTest(unittest.TestCase):
    def run_it(self, *arguments, timeout=30):
        return subprocess.run([settings.executable, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout)

    def check(self, text):
        with tempfile.TemporaryDirectory(prefix="interop-") as folder:
            path = os.path.join(folder, "broker.toml")
            with open(path, "w") as out:
                out.write(text)
            return path, self.run_it("serve", "--check", "--config", path)

    def test_bad_files_are_refused_with_place_key_and_range(self):
        """conventions: refuse to start, with the key, the value and the accepted range"""
        for what, text, line, pieces in BAD_FILES:
            with self.subTest(what):
                path, done = self.check(text)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("%s:%d" % (path, line), done.stderr)
                for piece in pieces:
                    self.assertIn(piece, done.stderr)
                self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    def test_a_good_file_passes(self):
        _, done = self.check("listen = [\"127.0.0.1:0\", \"[::1]:0\"]\n[mqtt]\nmaximum_qos = 1\n"
                             "denied_filters = [\"a/#\"]\n[shards]\ncount = 2\n")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_an_empty_file_passes(self):
        self.assertEqual(self.check("")[1].returncode, 0)

    def test_a_missing_file_is_named(self):
        done = self.run_it("serve", "--check", "--config", "/nonexistent/broker.toml")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nonexistent/broker.toml", done.stderr)

    def test_serving_with_a_bad_file_starts_nothing(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as bad:
            bad.write("[mqtt]\nmaximum_qos = 9\n")
            bad.flush()
            done = self.run_it("serve", "--config", bad.name, "--listen",
                               "127.0.0.1:%d" % free_port())
        self.assertEqual(done.returncode, 2)
        self.assertIn("maximum_qos", done.stderr)

    def test_wrong_command_lines(self):
        for arguments in ((), ("sing",), ("serve", "--listen", "nowhere"), ("serve", "--nonsense"),
                          ("serve", "--shards", "x"), ("serve", "--shards", "65"),
                          ("serve", "--set", "mqtt.maximum_qos=7"), ("serve", "--set", "nonsense"),
                          ("serve", "--set", "no.such=1"), ("serve", "--check", "extra")):
            with self.subTest(" ".join(arguments)):
                done = self.run_it(*arguments)
                self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
                self.assertTrue(done.stderr.strip(), "a message says why")

    def test_a_closed_standard_error_changes_neither_the_status_nor_what_is_written_to(self):
        closed = lambda: os.close(2)  # noqa: E731
        done = subprocess.run([settings.executable, "serve", "--nonsense"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, preexec_fn=closed, timeout=30)
        self.assertEqual(done.returncode, 2)
        # Descriptor 2 mustn't be a ring or a socket, for the log is written there.
        server = subprocess.Popen([settings.executable, "serve", "--shards", "1", "--listen",
                                   "127.0.0.1:0"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, preexec_fn=closed)
        try:
            server.stdout.readline()
            self.assertEqual(os.readlink("/proc/%d/fd/2" % server.pid), "/dev/null")
        finally:
            server.kill()
            server.wait()
            server.stdout.close()

    def test_help_version_and_budget(self):
        for arguments, wanted in ((("--help",), "serve"), (("--version",), "millrace"),
                                  (("serve", "--help"), "--listen"),
                                  (("serve", "--print-budget", "--shards", "1"), "connection")):
            with self.subTest(" ".join(arguments)):
                done = self.run_it(*arguments)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(wanted, done.stdout)

    def test_a_flag_overrides_the_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write("[mqtt]\nmaximum_qos = 9\n")
            file.flush()
            done = self.run_it("serve", "--check", "--config", file.name, "--maximum-qos", "8")
            self.assertEqual(done.returncode, 2)

    def test_an_address_that_is_not_ours_is_refused(self):
        """Errors of the host are named, too."""
        done = self.run_it("serve", "--shards", "1", "--listen", "192.0.2.1:1883")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("192.0.2.1", done.stderr)
        self.assertIn("give an address that this host has", done.stderr)

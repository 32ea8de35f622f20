"""The commands that ask a running server: millrace memory and millrace top."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from admin_case import serve_with, skip_without_listener
from broker_process import BrokerProcess, free_port, settings
from case import BrokerTest

WAIT_S = 30.0
TOKEN = "a-token-of-more-than-16-bytes"


def setUpModule():
    skip_without_listener()


class CommandTest(BrokerTest):
    """A broker with a listener that asks for a token, and a history."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="interop-")
        cls.admin_port = free_port()
        cls.url = "http://127.0.0.1:%d" % cls.admin_port
        cls.token_file = os.path.join(cls.folder.name, "token")
        cls.history = os.path.join(cls.folder.name, "history")
        with open(cls.token_file, "w") as out:
            out.write(TOKEN + "\n")
        cls.config = {"admin": {"listen": ["127.0.0.1:%d" % cls.admin_port],
                                "token_file": cls.token_file, "history_dir": cls.history}}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.folder.cleanup()

    def command(self, *words):
        return [settings.executable, *words, "--url", self.url, "--token-file", self.token_file]

    def run_command(self, *words, status=0):
        """What it prints, on both."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=WAIT_S,
                              stdin=subprocess.DEVNULL, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr


class MemoryTest(CommandTest):
    def snapshot(self):
        return self.run_command("memory", "snapshot").strip()

    def diff(self, *words):
        return json.loads(self.run_command("memory", "diff", *words, "--json"))

    def first_kind(self, changes):
        """The class that grew most."""
        self.assertTrue(changes)
        self.assertGreater(changes[0]["bytes"], 0)
        return changes[0]["class"]

    def test_what_clients_pile_up_is_named_first(self):
        publisher = self.client()
        self.publish(publisher, self.topic("warm"), b"x" * 100, 1, retain=True)
        before = self.snapshot()
        for number in range(300):
            self.publish(publisher, self.topic(str(number)), b"x" * 400, 1, retain=True)
        with_messages = self.snapshot()
        diff = self.diff(before, with_messages)
        self.assertEqual(self.first_kind(diff["classes"]), "stored messages")
        self.assertGreaterEqual(diff["classes"][0]["objects"], 300)
        self.assertEqual(self.first_kind(diff["shards"]), "stored messages")
        # Topics have a home each, so every shard has its part.
        shards = {one["shard"] for one in diff["shards"] if one["class"] == "stored messages"}
        self.assertEqual(len(shards), settings.shards)
        # Something else grows after that, and nothing of the former.
        subscriber = self.client()
        filters = ["%s/%d/%s" % (self.base, number, "f" * 60) for number in range(3000)]
        for at in range(0, len(filters), 250):
            self.subscribe(subscriber, *filters[at:at + 250])
        diff = self.diff(with_messages, "now")
        self.assertIn(self.first_kind(diff["classes"]), ("filters", "subscriptions"))
        self.assertNotIn("stored messages", [one["class"] for one in diff["classes"]
                                             if one["bytes"] > 4096])
        table = self.run_command("memory", "diff", before, with_messages, "--by-shard")
        self.assertRegex(table, r"CLASS +SHARD +OBJECTS +BYTES +RESERVED\nstored messages +\d+ +\+")

    def test_snapshots_are_listed_and_kept_as_files(self):
        identity = self.snapshot()
        self.assertRegex(identity, r"^\d{8}T\d{6}Z(-\d+)?$")
        listed = self.run_command("memory", "list")
        self.assertIn(identity + " ", listed)
        self.assertIn("one is taken every 3600 s, 25 at most are kept", listed)
        with open(os.path.join(self.history, identity + ".memory.json")) as file:
            kept = json.load(file)
        self.assertEqual(len(kept["shards"]), settings.shards)
        self.assertGreater(kept["process"]["resident_bytes"], 0)
        self.assertEqual(self.diff(identity, identity)["classes"], [])

    def test_a_broken_record_is_an_error_and_no_more(self):
        with open(os.path.join(self.history, "20200101T000000Z.memory.json"), "w") as out:
            out.write('{"time":1,"shards":[{')
        said = self.run_command("memory", "diff", "20200101T000000Z", status=1)
        self.assertIn("no snapshot", said)
        said = self.run_command("memory", "diff", "20200101T000001Z", status=1)
        self.assertIn("no record has the id", said)
        said = self.run_command("memory", "diff", "nonsense", status=1)
        self.assertIn("accepted is the id of a snapshot", said)
        os.unlink(os.path.join(self.history, "20200101T000000Z.memory.json"))
        self.assert_serves()

    def test_errors_say_what_to_look_at(self):
        def run(*words):
            done = subprocess.run([settings.executable, *words], capture_output=True, text=True,
                                  timeout=WAIT_S, check=False)
            return done.returncode, done.stderr
        status, said = run("memory", "list", "--url", "http://127.0.0.1:%d" % free_port())
        self.assertEqual(status, 1)
        self.assertIn("is the server running", said)
        status, said = run("memory", "list", "--url", self.url)
        self.assertEqual(status, 1)
        self.assertIn("--token-file", said)
        status, said = run("memory", "list", "--url", "http://%s:%d" % self.broker.address[:2])
        self.assertEqual(status, 1)
        self.assertEqual(run("memory", "list", "--url", "gopher://x")[0], 2)
        self.assertEqual(run("memory", "list", "--token-file", "/nowhere")[0], 2)

    def test_a_directory_that_cant_be_written_ends_the_start(self):
        status, said = serve_with("admin.listen=127.0.0.1:0", "admin.history_dir=/proc/self/history")
        self.assertEqual(status, 1)
        self.assertIn("admin.history_dir: can't make the directory /proc/self/history", said)


class Screen:
    """A program on a terminal of its own, and what it drew so far."""

    def __init__(self, command, columns=80, rows=24):
        self.main, other = pty.openpty()
        self.resize(columns, rows)
        self.former = termios.tcgetattr(other)
        self.process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other,
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.other = other   # kept: the terminal's settings are looked at afterwards
        self.drawn = ""

    def resize(self, columns, rows):
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.main, keys.encode())

    def read(self, seconds):
        if select.select([self.main], [], [], seconds)[0]:
            self.drawn += os.read(self.main, 65536).decode(errors="replace")

    def await_text(self, pattern, after=0):
        """Where the text ends that came after `after`."""
        deadline = time.monotonic() + WAIT_S
        while not (found := re.search(pattern, self.drawn[after:], re.S)):
            if time.monotonic() > deadline:
                raise AssertionError("%r isn't in %r" % (pattern, self.drawn[after:][-4000:]))
            self.read(0.1)
        return after + found.end()

    def end(self):
        """Its status, when it has given the terminal back."""
        deadline = time.monotonic() + WAIT_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        self.read(0.2)
        return self.process.wait(1)

    def is_given_back(self):
        return (termios.tcgetattr(self.other) == self.former and
                self.drawn.rstrip().endswith("\x1b[?7h\x1b[?25h\x1b[?1049l"))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.main)
        os.close(self.other)


class TopTest(CommandTest):
    def screen(self, **more):
        screen = Screen(self.command("top"), **more)
        self.addCleanup(screen.close)
        return screen

    def test_it_shows_what_clients_do_and_ends_by_a_key(self):
        screen = self.screen()
        at = screen.await_text(r"0 connected")
        clients = [self.client() for _ in range(3)]
        self.subscribe(clients[0], self.topic(), qos=1)
        at = screen.await_text(r"3 connected", at)
        self.publish(clients[1], self.topic(), b"x", 1)
        at = screen.await_text(r"in (0\.)?[1-9]\S*/s \(\S+B\), out (0\.)?[1-9]", at)
        screen.press("c")
        at = screen.await_text(r"\*CONN", at)
        screen.press("s")
        at = screen.await_text(r"\*IN/s", at)
        screen.press("q")
        self.assertEqual(screen.end(), 0)
        self.assertTrue(screen.is_given_back(), screen.drawn[-200:])

    def test_it_fits_in_every_size(self):
        screen = self.screen()
        at = screen.await_text(r"SLOW CLIENT.*\x1b\[J")
        screen.resize(40, 10)
        at = screen.await_text(r"\x1b\[H", len(screen.drawn))
        screen.await_text(r"\x1b\[J", at)
        frame = screen.drawn[at:].split("\x1b[J")[0]
        lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame).split("\r\n")
        self.assertLessEqual(len(lines), 10)
        self.assertLessEqual(max(len(line.rstrip("\r")) for line in lines), 40)
        os.kill(screen.process.pid, signal.SIGTERM)
        self.assertEqual(screen.end(), 0)
        self.assertTrue(screen.is_given_back(), screen.drawn[-200:])

    def test_ctrl_c_gives_the_terminal_back(self):
        screen = self.screen()
        screen.await_text(r"connected")
        screen.press("\x03")  # the terminal makes a signal of it
        self.assertEqual(screen.end(), 0)
        self.assertTrue(screen.is_given_back(), screen.drawn[-200:])

    def test_without_a_terminal_it_prints_once(self):
        self.client()
        said = self.run_command("top", "--once")
        self.assertIn("connected", said)
        self.assertNotIn("\x1b", said)
        self.assertEqual(len(re.findall(r"^millrace ", said, re.M)), 1)
        self.assertRegex(said, r"\n +0 +\d")


class AwayTest(unittest.TestCase):
    """A server that goes and comes back."""

    def test_top_says_that_the_server_is_away_and_goes_on(self):
        port = free_port()
        config = {"admin": {"listen": ["127.0.0.1:%d" % port]}}
        screen = Screen([settings.executable, "top", "--url", "http://127.0.0.1:%d" % port])
        self.addCleanup(screen.close)
        at = screen.await_text(r"is the server running.*\x1b\[J")
        broker = BrokerProcess(config)
        try:
            at = screen.await_text(r"0 connected", at)
        finally:
            problem = broker.stop()
        self.assertFalse(problem)
        at = screen.await_text(r"Failed to connect", at)
        screen.await_text(r"0 connected", at)  # what it knew before stays
        screen.press("q")
        self.assertEqual(screen.end(), 0)
        self.assertTrue(screen.is_given_back(), screen.drawn[-200:])

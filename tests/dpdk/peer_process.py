"""stack_peer as a process: commands in, reports out, and whatever went wrong with it."""

import json
import os
import queue
import re
import subprocess
import tempfile
import threading
import time

START_TIMEOUT_S = 30.0
EVENT_TIMEOUT_S = 25.0
STOP_TIMEOUT_S = 20.0
TROUBLE = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:|"
                     r"assertion failed")


class Settings:
    """What run.py was asked for."""
    executable = None
    full = False      # the amounts of the issue, not those that fit a CI run


settings = Settings()


class PeerProcess:
    def __init__(self, arguments):
        self.events, self.kept, self.notes = queue.Queue(), [], []
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([settings.executable, *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            self.started = self.expect("started", timeout=START_TIMEOUT_S)
        except Exception:
            self.kill()
            raise

    def _read(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.events.put(json.loads(line))
            elif line.strip():  # DPDK has something to say
                self.notes.append(line)
        self.events.put(None)

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def expect(self, event, timeout=EVENT_TIMEOUT_S, **fields):
        """The next report of that name with these fields; others are kept for later."""
        def matches(one):
            return one["event"] == event and all(one.get(key) == value
                                                 for key, value in fields.items())
        for index, one in enumerate(self.kept):
            if matches(one):
                return self.kept.pop(index)
        deadline = time.monotonic() + timeout
        while True:
            try:
                one = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError("no %s %s within %g s; there were: %s"
                                   % (event, fields or "", timeout, self.kept[-8:])) from None
            if one is None:
                raise RuntimeError("stack_peer ended while %s was awaited:\n%s"
                                   % (event, self.error_text()))
            if one["event"] == "error":
                raise RuntimeError("stack_peer: " + one["message"])
            if matches(one):
                return one
            self.kept.append(one)

    def listen(self, address, port, role, count=0):
        self.tell("listen", address, port, role, count)
        self.expect("listening", port=port)

    def connect(self, address, port, role, count=0, times=1):
        """Returns the connections' numbers."""
        self.tell("connect", address, port, role, count, times)
        return [self.expect("connecting", port=port)["id"] for _ in range(times)]

    def counters(self):
        self.tell("counters")
        return self.expect("counters")

    def status(self, number):
        self.tell("status", number)
        return self.expect("status", id=number)

    def dump(self):
        self.tell("dump")
        return self.expect("dump")["text"]

    def error_text(self):
        self.errors.seek(0)
        return ("".join(self.notes) + self.errors.read().decode("utf-8", "replace"))[-6000:]

    def trouble(self):
        """Why the process is not well, or None."""
        status = self.process.poll()
        if status is not None:
            return "stack_peer ended by itself (status %d):\n%s" % (status, self.error_text())
        if TROUBLE.search(self.error_text()):
            return "stack_peer reports:\n" + self.error_text()
        return None

    def stop(self):
        """Ends it; returns what was wrong, or None."""
        problem = self.trouble()
        if problem:
            self.kill()
            return problem
        self.tell("quit")
        try:
            status = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return "stack_peer did not end within %d s" % STOP_TIMEOUT_S
        text = self.error_text()
        self._close()
        if status != 0 or TROUBLE.search(text):
            return "stack_peer ended with %d:\n%s" % (status, text)
        return None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self):
        self.reader.join(5)
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()


def executable_is_usable():
    return bool(settings.executable) and os.access(settings.executable, os.X_OK)

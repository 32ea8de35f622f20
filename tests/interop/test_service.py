"""The log of the process: events with fields, as text and JSON, its level."""

import json
import os
import signal
import time

import mqtt_wire as mqtt
from case import BrokerTest, millrace_only

WAIT_S = 20.0            # for what must come


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

    @millrace_only("a signal of ours")
    def test_sigusr2_steps_the_level_and_says_so_at_every_level(self):
        told = 0
        for level in ("debug", "error", "warning", "info", "debug"):
            os.kill(self.broker.process.pid, signal.SIGUSR2)
            told += 1
            deadline = time.monotonic() + WAIT_S
            while self.broker.text().count("log level changed log_level=") < told:
                self.assertLess(time.monotonic(), deadline, self.broker.text())
                time.sleep(0.01)
            self.assertTrue(self.broker.text().rstrip().endswith("log_level=" + level))
        name = self.name()
        self.client(name)
        deadline = time.monotonic() + WAIT_S
        while "client=%s\n" % name not in self.broker.text():
            self.assertLess(time.monotonic(), deadline, self.broker.text())
            time.sleep(0.01)

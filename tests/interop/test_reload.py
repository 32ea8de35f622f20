"""The configuration file read again on SIGHUP, with clients that stay connected.

A log line tells when the broker is through with it: by then every shard works with the new values.
"""

import os
import signal
import tempfile
import threading
import time

import mqtt_wire as mqtt
from broker_process import toml
from case import millrace_only
from test_server import OwnBrokerTest

DONE = ("configuration reloaded", "reload failed")


@millrace_only("our configuration file, and what we do with it")
class ReloadTest(OwnBrokerTest):
    config = {"mqtt": {"maximum_packet_bytes": 4096}}

    def write(self, config):
        """The file anew, in one move, as an operator's tool would."""
        text = config if isinstance(config, str) else toml(dict(self.network(), **config))
        with tempfile.NamedTemporaryFile("w", dir=self.broker.folder.name, delete=False) as out:
            out.write(text)
        os.rename(out.name, self.broker.config_path)

    def network(self):
        """What the back end under test has in the file."""
        return {"dpdk": self.broker.config["dpdk"]} if "dpdk" in self.broker.config else {}

    def ends_of_reloads(self):
        text = self.broker.text()
        return sum(text.count(one) for one in DONE)

    def reload(self, config):
        """Writes the file, sends SIGHUP, waits; returns what the log says of it."""
        self.write(config)
        before, begin = self.ends_of_reloads(), len(self.broker.text())
        self.broker.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while self.ends_of_reloads() == before:
            self.assertLess(time.monotonic(), deadline, "no reload:\n" + self.broker.text()[-2000:])
            time.sleep(0.005)
        return self.broker.text()[begin:]

    def test_what_a_connack_promised_holds_for_its_connection(self):
        """3.2.2.3: maximum packet size, QoS, topic aliases, wildcards; 3.1.1 clients alike"""
        old = [self.client(version=version) for version in (5, 4) for _ in range(4)]
        said = self.reload({"mqtt": {"maximum_packet_bytes": 300, "maximum_qos": 0,
                                     "topic_alias_maximum": 1,
                                     "wildcard_subscription_available": False}})
        self.assertIn("key changed key=mqtt.maximum_packet_bytes value=300 was=4096", said)
        self.assertIn("changed=4 refused=0", said)
        long = b"x" * 2000
        for wire in old:
            topic = self.topic(wire.client_id)
            self.assertEqual(self.subscribe(wire, topic + "/#", qos=1), [1])
            self.assertIn(self.publish(wire, topic + "/a", long, qos=1), (0, None))
            self.assertEqual(self.message(wire).payload, long)
        old[0].send(mqtt.publish(self.topic(), b"", props={"topic_alias": 20}))
        self.barrier(old[0])
        for _ in range(6):
            new = self.client()
            self.assertEqual(new.connack.props.get("maximum_packet_size"), 300)
            self.assertEqual(new.connack.props.get("maximum_qos"), 0)
            self.assertEqual(new.connack.props.get("topic_alias_maximum"), 1)
            self.assertEqual(self.subscribe(new, self.topic("+")), [0xa2])
            new.send(mqtt.publish(self.topic(), long))
            self.expect_error(new, 0x95)
        for wire in old:
            self.barrier(wire)

    def test_denied_filters_hold_at_once(self):
        """[mqtt] denied_filters: of everybody, whenever connected"""
        wires = [self.client() for _ in range(6)]
        for wire in wires:
            self.assertEqual(self.subscribe(wire, "secret/x"), [0])
        self.reload({"mqtt": {"denied_filters": ["secret/#"]}})
        for wire in wires + [self.client()]:
            self.assertEqual(self.publish(wire, "secret/x", b"no", qos=1), 0x87)
            self.assertEqual(self.subscribe(wire, "secret/y"), [0x87])
        self.reload({})
        self.assertEqual(self.publish(wires[0], "secret/x", b"yes", qos=1), 0)
        for wire in wires:
            self.assertEqual(self.message(wire).payload, b"yes")

    def test_a_file_that_is_not_valid_changes_nothing(self):
        wire = self.client()
        for text, fault in (("[mqtt]\nmaximum_packet_bytes = 300\nmaximum_qos = 7\n", "maximum_qos"),
                            ("[mqtt]\nmaximum_packet_bytes = 300\n[queue]\n", "queue"),
                            ("[mqtt\n", "broker.toml"), ("[\n", "broker.toml")):
            said = self.reload(text)
            self.assertIn("reload failed", said)
            self.assertIn(fault, said)
        os.remove(self.broker.config_path)
        os.mkfifo(self.broker.config_path)  # nobody writes: reading it would never end
        before = self.ends_of_reloads()
        self.broker.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while self.ends_of_reloads() == before and time.monotonic() < deadline:
            time.sleep(0.005)
        self.assertIn("is not a regular file", self.broker.text())
        self.assertEqual(self.client().connack.props.get("maximum_packet_size"), 4096)
        self.barrier(wire)

    def test_what_cannot_change_is_refused_by_name(self):
        """The live keys of the same file change all the same; the next reload says it again."""
        config = {"queues": {"inflight_max": 7}, "mqtt": {"maximum_packet_bytes": 4096},
                  "shards": {"connections_max": 4321, "huge_pages": "off"}}
        said = self.reload(config)
        self.assertIn("key needs a restart key=shards.connections_max in_force=1000000 in_file=4321",
                      said)
        self.assertIn("key needs a restart key=shards.huge_pages", said)
        self.assertIn("key changed key=queues.inflight_max value=7 was=1024", said)
        self.assertIn("changed=1 refused=2", said)
        self.assertIn("changed=0 refused=2", self.reload(config))
        # A flag wins over the file: neither changed nor refused.
        said = self.reload(dict(config, shards={"count": 9}))
        self.assertIn("changed=0 refused=0", said)
        self.assert_serves()

    def test_a_level_that_a_signal_chose_stays_when_only_the_format_changes(self):
        self.broker.process.send_signal(signal.SIGUSR2)
        deadline = time.monotonic() + 20
        while "log_level=debug" not in self.broker.text():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        self.assertIn("log.format", self.reload({"log": {"format": "json"}}))
        self.client()
        while '"event":"client connected"' not in self.broker.text():
            self.assertLess(time.monotonic(), deadline, self.broker.text())
            time.sleep(0.005)

    def test_many_in_a_row_lose_nothing(self):
        """QoS 1 and 2 across shards while the file changes and changes."""
        senders = [self.client() for _ in range(3)]
        receivers = [self.client() for _ in range(3)]
        for wire in receivers:
            self.subscribe(wire, self.topic("#"), qos=2)
        over = threading.Event()

        def hang_up():
            count = 0
            while not over.is_set():
                count += 1
                self.write({"mqtt": {"receive_maximum": 100 + count % 40},
                            "queues": {"inflight_max": 1 + count % 50}})
                self.broker.process.send_signal(signal.SIGHUP)
                time.sleep(0.002)

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            for number in range(60):
                for index, wire in enumerate(senders):
                    self.publish(wire, self.topic(str(index)), b"%d" % number, qos=1 + number % 2)
                newcomer = self.client()
                self.barrier(newcomer)
                newcomer.close()
                for wire in receivers:
                    for packet in [self.message(wire) for _ in senders]:
                        self.assertEqual(packet.payload, b"%d" % number)
        finally:
            over.set()
            thread.join()
        for wire in receivers:
            self.silence(wire)
        self.assertGreater(self.ends_of_reloads(), 5)
        self.broker.terminate()
        self.ends_well()


@millrace_only("our command line")
class NoFileTest(OwnBrokerTest):
    def test_without_a_file_the_log_says_so(self):
        if self.broker.wire:
            self.skipTest("this back end needs a file")
        wire = self.client()
        self.broker.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while "no file to read again" not in self.broker.text():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        self.barrier(wire)

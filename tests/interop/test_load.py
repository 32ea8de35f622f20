"""What many or badly behaving clients may not do to the others; the reports of `millrace load`."""

import json
import subprocess
import time

import mqtt_wire as mqtt
from broker_process import settings
from case import BrokerTest, millrace_only


class SlowReaderTest(BrokerTest):
    config = {"queues": {"send_bytes_max": 1_000_000, "session_messages_max": 200}}

    def test_a_client_that_does_not_read_holds_up_nobody(self):
        """4.6: order is per client; a full connection is its own affair"""
        lazy = [self.client(receive_buffer=4096) for _ in range(3)]
        for number, wire in enumerate(lazy):
            self.subscribe(wire, self.topic(), qos=number)
        reader, sender = self.client(), self.client()
        self.subscribe(reader, self.topic(), qos=1)
        block, start = b"x" * 20_000, time.monotonic()
        for number in range(400):  # 8 MB for each of the lazy ones
            self.publish(sender, self.topic(), block, 1)
            self.assertEqual(len(self.message(reader).payload), 20_000)
        self.assertLess(time.monotonic() - start, 30)
        self.assert_serves()

    def test_qos_0_past_the_bound_is_shed_and_the_rest_is_in_order(self):
        """4.3.1: at most once; [MQTT-4.6.0-5]"""
        lazy, sender = self.client(receive_buffer=4096), self.client()
        self.subscribe(lazy, self.topic())
        for number in range(3000):
            self.publish(sender, self.topic(), b"%d " % number + b"x" * 4000)
        self.barrier(sender)
        seen = []
        while True:
            try:
                seen.append(int(self.message(lazy, timeout=0.7).payload.split()[0]))
            except AssertionError:
                break
        self.assertEqual(seen, sorted(set(seen)))
        self.assertGreater(len(seen), 50)
        self.publish(sender, self.topic(), b"9999 after")
        self.assertTrue(self.message(lazy).payload.startswith(b"9999"))

    def test_a_publisher_that_does_not_read_its_acknowledgements(self):
        """4.9: it stops itself at most"""
        deaf = self.client(receive_buffer=4096)
        deaf.sock.settimeout(3.0)
        data = b"".join(mqtt.publish(self.topic(), b"", 1, 1 + number % 1000)
                        for number in range(1000))
        try:
            for _ in range(300):
                deaf.send(data)
        except (mqtt.Closed, TimeoutError, OSError):
            pass
        self.assert_serves()


class StalledReaderTest(BrokerTest):
    config = {"timeouts": {"send_stall_ms": 1000}, "queues": {"send_bytes_max": 200_000}}

    @millrace_only("there is no such limit there")
    def test_a_reader_that_stands_still_is_closed(self):
        """config.h: output that makes no progress"""
        lazy, sender = self.client(receive_buffer=4096), self.client()
        self.subscribe(lazy, self.topic(), qos=1)
        lazy_id = lazy.client_id
        for _ in range(600):
            self.publish(sender, self.topic(), b"x" * 20_000)
        self.barrier(sender)
        time.sleep(2.5)  # the subject of this test is time that passes
        received = 0
        try:
            while True:
                received += len(lazy.sock.recv(1 << 16)) or 1 << 40
                if received >= 1 << 40:
                    break
        except (ConnectionResetError, TimeoutError) as error:
            self.assertIsInstance(error, ConnectionResetError, "still open")
        self.assertFalse(self.client(lazy_id, clean=False).connack.session_present)
        self.assert_serves()


class CrowdTest(BrokerTest):
    def test_two_thousand_at_once(self):
        """All are accepted, answered and reached by one message."""
        wires = [self.open(4 + number % 2) for number in range(2000)]
        for number, wire in enumerate(wires):
            wire.send(mqtt.connect("crowd%d" % number, wire.version)
                      + mqtt.subscribe(1, [(self.topic(), 1)], wire.version))
        for wire in wires:
            self.assertEqual(self.expect(wire, mqtt.CONNACK, 30).reason, 0)
            self.assertEqual(self.expect(wire, mqtt.SUBACK, 30).reasons, [1])
        self.publish(self.client(), self.topic(), b"to all", 1)
        for wire in wires:
            self.assertEqual(self.message(wire, timeout=30).payload, b"to all")
        for number, wire in enumerate(wires):
            wire.close() if number % 2 else wire.reset()
        self.assert_serves()

    def test_connections_that_come_and_go(self):
        """Nothing is left of them: 1,500 clients, one after the other."""
        for number in range(1500):
            wire = mqtt.Wire(self.broker.address, 5)
            wire.send(mqtt.connect("") + mqtt.subscribe(1, [(self.topic("%d" % number), 1)])
                      + mqtt.publish(self.topic("%d" % number), b"x", 1, 1))
            if number % 3 == 0:
                self.assertEqual(wire.receive().kind, mqtt.CONNACK)
            wire.close() if number % 2 else wire.reset()
        self.assert_serves()

    def test_connections_without_a_word(self):
        """1,000 open sockets that say nothing"""
        wires = [self.open() for _ in range(1000)]
        self.assert_serves()
        for wire in wires:
            wire.close()
        self.assert_serves()

    def test_a_thousand_topics_and_filters(self):
        """Many exact and wildcard filters, made and removed, with delivery in between"""
        wire, sender = self.client(), self.client()
        filters = [self.topic("%d/%s" % (number, rest)) for number in range(350)
                   for rest in ("a", "+", "b/#")]
        for at in range(0, len(filters), 150):
            self.subscribe(wire, *filters[at:at + 150], qos=1)
        for number in range(0, 350, 7):
            self.publish(sender, self.topic("%d/b/c" % number), b"%d" % number, 1)
            self.assertEqual(self.message(wire).payload, b"%d" % number)
        for at in range(0, len(filters), 150):
            self.assertEqual(set(self.unsubscribe(wire, *filters[at:at + 150])), {0})
        for number in range(0, 350, 7):
            self.publish(sender, self.topic("%d/a" % number), b"", 1)
        self.silence(wire)


@millrace_only("its own load generator is the subject")
class GeneratorTest(BrokerTest):
    def report(self, mode, *more):
        """The JSON report of a run that went well."""
        host, port = self.broker.address
        run = subprocess.run([settings.executable, "load", mode, "--host", host, "--port",
                              str(port), "--json", "--quiet", *map(str, more)],
                             capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return json.loads(run.stdout)

    def check_curve(self, holder, what):
        """[percent, milliseconds] from the smallest to the largest value, neither ever falling"""
        curve = holder[what + "_curve"]
        self.assertEqual(len(curve), 58)
        self.assertEqual(curve[0], [0, holder[what + "_min_ms"]])
        self.assertEqual(curve[-1], [100, holder[what + "_max_ms"]])
        percents, latencies = zip(*curve)
        self.assertEqual(list(percents), sorted(set(percents)))
        self.assertEqual(list(latencies), sorted(latencies))
        self.assertGreater(latencies[-1], 0)

    def test_one_broadcast_has_a_latency_curve(self):
        """One message to 300, without any before it: from the first receiver to the last"""
        report = self.report("fanout", "--subscribers", 300, "--messages", 1, "--warmup", 0)
        self.assertEqual(report["warmup_published_count"], 0)
        self.assertEqual(report["published_count"], 1)
        self.assertEqual(report["delivered_count"], 300)
        self.check_curve(report, "delivery_latency")
        self.check_curve(report["rounds"][0], "connack_latency")

    def test_a_second_storm_resumes_all_sessions(self):
        """[MQTT-3.2.2-3]: session present, and each round counts them"""
        report = self.report("storm", "--connections", 200, "--rounds", 2, "--duration", 1,
                             "--mqtt-version", 5, "--keep-session", "--client-id-prefix",
                             self.name("storm"))
        self.assertEqual([one["sessions_resumed_count"] for one in report["rounds"]], [0, 200])
        self.assertEqual(report["sessions_resumed_count"], 200)
        for one in report["rounds"]:
            self.check_curve(one, "connack_latency")

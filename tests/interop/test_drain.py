"""A drain at a rate (4.11, 3.14.2.2.5): who is told what, and what is lost: nothing acknowledged."""

import signal
import time
import unittest

import mqtt_wire as mqtt
from broker_process import settings
from case import millrace_only
from drain_crowd import Crowd
from test_server import OwnBrokerTest

REFERENCE = "broker-2.example.net:1883 [2001:db8::2]:1883"


class DrainTest(OwnBrokerTest):
    config = {"drain": {"rate": 4, "server_reference": REFERENCE}}

    def ends_well(self):
        output = self.broker.output_path
        problem = self.broker.process.wait(60)
        with open(output, "rb") as text:
            self.text = text.read().decode("utf-8", "replace")
        self.assertEqual(problem, 0, self.text[-6000:])
        super().ends_well()

    @millrace_only("a rate of ours")
    def test_clients_go_one_by_one_and_are_told_where_to(self):
        """3.14.2.1: 0x9C "use another server", 3.14.2.2.5: which; 3.1.1 clients are closed"""
        young = [self.client(version=5) for _ in range(4)]
        old = [self.client(version=4) for _ in range(4)]
        start = time.monotonic()
        self.broker.terminate()
        for wire in young:
            got = self.expect(wire, mqtt.DISCONNECT)
            self.assertEqual((got.reason, got.props), (0x9c, {"server_reference": REFERENCE}))
            self.expect_closed(wire)
        for wire in old:
            self.expect_closed(wire)
        # The first goes at once, then four a second; how much later is up to the machine.
        self.assertGreaterEqual(time.monotonic() - start, 7 / 4 - 0.05)
        self.ends_well()
        self.assertRegex(self.text, r"drain started connections=8 rate=4 expected_s=\d")
        self.assertRegex(self.text, "drain ended .*cut_short=false .* told=8 told_late=0 ")

    @millrace_only("0x9C is ours")
    def test_a_connect_during_the_drain_is_sent_elsewhere(self):
        """3.2.2.2: CONNACK 0x9C, 3.2.2.3.16; 3.1.1 (3.2.2.3): server unavailable"""
        young, old = self.open(), self.open(version=4)
        wires = [self.client() for _ in range(8)]
        self.barrier(wires[0])
        self.broker.terminate()
        self.first_goodbye(wires)
        young.send(mqtt.connect("young"))
        got = self.expect(young, mqtt.CONNACK)
        self.assertEqual((got.reason, got.props), (0x9c, {"server_reference": REFERENCE}))
        self.expect_closed(young)
        old.send(mqtt.connect("old", 4))
        self.assertEqual(self.expect(old, mqtt.CONNACK).reason, 3)
        self.expect_closed(old)
        self.ends_well()

    def first_goodbye(self, wires):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for wire in wires:
                try:
                    self.assertEqual(wire.receive(0.01).kind, mqtt.DISCONNECT)
                    return
                except mqtt.Timeout:
                    pass
        self.fail("nobody is told to go")

    @millrace_only("a rate of ours")
    def test_whoever_never_stops_subscribing_goes_too(self):
        """A SUBSCRIBE waits for other shards; the next one is there when they have answered"""
        wire = self.client()
        again = mqtt.subscribe(1, [("held/#", mqtt.options())])
        wire.send(again * 1_000)
        self.broker.terminate()
        deadline = time.monotonic() + 20
        while (got := wire.receive()).kind != mqtt.DISCONNECT:
            self.assertEqual(got.kind, mqtt.SUBACK)
            self.assertLess(time.monotonic(), deadline, "it's never its turn")
            wire.send(again)
        self.ends_well()

    @millrace_only("the log is ours")
    def test_what_ends_with_the_process_is_said(self):
        """broker/README.md: sessions outlive their clients' goodbye, but not the process"""
        away = self.durable("away")
        self.subscribe(away, self.topic(), qos=1)
        self.leave(away)
        sender = self.client()
        for _ in range(3):
            self.publish(sender, self.topic(), b"for one who is away", 1)
        self.broker.terminate()
        self.expect(sender, mqtt.DISCONNECT)
        self.ends_well()
        self.assertIn("messages_left_behind=3 sessions_left_behind=1", self.text)

    @millrace_only("a rate of ours")
    def test_a_second_signal_ends_it_at_once(self):
        """signals.h"""
        wires = [self.client() for _ in range(40)]
        self.broker.terminate()
        self.first_goodbye(wires)
        self.broker.terminate()
        self.assertEqual(self.broker.process.wait(10), -signal.SIGTERM)


class ReferenceWithoutRateTest(OwnBrokerTest):
    config = {"drain": {"server_reference": REFERENCE}}

    @millrace_only("0x9C is ours")
    def test_all_are_told_at_once(self):
        wires = [self.client() for _ in range(12)]
        self.broker.terminate()
        for wire in wires:
            got = self.expect(wire, mqtt.DISCONNECT)
            self.assertEqual((got.reason, got.props), (0x9c, {"server_reference": REFERENCE}))
            self.expect_closed(wire)
        self.ends_well()


class LazyTest(OwnBrokerTest):
    config = {"drain": {"rate": 100}, "timeouts": {"drain_ms": 300}}

    @millrace_only("a rate of ours")
    def test_whoever_acknowledges_nothing_is_not_waited_for_long(self):
        """config.h: timeouts.drain"""
        lazy, quick = self.client(), self.client()
        for wire in (lazy, quick):
            self.subscribe(wire, self.topic(), qos=1)
        self.publish(quick, self.topic(), b"one", 1)
        self.message(lazy, acknowledge=False)
        self.message(quick)
        self.broker.terminate()
        self.expect_error(quick, 0x8b)
        self.expect_error(lazy, 0x8b)
        output = self.broker.output_path
        self.assertEqual(self.broker.process.wait(30), 0)
        with open(output) as text:
            self.assertIn(" told=2 told_late=1 ", text.read())
        self.ends_well()


class CrowdTest(OwnBrokerTest):
    """The proof: very many connections, publishers among them, and nothing acknowledged is lost."""

    rate = max(100, settings.drain_connections // 4)
    config = {"drain": {"rate": rate, "server_reference": REFERENCE}}

    @millrace_only("a rate of ours")
    def test_a_drain_loses_no_acknowledged_message(self):
        count = settings.drain_connections
        crowd = Crowd(self.broker.address, count)
        self.addCleanup(crowd.close)
        crowd.run(lambda: crowd.news_total > crowd.group_count, 60)
        before = (crowd.own_acked(), crowd.news_total)
        start = time.monotonic()
        self.broker.terminate()
        crowd.run(lambda: not crowd.by_file, 120)
        took = crowd.last_end - start
        for member in crowd.members:
            self.assertTrue(member.closed)
            if member.version == 5:
                self.assertIsNotNone(member.told, "member %d" % member.number)
                self.assertEqual((member.told.reason, member.told.props),
                                 (0x9c, {"server_reference": REFERENCE}))
        self.assertGreaterEqual(took, (count - 1) / self.rate - 0.05)
        self.assertEqual(self.broker.process.wait(60), 0)
        with open(self.broker.output_path) as output:
            text = output.read()
        self.assertRegex(text, "drain ended .*cut_short=false .* told=%d told_late=0 " % count)
        self.ends_well()
        during = (crowd.own_acked() - before[0], crowd.news_total - before[1])
        self.assertGreater(min(during), 0, "the others are served meanwhile")
        print("%d connections in %.1f s at %d a second; %d messages to oneself and %d to groups "
              "were acknowledged meanwhile" % (count, took, self.rate, *during), end=" ")


if __name__ == "__main__":
    unittest.main()

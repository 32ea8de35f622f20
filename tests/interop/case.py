"""The base of every interop test: one broker a test class, and the moves that tests are made of."""

import functools
import itertools
import time
import unittest

import mqtt_wire as mqtt
from broker_process import BrokerProcess, settings

_numbers = itertools.count(1)
# How long nothing may come before a test believes that nothing will. A barrier goes first, so this
# only has to cover the way between two shards.
QUIET_S = 0.15


def millrace_only(reason):
    """The test states something that mosquitto 2.0.11 does otherwise (`reason`)."""
    return unittest.skipIf(settings.broker != "millrace", "millrace only: " + reason)


def both_versions(test):
    """Runs test(self, version) for MQTT 3.1.1 and 5.0."""
    @functools.wraps(test)
    def run(self):
        for version in (4, 5):
            with self.subTest(version=version):
                test(self, version)
    return run


class BrokerTest(unittest.TestCase):
    config = None          # sections of the configuration file
    longMessage = True

    @classmethod
    def setUpClass(cls):
        cls.broker = BrokerProcess(cls.config)

    @classmethod
    def tearDownClass(cls):
        problem = cls.broker.stop()
        if problem:
            raise AssertionError(problem)

    def setUp(self):
        self.wires = []
        self.base = "t%d" % next(_numbers)

    def tearDown(self):
        for wire in self.wires:
            wire.close()
        problem = self.broker.trouble()
        if problem:
            self.fail(problem)

    # -- names ------------------------------------------------------------------------------------

    def topic(self, rest=""):
        """A topic that no other test uses."""
        return self.base + ("/" + rest if rest else "")

    def name(self, prefix="c"):
        return "%s%d" % (prefix, next(_numbers))

    # -- connections ------------------------------------------------------------------------------

    def open(self, version=5, **more):
        wire = mqtt.Wire(self.broker.address, version, **more)
        self.wires.append(wire)
        return wire

    def connect_raw(self, data, version=5):
        wire = self.open(version)
        wire.send(data)
        return wire

    def client(self, client_id=None, version=5, receive_buffer=None, **connect):
        """A connected client; `connect` goes to mqtt_wire.connect."""
        wire = self.open(version, receive_buffer=receive_buffer)
        wire.client_id = self.name() if client_id is None else client_id
        wire.send(mqtt.connect(wire.client_id, version, **connect))
        wire.connack = self.expect(wire, mqtt.CONNACK)
        self.assertEqual(wire.connack.reason, 0, "CONNACK")
        return wire

    def durable(self, client_id, version=5, expiry=300, clean=False, **connect):
        """A client whose session outlives its connection."""
        props = dict(connect.pop("props", {}))
        if version == 5:
            props.setdefault("session_expiry", expiry)
        return self.client(client_id, version, clean=clean, props=props, **connect)

    def leave(self, wire, reason=None, props=None):
        """A proper DISCONNECT, and waits until the broker has closed."""
        wire.send(mqtt.disconnect(reason, wire.version, props))
        self.expect_closed(wire)

    # -- receiving --------------------------------------------------------------------------------

    def expect(self, wire, kind, timeout=None):
        """The next packet, which must be of `kind`."""
        try:
            got = wire.receive(timeout)
        except (mqtt.Closed, mqtt.Timeout, mqtt.BadPacket) as error:
            self.fail("wanted %s, but: %s" % (mqtt.NAMES[kind], error))
        self.assertEqual(got.kind, kind, "wanted %s, got %r" % (mqtt.NAMES[kind], got))
        return got

    def answer(self, wire, kind, timeout=None):
        """The next packet of `kind`; PUBLISHes (and their PUBRELs) before it are kept for later."""
        kept, wire.pending = wire.pending, []
        try:
            while True:
                got = wire.receive(timeout)
                if got.kind == kind:
                    return got
                if got.kind not in (mqtt.PUBLISH, mqtt.PUBREL):
                    self.fail("wanted %s, got %r" % (mqtt.NAMES[kind], got))
                kept.append(got)
        except (mqtt.Closed, mqtt.Timeout, mqtt.BadPacket) as error:
            self.fail("wanted %s, but: %s" % (mqtt.NAMES[kind], error))
        finally:
            wire.pending = kept + wire.pending

    def expect_closed(self, wire, timeout=None):
        """Nothing but the end of the connection."""
        try:
            got = wire.receive(timeout)
        except mqtt.Closed:
            return
        except (mqtt.Timeout, mqtt.BadPacket) as error:
            self.fail("wanted the broker to close, but: %s" % error)
        self.fail("wanted the broker to close, got %r" % got)

    def expect_error(self, wire, *reasons, timeout=None):
        """5.0: DISCONNECT with one of `reasons`, then the end. 3.1.1 (and mosquitto): the end."""
        try:
            got = wire.receive(timeout)
        except mqtt.Closed:
            if wire.version == 5 and settings.broker == "millrace":
                self.fail("closed without DISCONNECT %s" % [hex(one) for one in reasons])
            return
        except (mqtt.Timeout, mqtt.BadPacket) as error:
            self.fail("wanted an error and a close, but: %s" % error)
        self.assertEqual(wire.version, 5, "3.1.1 has no DISCONNECT from a server, got %r" % got)
        self.assertEqual(got.kind, mqtt.DISCONNECT, repr(got))
        if settings.broker == "millrace":
            self.assertIn(got.reason, reasons, "DISCONNECT reason, wanted %s got 0x%02x"
                          % ([hex(one) for one in reasons], got.reason))
        self.expect_closed(wire, timeout)

    def barrier(self, wire):
        """Waits until the broker has read all that `wire` sent, by a ping."""
        wire.send(mqtt.packet(mqtt.PINGREQ))
        self.answer(wire, mqtt.PINGRESP)

    def silence(self, wire, seconds=QUIET_S):
        """Nothing is waiting for this client."""
        self.barrier(wire)
        try:
            got = wire.receive(seconds)
        except mqtt.Timeout:
            return
        except mqtt.Closed as error:
            self.fail(str(error))
        self.fail("wanted nothing, got %r" % got)

    # -- messages ---------------------------------------------------------------------------------

    def subscribe(self, wire, *filters, qos=0, props=None, **options):
        """Subscribes; returns the reason codes. A filter may be a pair (filter, options byte)."""
        entries = [one if isinstance(one, tuple) else (one, mqtt.options(qos, **options))
                   for one in filters]
        number = wire.next_packet_id()
        wire.send(mqtt.subscribe(number, entries, wire.version, props))
        got = self.answer(wire, mqtt.SUBACK)
        self.assertEqual(got.packet_id, number, "[MQTT-3.8.4-2]")
        self.assertEqual(len(got.reasons), len(entries), "[MQTT-3.8.4-6]")
        return got.reasons

    def unsubscribe(self, wire, *filters):
        number = wire.next_packet_id()
        wire.send(mqtt.unsubscribe(number, filters, wire.version))
        got = self.answer(wire, mqtt.UNSUBACK)
        self.assertEqual(got.packet_id, number)
        return got.reasons

    def publish(self, wire, topic, payload=b"", qos=0, retain=False, props=None, packet_id=None):
        """Publishes and finishes the exchange; returns the reason code of PUBACK or PUBREC."""
        number = (packet_id or wire.next_packet_id()) if qos else None
        wire.send(mqtt.publish(topic, payload, qos, number, retain, False, wire.version, props))
        if qos == 0:
            return None
        got = self.answer(wire, mqtt.PUBACK if qos == 1 else mqtt.PUBREC)
        self.assertEqual(got.packet_id, number)
        if qos == 2 and got.reason < 0x80:
            wire.send(mqtt.ack(mqtt.PUBREL, number))
            done = self.answer(wire, mqtt.PUBCOMP)
            self.assertEqual((done.packet_id, done.reason), (number, 0))
        return got.reason

    def message(self, wire, acknowledge=True, timeout=None):
        """The next message, acknowledged as its QoS asks."""
        got = self.expect(wire, mqtt.PUBLISH, timeout)
        if acknowledge and got.qos == 1:
            wire.send(mqtt.ack(mqtt.PUBACK, got.packet_id))
        if acknowledge and got.qos == 2:
            wire.send(mqtt.ack(mqtt.PUBREC, got.packet_id))
            released = self.answer(wire, mqtt.PUBREL)
            self.assertEqual(released.packet_id, got.packet_id)
            wire.send(mqtt.ack(mqtt.PUBCOMP, got.packet_id))
        return got

    def payloads(self, wire, count, **more):
        return [self.message(wire, **more).payload for _ in range(count)]

    def gather(self, wires, count, timeout=10.0, acknowledge=True):
        """Messages from several clients until `count` came in all: list of (index, packet)."""
        out, deadline = [], time.monotonic() + timeout
        while len(out) < count:
            if time.monotonic() > deadline:
                self.fail("only %d of %d messages came" % (len(out), count))
            for index, wire in enumerate(wires):
                try:
                    got = wire.receive(0.002)
                except mqtt.Timeout:
                    continue
                self.assertEqual(got.kind, mqtt.PUBLISH, repr(got))
                if acknowledge and got.qos == 1:
                    wire.send(mqtt.ack(mqtt.PUBACK, got.packet_id))
                out.append((index, got))
        return out

    def assert_serves(self):
        """The broker still carries a message from one client to another."""
        receiver, sender = self.client(), self.client()
        topic = "serves/" + self.name()
        self.subscribe(receiver, topic, qos=1)
        self.publish(sender, topic, b"alive", 1)
        self.assertEqual(self.message(receiver).payload, b"alive")
        receiver.close()
        sender.close()

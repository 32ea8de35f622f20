"""Will messages: MQTT 5.0, 3.1.2.5, 3.1.3.2, 3.14.4."""

import time

import mqtt_wire as mqtt
from case import BrokerTest, both_versions, millrace_only


class WillTest(BrokerTest):
    def setUp(self):
        super().setUp()
        self.watcher = self.client()
        self.subscribe(self.watcher, self.topic("#"), qos=2, retain_as_published=True)

    def doomed(self, rest="will", version=5, qos=1, retain=False, props=None, client_id=None,
               payload=b"gone", **connect):
        will = {"topic": self.topic(rest), "payload": payload, "qos": qos, "retain": retain,
                "props": props}
        return self.client(client_id, version, will=will, **connect)

    @both_versions
    def test_a_lost_connection_publishes_it(self, version):
        """[MQTT-3.1.2-8]: FIN without DISCONNECT, or RST"""
        for end in ("close", "reset"):
            with self.subTest(end):
                getattr(self.doomed(version=version), end)()
                got = self.message(self.watcher)
                self.assertEqual((got.topic, got.payload, got.qos, got.retain),
                                 (self.topic("will"), b"gone", 1, False))

    @both_versions
    def test_disconnect_removes_it(self, version):
        """[MQTT-3.1.2-10], [MQTT-3.14.4-3]"""
        self.leave(self.doomed(version=version))
        self.silence(self.watcher)

    def test_disconnect_with_will(self):
        """3.14.2.1: reason 0x04"""
        self.leave(self.doomed(), 4)
        self.assertEqual(self.message(self.watcher).payload, b"gone")

    @millrace_only("mosquitto forgets the will for every DISCONNECT but 0x04")
    def test_disconnect_with_an_error_keeps_the_will(self):
        """[MQTT-3.14.4-3]: only 0x00 removes it"""
        for reason in (0x80, 0x82, 0x93):
            with self.subTest(reason=reason):
                self.leave(self.doomed(), reason)
                self.assertEqual(self.message(self.watcher).payload, b"gone")

    @millrace_only("mosquitto drops it")
    @both_versions
    def test_a_protocol_error_publishes_it(self, version):
        """3.1.2.5: the server closes because of a protocol error"""
        wire = self.doomed(version=version)
        wire.send(mqtt.connect("x", version))
        self.assertEqual(self.message(self.watcher).payload, b"gone")

    def test_a_malformed_packet_publishes_it(self):
        """3.1.2.5"""
        self.doomed().send(b"\x00\x00")
        self.assertEqual(self.message(self.watcher).payload, b"gone")

    def test_keep_alive_publishes_it(self):
        """3.1.2.5"""
        self.doomed(keep_alive=1)
        self.assertEqual(self.message(self.watcher).payload, b"gone")

    def test_every_qos_and_retain(self):
        """[MQTT-3.1.2-12], [MQTT-3.1.2-14], [MQTT-3.1.2-15]"""
        for qos in (0, 1, 2):
            for retain in (False, True):
                with self.subTest(qos=qos, retain=retain):
                    rest = "%d/%d" % (qos, retain)
                    self.doomed(rest, qos=qos, retain=retain).close()
                    got = self.message(self.watcher)
                    self.assertEqual((got.qos, got.retain), (qos, retain))
                    late = self.client()
                    self.subscribe(late, self.topic(rest))
                    if retain:
                        self.assertEqual(self.message(late).payload, b"gone")
                    self.silence(late)

    def test_an_empty_payload(self):
        """3.1.3.4: zero length is legal"""
        self.doomed(payload=b"").close()
        self.assertEqual(self.message(self.watcher).payload, b"")

    def test_properties_come_with_it(self):
        """[MQTT-3.1.3-10], 3.1.3.2: and the delay stays with the server"""
        props = {"payload_format": 1, "content_type": "text/plain", "response_topic": "back",
                 "correlation_data": b"\x01\x00", "user": [("b", "1"), ("a", "2"), ("b", "0")]}
        self.doomed(props={**props, "will_delay": 0}).close()
        self.assertEqual(self.message(self.watcher).props, props)

    def test_its_expiry_starts_when_it_is_published(self):
        """3.1.3.2.4: lifetime in seconds, sent as the Message Expiry Interval"""
        self.doomed(props={"message_expiry": 100}).close()
        self.assertIn(self.message(self.watcher).props["message_expiry"], (99, 100))

    def test_a_delay_holds_it_back(self):
        """3.1.3.2.2"""
        wire = self.delayed(self.name(), 1)
        start = time.monotonic()
        wire.close()
        got = self.message(self.watcher)
        self.assertEqual(got.payload, b"gone")
        self.assertTrue(0.8 <= time.monotonic() - start <= 5, time.monotonic() - start)

    def delayed(self, name, delay, expiry=300, clean=False):
        will = {"topic": self.topic("will"), "payload": b"gone", "qos": 1,
                "props": {"will_delay": delay}}
        return self.durable(name, expiry=expiry, clean=clean, will=will)

    def test_coming_back_in_time_cancels_it(self):
        """[MQTT-3.1.3-9]"""
        name = self.name()
        self.delayed(name, 1).close()
        self.durable(name)
        self.silence(self.watcher, 2.0)

    @millrace_only("mosquitto keeps to the delay")
    def test_coming_back_with_clean_start_does_not_cancel_it(self):
        """3.1.3.2.2: the session ends, so the will is published"""
        name = self.name()
        self.delayed(name, 60).close()
        self.client(name, clean=True)
        self.assertEqual(self.message(self.watcher).payload, b"gone")

    @millrace_only("mosquitto keeps to the delay")
    def test_the_end_of_the_session_ends_the_delay(self):
        """3.1.3.2.2: delay or session end, whichever comes first"""
        self.delayed(self.name(), 60, expiry=0).close()
        self.assertEqual(self.message(self.watcher).payload, b"gone")
        start = time.monotonic()
        self.delayed(self.name(), 60, expiry=1).close()
        self.assertEqual(self.message(self.watcher).payload, b"gone")
        self.assertGreater(time.monotonic() - start, 0.8)

    def test_takeover_publishes_a_will_without_delay(self):
        """3.1.4: the old connection ended without DISCONNECT"""
        name = self.name()
        self.doomed(client_id=name)
        self.client(name, clean=False)
        self.assertEqual(self.message(self.watcher).payload, b"gone")

    def test_v3_takeover_publishes_the_will(self):
        """[MQTT-3.1.4-2], [MQTT-3.1.2-8] of 3.1.1"""
        name = self.name()
        self.doomed(client_id=name, version=4)
        self.client(name, 4, clean=False)
        self.assertEqual(self.message(self.watcher).payload, b"gone")

    @millrace_only("mosquitto publishes it")
    def test_takeover_cancels_a_delayed_will(self):
        """[MQTT-3.1.3-9]: a new connection of the session before the delay has passed"""
        name = self.name()
        old = self.delayed(name, 1)
        self.durable(name)
        self.expect_error(old, 0x8e)
        self.silence(self.watcher, 2.0)

    def test_a_new_connection_without_will_has_none(self):
        """3.1.2.5: the will belongs to the connection that set it"""
        name = self.name()
        self.leave(self.doomed(client_id=name))
        self.client(name).close()
        self.silence(self.watcher, 0.3)

    def test_a_will_with_wildcards_is_refused(self):
        """[MQTT-3.3.2-2]: it is a topic name"""
        for topic in ("a/+", "#", ""):
            with self.subTest(topic=topic):
                wire = self.connect_raw(mqtt.connect("x", will={"topic": topic, "payload": b""}))
                try:
                    self.assertIn(self.expect(wire, mqtt.CONNACK).reason, (0x81, 0x82, 0x90))
                except AssertionError as error:
                    if "closed" not in str(error):
                        raise

    def test_large_wills_of_many_clients(self):
        """Each is delivered once, from whichever shard."""
        wires = [self.doomed("many/%d" % number, payload=b"%d" % number * 3000)
                 for number in range(30)]
        for wire in wires:
            wire.close()
        got = {self.message(self.watcher).topic for _ in range(30)}
        self.assertEqual(len(got), 30)
        self.silence(self.watcher)

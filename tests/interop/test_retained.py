"""Retained messages: MQTT 5.0, 3.3.1.3, 3.3.2.3.3."""

import time

import mqtt_wire as mqtt
from case import BrokerTest, both_versions, millrace_only


class RetainedTest(BrokerTest):
    def kept(self, topic_filter, qos=2, version=5):
        """What a new subscriber gets: {topic: packet}, once the broker is silent."""
        wire = self.client(version=version)
        self.subscribe(wire, topic_filter, qos=qos)
        out = {}
        while True:
            try:
                got = self.message(wire, timeout=0.3)
            except AssertionError:
                wire.close()
                return out
            self.assertNotIn(got.topic, out)
            out[got.topic] = got

    @both_versions
    def test_a_new_subscriber_gets_it_with_the_flag(self, version):
        """[MQTT-3.3.1-5], [MQTT-3.3.1-8]"""
        topic, sender = self.topic(str(version)), self.client(version=version)
        for qos in (0, 1, 2):
            self.publish(sender, topic, b"kept%d" % qos, qos, retain=True)
            self.barrier(sender)
            for granted in (0, 1, 2):
                wire = self.client(version=version)
                self.subscribe(wire, topic, qos=granted)
                got = self.message(wire)
                self.assertEqual((got.payload, got.qos, got.retain, got.dup),
                                 (b"kept%d" % qos, min(qos, granted), True, False))

    @both_versions
    def test_present_subscribers_get_it_without_the_flag(self, version):
        """[MQTT-3.3.1-12] and [MQTT-3.3.1-9] of 3.1.1"""
        receiver, sender = self.client(version=version), self.client(version=version)
        self.subscribe(receiver, self.topic(str(version)))
        self.publish(sender, self.topic(str(version)), b"x", 1, retain=True)
        self.assertFalse(self.message(receiver).retain)

    @both_versions
    def test_only_the_last_is_kept(self, version):
        """[MQTT-3.3.1-5]"""
        topic, sender = self.topic(str(version)), self.client(version=version)
        for payload in (b"one", b"two", b"three"):
            self.publish(sender, topic, payload, 1, retain=True)
        self.publish(sender, topic, b"not kept", 1)
        self.assertEqual([one.payload for one in self.kept(topic, version=version).values()],
                         [b"three"])

    @both_versions
    def test_an_empty_payload_clears(self, version):
        """[MQTT-3.3.1-6], [MQTT-3.3.1-7]"""
        topic, sender = self.topic(str(version)), self.client(version=version)
        receiver = self.client(version=version)
        self.publish(sender, topic, b"x", 1, retain=True)
        self.subscribe(receiver, topic)
        self.message(receiver)
        self.publish(sender, topic, b"", 1, retain=True)
        self.assertEqual(self.message(receiver).payload, b"", "subscribers get it all the same")
        self.assertEqual(self.kept(topic, version=version), {})

    def test_wildcards_find_all(self):
        """[MQTT-3.3.1-9]: each retained message that matches"""
        sender = self.client()
        names = ["a", "a/b", "a/b/c", "a/x/c", "b", "b/b", "/", "a/b/d"]
        for name in names:
            self.publish(sender, self.topic(name), name.encode(), 1, retain=True)
        base = self.base + "/"
        for topic_filter, wanted in (("#", names), ("+", ["a", "b"]),
                                     ("a/#", ["a", "a/b", "a/b/c", "a/x/c", "a/b/d"]),
                                     ("a/+/c", ["a/b/c", "a/x/c"]), ("+/b", ["a/b", "b/b"]),
                                     ("a/b", ["a/b"]), ("c", []), ("+/+", ["a/b", "b/b", "/"])):
            with self.subTest(filter=topic_filter):
                found = self.kept(base + topic_filter)
                self.assertEqual(sorted(found), sorted(base + name for name in wanted))
                self.assertTrue(all(one.retain for one in found.values()))

    def test_hundreds_of_them(self):
        """[MQTT-3.3.1-9], over all shards and past the client's window"""
        sender = self.client()
        for number in range(400):
            self.publish(sender, self.topic("%d/v" % number), b"%d" % number, 1, retain=True)
        wire = self.client(props={"receive_maximum": 10})
        self.subscribe(wire, self.topic("+/v"), qos=1)
        self.assertEqual(sorted(int(one) for one in self.payloads(wire, 400)), list(range(400)))
        self.silence(wire)

    def test_an_overlapping_new_subscription_sends_again(self):
        """[MQTT-3.3.1-9]: for every subscription, in one SUBSCRIBE or in several"""
        wire = self.client()
        self.publish(wire, self.topic("a"), b"x", 1, retain=True)
        self.subscribe(wire, self.topic("a"))
        self.message(wire)
        self.subscribe(wire, self.topic("+"))
        self.message(wire)

    def test_it_outlives_its_publisher(self):
        """[MQTT-4.1], 3.3.1.3: retained messages are not part of the session"""
        sender = self.client()
        self.publish(sender, self.topic(), b"x", 1, retain=True)
        self.leave(sender)
        self.assertEqual(len(self.kept(self.topic())), 1)

    def test_properties_are_kept(self):
        """3.3.2.3"""
        props = {"content_type": "a/b", "response_topic": "r", "correlation_data": b"\0",
                 "payload_format": 1, "user": [("k", "2"), ("k", "1")]}
        self.publish(self.client(), self.topic(), b"x", 1, retain=True, props=props)
        self.assertEqual(self.kept(self.topic())[self.topic()].props, props)

    def test_it_expires(self):
        """[MQTT-3.3.2-5]: and before that the interval given is what is left"""
        sender = self.client()
        self.publish(sender, self.topic("short"), b"x", 1, retain=True, props={"message_expiry": 1})
        self.publish(sender, self.topic("long"), b"y", 1, retain=True, props={"message_expiry": 60})
        time.sleep(2.1)  # the subject of this test is time that passes
        found = self.kept(self.topic("+"))
        self.assertEqual(list(found), [self.topic("long")])
        left = found[self.topic("long")].props["message_expiry"]
        self.assertTrue(55 <= left <= 58, "[MQTT-3.3.2-6] %d" % left)

    def test_subscribing_in_one_burst_with_publishing(self):
        """3.8.4: what the same client retained before is there"""
        wire = self.client()
        wire.send(mqtt.publish(self.topic(), b"x", retain=True)
                  + mqtt.subscribe(1, [(self.topic(), 0)]))
        self.answer(wire, mqtt.SUBACK)
        self.assertEqual(self.message(wire).payload, b"x")

    @millrace_only("mosquitto keeps it")
    def test_dollar_share_topics_are_no_place_to_retain(self):
        """4.8.2: $share/ starts a filter, not a topic; whatever happens, others are served"""
        self.client().send(mqtt.publish("$share/g/t", b"x", retain=True))
        self.assert_serves()


class RetainedLimitTest(BrokerTest):
    config = {"queues": {"retained_messages_max": 10}}

    def silence_after(self, wire, count_max):
        """At most `count_max` more messages: each shard rounds its part of the limit up."""
        for _ in range(count_max):
            try:
                self.message(wire, timeout=0.3)
            except AssertionError:
                return
        self.silence(wire)

    @millrace_only("there is no such limit there")
    def test_past_the_limit_nothing_is_retained(self):
        """config.h; 3.4.2.1 allows 0x97; replacing and clearing still work"""
        sender = self.client()
        reasons = [self.publish(sender, self.topic(str(number)), b"x", 1, retain=True)
                   for number in range(40)]
        self.assertTrue(set(reasons) <= {0, 0x10, 0x97})
        wire = self.client()
        self.subscribe(wire, self.topic("+"), qos=1)
        self.silence_after(wire, 12)
        self.assertIn(self.publish(sender, self.topic("0"), b"y", 1, retain=True), (0, 0x10))
        self.assertIn(self.publish(sender, self.topic("0"), b"", 1, retain=True), (0, 0x10))

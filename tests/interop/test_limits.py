"""Flow control, packet size and topic aliases, both ways.

MQTT 5.0, 4.9, 3.1.2.11, 3.2.2.3, 3.3.2.3.4.
"""

import mqtt_wire as mqtt
from case import BrokerTest, both_versions, millrace_only


class ReceiveMaximumTest(BrokerTest):
    config = {"mqtt": {"receive_maximum": 5}}

    def test_the_server_keeps_to_the_clients_receive_maximum(self):
        """[MQTT-3.3.4-9], [MQTT-4.9.0-1], [MQTT-4.9.0-2]"""
        receiver, sender = self.client(props={"receive_maximum": 3}), self.client()
        self.subscribe(receiver, self.topic(), qos=1)
        for number in range(10):
            self.publish(sender, self.topic(), b"%d" % number, 1)
        first = [self.message(receiver, acknowledge=False) for _ in range(3)]
        self.silence(receiver)
        for number in range(7):
            receiver.send(mqtt.ack(mqtt.PUBACK, first.pop(0).packet_id))
            first.append(self.message(receiver, acknowledge=False))
            self.assertEqual(first[-1].payload, b"%d" % (number + 3))
        self.silence(receiver)

    def test_a_qos_2_message_counts_until_pubcomp(self):
        """4.9: the quota grows by PUBACK, PUBCOMP, or a PUBREC of 0x80 or more"""
        receiver, sender = self.client(props={"receive_maximum": 1}), self.client()
        self.subscribe(receiver, self.topic(), qos=2)
        for number in range(2):
            self.publish(sender, self.topic(), b"%d" % number, 2)
        got = self.message(receiver, acknowledge=False)
        receiver.send(mqtt.ack(mqtt.PUBREC, got.packet_id))
        self.expect(receiver, mqtt.PUBREL)
        self.silence(receiver)
        receiver.send(mqtt.ack(mqtt.PUBCOMP, got.packet_id))
        self.assertEqual(self.message(receiver).payload, b"1")

    def test_qos_0_passes_a_full_window(self):
        """[MQTT-4.9.0-3]: other packets are not held back by the quota"""
        receiver, sender = self.client(props={"receive_maximum": 1}), self.client()
        self.subscribe(receiver, self.topic(), qos=1)
        self.publish(sender, self.topic(), b"a", 1)
        self.message(receiver, acknowledge=False)
        self.publish(sender, self.topic(), b"b", 1)
        self.publish(sender, self.topic(), b"c", 0)
        self.assertEqual(self.message(receiver).payload, b"c")

    @millrace_only("mosquitto sends all that was in flight")
    def test_the_receive_maximum_holds_for_a_resumed_session(self):
        """[MQTT-3.3.4-9] in a new connection with a smaller window"""
        name, sender = self.name(), self.client()
        first = self.durable(name)
        self.subscribe(first, self.topic(), qos=1)
        for number in range(5):
            self.publish(sender, self.topic(), b"%d" % number, 1)
        for _ in range(5):
            self.message(first, acknowledge=False)
        first.close()
        second = self.durable(name, props={"receive_maximum": 2})
        got = [self.message(second, acknowledge=False) for _ in range(2)]
        self.silence(second)
        for one in got:
            second.send(mqtt.ack(mqtt.PUBACK, one.packet_id))
        self.assertEqual(self.payloads(second, 3), [b"2", b"3", b"4"])

    @millrace_only("mosquitto counts otherwise")
    def test_a_client_over_the_servers_maximum_is_disconnected(self):
        """[MQTT-3.3.4-7], [MQTT-3.3.4-8]: DISCONNECT 0x93"""
        wire = self.client()
        self.assertEqual(wire.connack.props["receive_maximum"], 5)
        for number in range(1, 6):
            wire.send(mqtt.publish(self.topic(), b"", 2, number))
            self.expect(wire, mqtt.PUBREC)
        wire.send(mqtt.publish(self.topic(), b"", 2, 6))
        self.expect_error(wire, 0x93)

    def test_finished_messages_do_not_count(self):
        """4.9"""
        wire = self.client()
        for _ in range(30):
            self.publish(wire, self.topic(), b"", 2)


class PacketSizeTest(BrokerTest):
    config = {"mqtt": {"maximum_packet_bytes": 2000}}

    def sized(self, total, topic):
        """A PUBLISH of exactly `total` bytes."""
        empty = len(mqtt.publish(topic, b""))
        out = mqtt.publish(topic, b"x" * (total - empty - (1 if total > 129 else 0)))
        self.assertEqual(len(out), total)
        return out

    def test_the_limit_itself_passes(self):
        """[MQTT-3.2.2-15]"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, self.topic())
        sender.send(self.sized(2000, self.topic()))
        self.message(receiver)

    @millrace_only("mosquitto compares without the fixed header")
    def test_one_byte_more_is_too_large(self):
        """[MQTT-3.2.2-15]: DISCONNECT 0x95"""
        wire = self.client()
        wire.send(self.sized(2001, self.topic()))
        self.expect_error(wire, 0x95)

    def test_the_header_alone_is_enough_to_know(self):
        """No broker needs to wait for the body of what it will refuse."""
        wire = self.client()
        wire.send(b"\x30\xff\xff\xff\x7f")
        self.expect_error(wire, 0x95)

    def test_v3_too_large_is_closed(self):
        """4.8 of 3.1.1"""
        wire = self.client(version=4)
        wire.send(mqtt.publish(self.topic(), b"x" * 2001, version=4))
        self.expect_closed(wire)

    def test_a_too_large_connect_is_refused(self):
        """3.1.4"""
        wire = self.connect_raw(mqtt.connect("x", user_name="u" * 3000))
        try:
            got = wire.receive()
            self.assertIn(got.kind, (mqtt.CONNACK, mqtt.DISCONNECT))
            self.assertEqual(got.reason, 0x95)
            self.expect_closed(wire)
        except mqtt.Closed:
            pass

    def test_a_message_too_large_for_a_client_is_not_sent_to_it(self):
        """[MQTT-3.1.2-24], [MQTT-3.1.2-25]: dropped as if delivered; the others get it"""
        small, large = self.client(props={"maximum_packet_size": 60}), self.client()
        sender = self.client()
        for wire in (small, large):
            self.subscribe(wire, self.topic(), qos=2)
        for qos in (0, 1, 2):
            self.publish(sender, self.topic(), b"x" * 100, qos)
            self.publish(sender, self.topic(), b"fits", qos)
            self.assertEqual(self.message(small).payload, b"fits")
            self.assertEqual(self.payloads(large, 2), [b"x" * 100, b"fits"])
        self.silence(small)

    @millrace_only("mosquitto is off by the length bytes")
    def test_the_clients_limit_itself_passes(self):
        """[MQTT-3.1.2-24]: the total number of bytes in the packet"""
        receiver, sender = self.client(props={"maximum_packet_size": 100}), self.client()
        self.subscribe(receiver, self.topic())
        sender.send(self.sized(101, self.topic()))
        sender.send(self.sized(100, self.topic()))
        self.assertEqual(self.message(receiver).total_bytes, 100)

    @millrace_only("mosquitto keeps it in the window")
    def test_dropped_messages_do_not_fill_the_window(self):
        """[MQTT-3.1.2-25]: treated as completed"""
        receiver = self.client(props={"maximum_packet_size": 60, "receive_maximum": 2})
        sender = self.client()
        self.subscribe(receiver, self.topic(), qos=1)
        for _ in range(8):
            self.publish(sender, self.topic(), b"x" * 100, 1)
        self.publish(sender, self.topic(), b"fits", 1)
        self.assertEqual(self.message(receiver).payload, b"fits")

    def test_dropped_messages_are_gone_after_a_reconnect(self):
        """[MQTT-3.1.2-25]; queued while offline, the limit of the new connection decides"""
        name, sender = self.name(), self.client()
        first = self.durable(name)
        self.subscribe(first, self.topic(), qos=1)
        self.leave(first)
        for payload in (b"a", b"x" * 100, b"b"):
            self.publish(sender, self.topic(), payload, 1)
        second = self.durable(name, props={"maximum_packet_size": 60})
        self.assertEqual(self.payloads(second, 2), [b"a", b"b"])
        self.silence(second)


class TopicAliasTest(BrokerTest):
    config = {"mqtt": {"topic_alias_maximum": 10}}

    def test_a_client_sets_and_uses_an_alias(self):
        """[MQTT-3.3.2-12], 3.3.2.3.4"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, self.topic("+"), qos=1)
        got = []
        for topic, payload, qos, alias in ((self.topic("one"), b"1", 1, 1),
                                           (self.topic("two"), b"2", 1, 10),
                                           ("", b"3", 1, 1), ("", b"4", 0, 10)):
            self.publish(sender, topic, payload, qos, props={"topic_alias": alias})
            # One at a time: order is promised within a topic only (4.6).
            got.append(self.message(receiver))
        self.assertEqual([(one.topic[-3:], one.payload) for one in got],
                         [("one", b"1"), ("two", b"2"), ("one", b"3"), ("two", b"4")])
        for one in got:
            self.assertNotIn("topic_alias", one.props, "[MQTT-3.3.2-7], [MQTT-3.1.2-26]")

    def test_an_alias_can_be_set_anew(self):
        """3.3.2.3.4"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, self.topic("+"))
        for number, (topic, alias) in enumerate(
                (("a", 1), ("b", 1), ("", 1), ("c", 2), ("", 1))):
            self.publish(sender, self.topic(topic) if topic else "", b"%d" % number, 0,
                         props={"topic_alias": alias})
        # Order is promised within a topic only (4.6).
        got = sorted((m.payload, m.topic[-1]) for m in (self.message(receiver) for _ in range(5)))
        self.assertEqual([name for _, name in got], list("abbcb"))

    def test_aliases_end_with_the_connection(self):
        """[MQTT-3.3.2-7]"""
        name = self.name()
        first = self.durable(name)
        self.publish(first, self.topic(), b"", 1, props={"topic_alias": 1})
        self.leave(first)
        second = self.durable(name)
        second.send(mqtt.publish("", b"", props={"topic_alias": 1}))
        self.expect_error(second, 0x82, 0x94)

    def test_aliases_belong_to_their_client(self):
        """3.3.2.3.4"""
        one, other = self.client(), self.client()
        self.publish(one, self.topic(), b"", 1, props={"topic_alias": 1})
        other.send(mqtt.publish("", b"", props={"topic_alias": 1}))
        self.expect_error(other, 0x82, 0x94)

    def test_alias_zero_and_too_large_are_refused(self):
        """[MQTT-3.3.2-8], [MQTT-3.3.2-9]: DISCONNECT 0x94"""
        for alias in (0, 11, 65535):
            with self.subTest(alias=alias):
                wire = self.client()
                wire.send(mqtt.publish(self.topic(), b"", props={"topic_alias": alias}))
                self.expect_error(wire, 0x94)

    def test_the_servers_aliases_resolve(self):
        """[MQTT-3.3.2-10], [MQTT-3.1.2-26]: at most the client's maximum, never unset ones"""
        receiver, sender = self.client(props={"topic_alias_maximum": 2}), self.client()
        self.subscribe(receiver, self.topic("+"), qos=1)
        wanted = ["a", "b", "a", "c", "c", "b", "a", "a"]
        known = {}
        for number, name in enumerate(wanted):
            self.publish(sender, self.topic(name), b"%d" % number, number % 2)
        for _ in wanted:
            got = self.message(receiver)
            name = wanted[int(got.payload)]  # order is promised within a topic only (4.6)
            alias = got.props.get("topic_alias")
            if alias is not None:
                self.assertIn(alias, (1, 2))
                if got.topic:
                    known[alias] = got.topic
            topic = got.topic or known[alias]
            self.assertEqual(topic, self.topic(name))

    def test_no_alias_for_a_client_that_takes_none(self):
        """[MQTT-3.1.2-27]"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, self.topic())
        for _ in range(3):
            self.publish(sender, self.topic(), b"")
            got = self.message(receiver)
            self.assertEqual((got.topic, got.props), (self.topic(), {}))


class NoTopicAliasTest(BrokerTest):
    config = {"mqtt": {"topic_alias_maximum": 0}}

    def test_no_alias_where_none_is_allowed(self):
        """[MQTT-3.2.2-18], [MQTT-3.3.2-9]"""
        wire = self.client()
        self.assertEqual(wire.connack.props.get("topic_alias_maximum", 0), 0)
        wire.send(mqtt.publish(self.topic(), b"", props={"topic_alias": 1}))
        self.expect_error(wire, 0x94, 0x82)


class QueueLimitTest(BrokerTest):
    config = {"queues": {"session_messages_max": 20, "inflight_max": 4,
                         "subscriptions_per_session_max": 5}}

    @millrace_only("the unit of the limit differs")
    def test_a_full_session_queue_drops_and_stays_in_order(self):
        """4.6; the limit is ours (config.h)"""
        name, sender = self.name(), self.client()
        first = self.durable(name)
        self.subscribe(first, self.topic(), qos=1)
        self.leave(first)
        for number in range(50):
            self.publish(sender, self.topic(), b"%d" % number, 1)
        second = self.durable(name)
        got = [int(one) for one in self.payloads(second, 20)]
        self.assertEqual(got, sorted(set(got)))
        self.silence(second)

    @millrace_only("configured otherwise there")
    def test_inflight_is_bounded_by_the_configuration(self):
        """4.9, config.h"""
        receiver, sender = self.client(version=4), self.client()
        self.subscribe(receiver, self.topic(), qos=1)
        for number in range(8):
            self.publish(sender, self.topic(), b"%d" % number, 1)
        got = [self.message(receiver, acknowledge=False) for _ in range(4)]
        self.silence(receiver)
        for one in got:
            receiver.send(mqtt.ack(mqtt.PUBACK, one.packet_id, version=4))
        self.assertEqual(self.payloads(receiver, 4), [b"4", b"5", b"6", b"7"])

    @millrace_only("configured otherwise there")
    def test_too_many_subscriptions_are_refused_one_by_one(self):
        """3.9.3: 0x97 (0x80 in 3.1.1)"""
        for version, reason in ((5, 0x97), (4, 0x80)):
            with self.subTest(version=version):
                wire = self.client(version=version)
                filters = [self.topic(str(number)) for number in range(7)]
                self.assertEqual(self.subscribe(wire, *filters), [0] * 5 + [reason] * 2)
                self.assertEqual(self.subscribe(wire, filters[0]), [0], "a replacement fits")
                self.unsubscribe(wire, filters[1])
                self.assertEqual(self.subscribe(wire, filters[6]), [0])

    @millrace_only("others grant them all")
    def test_one_filter_very_many_times_in_one_packet(self):
        """Over what a session counts as unanswered by other shards: 65,535"""
        count = 65_536
        packet = mqtt.subscribe(1, [("#", 0)] * count)
        leaver, stayer = self.client(), self.client()
        leaver.send(packet)
        leaver.close()
        stayer.send(packet)
        reasons = self.expect(stayer, mqtt.SUBACK, timeout=30).reasons
        self.assertEqual(len(reasons), count)
        self.assertEqual(reasons[0], 0)
        self.assertLessEqual(set(reasons), {0, 0x97})
        self.publish(stayer, self.topic(), b"x")
        self.assertEqual(self.message(stayer).payload, b"x")
        self.assert_serves()

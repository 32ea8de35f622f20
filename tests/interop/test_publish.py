"""PUBLISH and its acknowledgements: MQTT 5.0, 3.3 to 3.7, 4.3, 4.4."""

import mqtt_wire as mqtt
from case import BrokerTest, both_versions, millrace_only


class PublishTest(BrokerTest):
    @both_versions
    def test_every_pair_of_qos(self, version):
        """[MQTT-3.8.4-8], [MQTT-4.3.1-1], [MQTT-4.3.2-1], [MQTT-4.3.3-1]: the lower QoS wins"""
        sender = self.client(version=version)
        for granted in (0, 1, 2):
            receiver = self.client(version=version)
            topic = self.topic("%d/%d" % (version, granted))
            self.assertEqual(self.subscribe(receiver, topic, qos=granted), [granted])
            for qos in (0, 1, 2):
                self.publish(sender, topic, b"q%d" % qos, qos)
                got = self.message(receiver)
                self.assertEqual((got.topic, got.payload, got.qos, got.dup, got.retain),
                                 (topic, b"q%d" % qos, min(qos, granted), False, False))
            self.silence(receiver)

    def test_between_the_versions(self):
        """The version of a client is its own affair."""
        old, new = self.client(version=4), self.client(version=5)
        for sender, receiver in ((old, new), (new, old)):
            topic = self.topic(str(receiver.version))
            self.subscribe(receiver, topic, qos=2)
            for qos in (0, 1, 2):
                self.publish(sender, topic, b"m", qos)
                self.assertEqual(self.message(receiver).qos, qos)

    def test_an_empty_payload_is_a_message(self):
        """3.3.3"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, self.topic())
        self.publish(sender, self.topic(), b"")
        self.assertEqual(self.message(receiver).payload, b"")

    def test_payloads_of_many_lengths_arrive_whole(self):
        """1.5.5: around each step of the packet length, and past every buffer"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, self.topic(), qos=1)
        for count in (1, 100, 115, 120, 127, 128, 129, 4095, 4096, 16370, 16383, 16384, 16385,
                      65535, 65536, 70001, 250_000, 1_000_000):
            payload = bytes((count + at * 31) & 0xff for at in range(997)) * (count // 997 + 1)
            self.publish(sender, self.topic(), payload[:count], 1)
            self.assertEqual(self.message(receiver).payload, payload[:count], count)

    def test_topics_of_many_shapes(self):
        """4.7.3: any UTF-8 without U+0000 and wildcards; case and every slash count"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, "#", qos=0)
        for name in ("/", "//", "a/", "/a", " ", "ä/ö", "日本/語", "𝄞", "\ufeffx", "a b/c d",
                     "x" * 3000, "/".join("l" * 100)):
            topic = name + "/" + self.base
            self.publish(sender, topic, b"t")
            self.assertEqual(self.message(receiver).topic, topic)
        self.unsubscribe(receiver, "#")

    @both_versions
    def test_wildcards_in_a_topic_name_are_refused(self, version):
        """[MQTT-3.3.2-2]"""
        for topic in ("a/+", "#", "a/#/b", "+"):
            with self.subTest(topic=topic):
                wire = self.client(version=version)
                wire.send(mqtt.publish(topic, b"", version=version))
                self.expect_error(wire, 0x90, 0x81, 0x82)

    @both_versions
    def test_an_empty_topic_is_refused(self, version):
        """[MQTT-4.7.3-1], 3.3.2.1: without a topic alias a protocol error"""
        wire = self.client(version=version)
        wire.send(mqtt.publish("", b"", version=version))
        self.expect_error(wire, 0x82, 0x90)

    @both_versions
    def test_qos_3_is_malformed(self, version):
        """[MQTT-3.3.1-4]"""
        wire = self.client(version=version)
        wire.send(mqtt.packet(mqtt.PUBLISH, mqtt.text("a") + b"\0\1\0", 6))
        self.expect_error(wire, 0x81)

    @both_versions
    def test_packet_id_zero_is_refused(self, version):
        """[MQTT-2.2.1-3]"""
        wire = self.client(version=version)
        wire.send(mqtt.publish("a", b"", 1, 0, version=version))
        self.expect_error(wire, 0x81, 0x82)

    @millrace_only("mosquitto lets it pass")
    def test_dup_with_qos_0_is_refused(self):
        """[MQTT-3.3.1-2]"""
        wire = self.client()
        wire.send(mqtt.publish("a", b"", dup=True))
        self.expect_error(wire, 0x81, 0x82)

    @both_versions
    def test_every_packet_id_can_be_used(self, version):
        """2.2.1"""
        wire = self.client(version=version)
        for number in (1, 2, 255, 256, 0x7fff, 0x8000, 0xffff):
            self.publish(wire, self.topic(), b"", 1, packet_id=number)
            self.publish(wire, self.topic(), b"", 2, packet_id=number)

    @both_versions
    def test_a_repeated_qos_1_message_is_acknowledged_again(self, version):
        """[MQTT-4.3.2-4], [MQTT-4.3.2-5]"""
        wire = self.client(version=version)
        for dup in (False, True):
            wire.send(mqtt.publish(self.topic(), b"x", 1, 9, dup=dup, version=version))
            self.assertEqual(self.expect(wire, mqtt.PUBACK).packet_id, 9)

    @millrace_only("mosquitto takes the repetition for a protocol error")
    @both_versions
    def test_a_repeated_qos_2_message_is_delivered_once(self, version):
        """[MQTT-4.3.3-8] to [MQTT-4.3.3-12]"""
        receiver, sender = self.client(version=version), self.client(version=version)
        topic = self.topic(str(version))
        self.subscribe(receiver, topic, qos=2)
        for dup in (False, True, True):
            sender.send(mqtt.publish(topic, b"once", 2, 5, dup=dup, version=version))
            got = self.expect(sender, mqtt.PUBREC)
            self.assertEqual((got.packet_id, got.reason), (5, 0))
        for _ in range(2):
            sender.send(mqtt.ack(mqtt.PUBREL, 5))
            self.assertEqual(self.expect(sender, mqtt.PUBCOMP).packet_id, 5)
        self.assertEqual(self.message(receiver).payload, b"once")
        self.publish(sender, topic, b"next", 2, packet_id=5)
        self.assertEqual(self.message(receiver).payload, b"next", "the identifier is free again")
        self.silence(receiver)

    @both_versions
    def test_a_qos_2_id_survives_a_reconnect(self, version):
        """[MQTT-4.1.0-1], 4.3.3: the identifier is part of the session until PUBREL"""
        name, topic = self.name(), self.topic(str(version))
        receiver = self.client(version=version)
        self.subscribe(receiver, topic, qos=2)
        first = self.durable(name, version)
        first.send(mqtt.publish(topic, b"once", 2, 77, version=version))
        self.expect(first, mqtt.PUBREC)
        first.close()
        second = self.durable(name, version)
        self.assertTrue(second.connack.session_present)
        second.send(mqtt.publish(topic, b"once", 2, 77, dup=True, version=version))
        self.expect(second, mqtt.PUBREC)
        second.send(mqtt.ack(mqtt.PUBREL, 77))
        self.assertEqual(self.expect(second, mqtt.PUBCOMP).reason, 0)
        self.assertEqual(self.message(receiver).payload, b"once")
        self.silence(receiver)

    @millrace_only("mosquitto answers without the reason")
    def test_pubrel_of_an_unknown_id(self):
        """3.7.2.1: PUBCOMP 0x92, and the connection goes on"""
        wire = self.client()
        wire.send(mqtt.ack(mqtt.PUBREL, 999))
        got = self.expect(wire, mqtt.PUBCOMP)
        self.assertEqual((got.packet_id, got.reason), (999, 0x92))
        self.barrier(wire)

    def test_v3_pubrel_of_an_unknown_id(self):
        """[MQTT-4.3.3-2] of 3.1.1: PUBCOMP all the same"""
        wire = self.client(version=4)
        wire.send(mqtt.ack(mqtt.PUBREL, 999, version=4))
        self.assertEqual(self.expect(wire, mqtt.PUBCOMP).packet_id, 999)

    @millrace_only("mosquitto closes")
    def test_pubrec_of_an_unknown_id(self):
        """3.6.2.1, 4.3.3: PUBREL 0x92"""
        wire = self.client()
        wire.send(mqtt.ack(mqtt.PUBREC, 999))
        got = self.expect(wire, mqtt.PUBREL)
        self.assertEqual((got.packet_id, got.reason), (999, 0x92))
        self.barrier(wire)

    @millrace_only("mosquitto closes")
    def test_puback_and_pubcomp_of_an_unknown_id_are_ignored(self):
        """4.3: nothing is told about these"""
        for version in (4, 5):
            wire = self.client(version=version)
            wire.send(mqtt.ack(mqtt.PUBACK, 999, version=version))
            wire.send(mqtt.ack(mqtt.PUBCOMP, 999, version=version))
            self.barrier(wire)

    @both_versions
    def test_wrong_flags_of_pubrel_are_malformed(self, version):
        """[MQTT-3.6.1-1], [MQTT-2.1.3-1]"""
        wire = self.client(version=version)
        wire.send(b"\x60\x02\x00\x01")
        self.expect_error(wire, 0x81, 0x82)

    def test_acknowledgements_with_reason_and_properties_are_read(self):
        """3.4.2: packet id alone, with a reason, with a reason and properties"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, self.topic(), qos=1)
        for reason, props in ((None, None), (0, None),
                              (0, {"reason_string": "fine", "user": [("a", "b"), ("a", "c")]})):
            self.publish(sender, self.topic(), b"x", 1)
            got = self.message(receiver, acknowledge=False)
            receiver.send(mqtt.ack(mqtt.PUBACK, got.packet_id, reason, props=props))
            self.silence(receiver)

    @millrace_only("mosquitto sends PUBREL anyway")
    def test_pubrec_with_an_error_ends_the_exchange(self):
        """[MQTT-4.3.3-4]: no PUBREL after a PUBREC of 0x80 or more"""
        receiver, sender = self.client(props={"receive_maximum": 1}), self.client()
        self.subscribe(receiver, self.topic(), qos=2)
        self.publish(sender, self.topic(), b"refused", 2)
        got = self.message(receiver, acknowledge=False)
        receiver.send(mqtt.ack(mqtt.PUBREC, got.packet_id, 0x97))
        self.silence(receiver)
        self.publish(sender, self.topic(), b"next", 2)
        self.assertEqual(self.message(receiver).payload, b"next", "the window is open again")

    @both_versions
    def test_the_server_names_no_id_twice_at_once(self, version):
        """[MQTT-2.2.1-4]: a Packet Identifier in use is not used again"""
        receiver, sender = self.client(version=version), self.client(version=version)
        topic = self.topic(str(version))
        self.subscribe(receiver, topic, qos=2)
        for number in range(60):
            self.publish(sender, topic, b"%d" % number, 1 + number % 2)
        used = [self.message(receiver, acknowledge=False).packet_id for _ in range(20)]
        self.assertEqual(len(set(used)), len(used))

    @both_versions
    def test_order_within_topic_and_qos(self, version):
        """[MQTT-4.6.0-5], [MQTT-4.6.0-6]"""
        receivers = [self.client(version=version) for _ in range(3)]
        sender, topic = self.client(version=version), self.topic(str(version))
        for wire in receivers:
            self.subscribe(wire, topic, qos=2)
        burst = b"".join(mqtt.publish(topic, b"%d:%d" % (qos, number), qos, 1 + number * 3 + qos,
                                      version=version)
                         for number in range(100) for qos in (0, 1))
        sender.send(burst)
        for wire in receivers:
            got = self.payloads(wire, 200)
            for qos in (b"0:", b"1:"):
                numbers = [int(one[2:]) for one in got if one.startswith(qos)]
                self.assertEqual(numbers, list(range(100)))

    def test_puback_tells_that_nobody_listens(self):
        """3.4.2.1: 0x10 is optional; nothing else than 0x00 and 0x10 is right"""
        wire = self.client()
        self.assertIn(self.publish(wire, self.topic(), b"", 1), (0, 0x10))
        self.assertIn(self.publish(wire, self.topic(), b"", 2), (0, 0x10))

    def test_one_message_to_many(self):
        """Every subscriber gets it, on whichever shard it is."""
        receivers = [self.client(version=4 + number % 2) for number in range(60)]
        for number, wire in enumerate(receivers):
            self.subscribe(wire, self.topic("x"), qos=number % 3)
        sender = self.client()
        self.publish(sender, self.topic("x"), b"all", 2)
        for number, wire in enumerate(receivers):
            got = self.message(wire)
            self.assertEqual((got.payload, got.qos), (b"all", number % 3))

    def test_many_to_one(self):
        """Publishers on all shards reach one subscriber; each one's order is kept."""
        receiver = self.client()
        self.subscribe(receiver, self.topic("+"), qos=1)
        senders = [self.client() for _ in range(12)]
        for number in range(20):
            for index, wire in enumerate(senders):
                wire.send(mqtt.publish(self.topic(str(index)), b"%d" % number, 1, number + 1))
        seen = {}
        for _ in range(12 * 20):
            got = self.message(receiver)
            seen.setdefault(got.topic, []).append(int(got.payload))
        self.assertEqual(len(seen), 12)
        for numbers in seen.values():
            self.assertEqual(numbers, list(range(20)))


class RedeliveryTest(BrokerTest):
    config = {"queues": {"session_messages_max": 1000}}

    @both_versions
    def test_unacknowledged_messages_come_again_in_order(self, version):
        """[MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-3.3.1-1]: DUP, original identifiers, order"""
        name, topic, sender = self.name(), self.topic(str(version)), self.client()
        first = self.durable(name, version)
        self.subscribe(first, topic, qos=2)
        for number in range(10):
            self.publish(sender, topic, b"%d" % number, 1 + number % 2)
        sent = [self.message(first, acknowledge=False) for _ in range(10)]
        self.assertTrue(all(not one.dup for one in sent))
        first.close()
        second = self.durable(name, version)
        self.assertTrue(second.connack.session_present)
        again = [self.message(second, acknowledge=False) for _ in range(10)]
        self.assertEqual([(one.packet_id, one.payload, one.qos) for one in again],
                         [(one.packet_id, one.payload, one.qos) for one in sent])
        self.assertTrue(all(one.dup for one in again), "[MQTT-3.3.1-1]")

    @both_versions
    def test_acknowledged_messages_do_not_come_again(self, version):
        """[MQTT-4.3.2-3]"""
        name, topic, sender = self.name(), self.topic(str(version)), self.client()
        first = self.durable(name, version)
        self.subscribe(first, topic, qos=1)
        for number in range(6):
            self.publish(sender, topic, b"%d" % number, 1)
        for number in range(6):
            got = self.message(first, acknowledge=False)
            if number % 2 == 0:
                first.send(mqtt.ack(mqtt.PUBACK, got.packet_id, version=version))
        self.barrier(first)
        first.close()
        second = self.durable(name, version)
        self.assertEqual(self.payloads(second, 3), [b"1", b"3", b"5"])
        self.silence(second)

    @both_versions
    def test_a_pubrel_comes_again(self, version):
        """[MQTT-4.4.0-1], [MQTT-4.3.3-4..7]: after PUBREC the PUBREL is repeated"""
        name, topic, sender = self.name(), self.topic(str(version)), self.client()
        first = self.durable(name, version)
        self.subscribe(first, topic, qos=2)
        self.publish(sender, topic, b"x", 2)
        got = self.message(first, acknowledge=False)
        first.send(mqtt.ack(mqtt.PUBREC, got.packet_id))
        self.assertEqual(self.expect(first, mqtt.PUBREL).packet_id, got.packet_id)
        first.close()
        second = self.durable(name, version)
        self.assertEqual(self.expect(second, mqtt.PUBREL).packet_id, got.packet_id)
        second.send(mqtt.ack(mqtt.PUBCOMP, got.packet_id))
        self.silence(second)

    @both_versions
    def test_nothing_is_resent_on_a_living_connection(self, version):
        """[MQTT-4.4.0-1]: only at a reconnect"""
        receiver, sender = self.client(version=version), self.client()
        topic = self.topic(str(version))
        self.subscribe(receiver, topic, qos=1)
        self.publish(sender, topic, b"x", 1)
        self.message(receiver, acknowledge=False)
        self.silence(receiver, 1.0)


class PacketOfPropertiesTest(BrokerTest):
    FULL = {"payload_format": 1, "content_type": "text/plain; charset=utf-8",
            "response_topic": "answers/here", "correlation_data": b"\x00\x01\xff",
            "user": [("b", "1"), ("a", "2"), ("b", "0"), ("", ""), ("b", "1")]}

    def test_properties_pass_unaltered(self):
        """[MQTT-3.3.2-4], [-15], [-16], [-17], [-18], [-20]: as sent, user properties in order"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, self.topic(), qos=2)
        for qos in (0, 1, 2):
            self.publish(sender, self.topic(), "schön", qos, props=self.FULL)
            got = self.message(receiver)
            self.assertEqual(got.props, self.FULL)
            self.assertEqual(list(got.props["user"]), self.FULL["user"])

    def test_properties_are_kept_while_offline(self):
        """As above, through a session's queue."""
        name, sender = self.name(), self.client()
        receiver = self.durable(name)
        self.subscribe(receiver, self.topic(), qos=1)
        self.leave(receiver)
        self.publish(sender, self.topic(), "schön", 1, props=self.FULL)
        self.assertEqual(self.message(self.durable(name)).props, self.FULL)

    def test_a_v3_receiver_gets_the_bare_message(self):
        """3.1.1 has no properties"""
        receiver, sender = self.client(version=4), self.client()
        self.subscribe(receiver, self.topic(), qos=1)
        self.publish(sender, self.topic(), "schön", 1, props=self.FULL)
        self.assertEqual(self.message(receiver).payload, "schön".encode())

    def test_a_v3_sender_makes_no_properties(self):
        """3.3.2.3: none were there"""
        receiver, sender = self.client(), self.client(version=4)
        self.subscribe(receiver, self.topic())
        self.publish(sender, self.topic(), b"x")
        self.assertEqual(self.message(receiver).props, {})

    def test_a_request_and_its_response(self):
        """4.10"""
        requester, responder = self.client(), self.client()
        self.subscribe(requester, self.topic("answers"), qos=1)
        self.subscribe(responder, self.topic("requests"), qos=1)
        self.publish(requester, self.topic("requests"), b"?", 1,
                     props={"response_topic": self.topic("answers"), "correlation_data": b"42"})
        asked = self.message(responder).props
        self.publish(responder, asked["response_topic"], b"!", 1,
                     props={"correlation_data": asked["correlation_data"]})
        got = self.message(requester)
        self.assertEqual((got.payload, got.props), (b"!", {"correlation_data": b"42"}))

    def test_large_and_many_user_properties(self):
        """2.2.2.2: any number of times"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, self.topic())
        users = [("key%d" % number, "v" * number) for number in range(200)] + [("k", "x" * 30000)]
        self.publish(sender, self.topic(), b"x", props={"user": users})
        self.assertEqual(self.message(receiver).props["user"], users)

    @millrace_only("mosquitto lets the payload pass")
    def test_a_payload_that_is_not_the_utf8_it_claims(self):
        """3.3.2.3.2: 0x99 may be told, in the acknowledgement or by DISCONNECT"""
        wire = self.client()
        wire.send(mqtt.publish(self.topic(), b"\xff\xfe", 1, 1, props={"payload_format": 1}))
        got = wire.receive()
        self.assertIn((got.kind, got.reason), ((mqtt.PUBACK, 0x99), (mqtt.DISCONNECT, 0x99)))

    @millrace_only("mosquitto lets some of them pass")
    def test_wrong_properties_are_refused(self):
        """3.3.2.3, [MQTT-3.3.4-6], [MQTT-3.3.2-14]"""
        cases = {
            "subscription identifier from a client": mqtt.property_bytes("subscription_id", 1),
            "payload format 2": mqtt.property_bytes("payload_format", 2),
            "content type twice": mqtt.property_bytes("content_type", "a") * 2,
            "wildcard in response topic": mqtt.property_bytes("response_topic", "a/+"),
            "of CONNECT": mqtt.property_bytes("session_expiry", 1),
            "unknown": b"\x60\x00",
            "bad utf-8": mqtt.property_bytes("content_type", b"\xff"),
        }
        for what, raw in cases.items():
            with self.subTest(what):
                wire = self.client()
                wire.send(mqtt.publish(self.topic(), b"", props=raw))
                self.expect_error(wire, 0x81, 0x82, 0x90)

"""Subscriptions: MQTT 5.0, 3.8 to 3.11, 4.7, 4.8.1."""

import mqtt_wire as mqtt
from case import BrokerTest, both_versions, millrace_only, settings

# 4.7.1, 4.7.2: filter, topics that match, topics that don't.
MATCHES = (
    ("sport/tennis/player1/#",
     ("sport/tennis/player1", "sport/tennis/player1/ranking",
      "sport/tennis/player1/score/wimbledon"),
     ("sport/tennis", "sport/tennis/player2", "sport/tennis/player10")),
    ("sport/#", ("sport", "sport/", "sport/a/b/c"), ("sports", "/sport", "Sport")),
    ("#", ("a", "/", "/a", "a/b/c", "a//b"), ("$a", "$a/b")),
    ("sport/tennis/+", ("sport/tennis/player1", "sport/tennis/"),
     ("sport/tennis", "sport/tennis/player1/ranking")),
    ("sport/+", ("sport/", "sport/x"), ("sport", "sport/x/y")),
    ("+", ("a", "finance"), ("/finance", "a/", "$a")),
    ("+/+", ("/finance", "a/b", "a/", "/"), ("a", "a/b/c", "$a/b")),
    ("/+", ("/finance", "/"), ("finance", "//")),
    ("+/monitor/Clients", ("a/monitor/Clients", "/monitor/Clients"), ("$x/monitor/Clients",)),
    ("$x/#", ("$x", "$x/monitor/Clients"), ("x", "$xy")),
    ("$x/monitor/+", ("$x/monitor/Clients",), ("$x/monitor",)),
    ("+/a/+/b", ("x/a/y/b", "/a//b"), ("x/a/b", "x/a/y/z/b")),
    ("a/+/#", ("a/b", "a/b/c", "a/"), ("a",)),
    ("+/#", ("a", "a/b", "/"), ("$a", "$a/b")),
    ("a//b", ("a//b",), ("a/b", "a/x/b")),
    ("exact", ("exact",), ("Exact", "exact/", "/exact", "exac", "exactly")),
    ("日本/+", ("日本/語",), ("日本",)),
)
INVALID_FILTERS = ("", "a/#/b", "a#", "#a", "sport/tennis#", "sport+", "+a", "a/b+", "a/+b/c",
                   "##", "++")
INVALID_SHARES = ("$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a",
                  "$share/#/a", "$share/g+/a", "$share/g/a#")


class SubscribeTest(BrokerTest):
    @both_versions
    def test_the_wildcard_table(self, version):
        """[MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.2-1], [MQTT-4.7.3-4]"""
        sender = self.client(version=version)
        topics = sorted({topic for _, yes, no in MATCHES for topic in yes + no})
        receivers = []
        for topic_filter, _, _ in MATCHES:
            wire = self.client(version=version)
            self.assertEqual(self.subscribe(wire, topic_filter, "end/of/table", qos=1), [1, 1])
            receivers.append(wire)
        for topic in topics:
            self.publish(sender, topic, b"t", 1)
        self.publish(sender, "end/of/table", b"end", 1)
        for wire, (topic_filter, yes, no) in zip(receivers, MATCHES):
            got = set()
            while True:
                try:
                    one = self.message(wire, timeout=0.5 if "end/of/table" in got else None)
                except AssertionError:
                    if "end/of/table" in got:
                        break
                    raise
                got.add(one.topic)
                if one.topic == "end/of/table" and settings.shards == 1:
                    break
            for topic in yes:
                self.assertIn(topic, got, topic_filter)
            for topic in no:
                self.assertNotIn(topic, got, topic_filter)

    @both_versions
    def test_invalid_filters_fail_alone(self, version):
        """[MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.3-1]: SUBACK 0x8F (0x80), others granted"""
        if settings.broker != "millrace":
            self.skipTest("mosquitto closes the connection")
        wire = self.client(version=version)
        refused = 0x8f if version == 5 else 0x80
        filters = [one for one in INVALID_FILTERS if one] + list(INVALID_SHARES)
        if version == 4:  # [MQTT-4.7.3-1] of 3.1.1 knows no $share
            filters = [one for one in filters if not one.startswith("$share")]
        for topic_filter in filters:
            with self.subTest(filter=topic_filter):
                reasons = self.subscribe(wire, self.topic("a"), topic_filter, self.topic("b"),
                                         qos=1)
                self.assertEqual(reasons, [1, refused, 1])

    @millrace_only("mosquitto closes the connection")
    def test_an_empty_filter(self):
        """[MQTT-4.7.3-1]: SUBACK 0x8F, or a protocol error"""
        wire = self.client()
        wire.send(mqtt.subscribe(1, [("", 0)]))
        got = wire.receive()
        self.assertIn((got.kind, got.reason), ((mqtt.SUBACK, None), (mqtt.DISCONNECT, 0x8f),
                                               (mqtt.DISCONNECT, 0x81), (mqtt.DISCONNECT, 0x82)))
        if got.kind == mqtt.SUBACK:
            self.assertEqual(got.reasons, [0x8f])

    @both_versions
    def test_many_filters_in_one_packet(self, version):
        """[MQTT-3.8.4-5], [MQTT-3.8.4-6]: as if they came one by one; the order is kept"""
        receiver, sender = self.client(version=version), self.client(version=version)
        entries = [(self.topic("%d/%d" % (version, number)), number % 3) for number in range(300)]
        self.assertEqual(self.subscribe(receiver, *entries), [qos for _, qos in entries])
        for topic, qos in entries[::37]:
            self.publish(sender, topic, b"x", 2)
            got = self.message(receiver)
            self.assertEqual((got.topic, got.qos), (topic, qos))

    @both_versions
    def test_malformed_subscribes(self, version):
        """[MQTT-3.8.1-1], [MQTT-3.8.3-2], [MQTT-2.2.1-3], [MQTT-3.8.3-5]"""
        filters = mqtt.text("a") + b"\0"
        props = b"\0" if version == 5 else b""
        cases = {
            "flags 0": mqtt.packet(mqtt.SUBSCRIBE, b"\0\1" + props + filters, 0),
            "no filter": mqtt.packet(mqtt.SUBSCRIBE, b"\0\1" + props, 2),
            "packet id 0": mqtt.packet(mqtt.SUBSCRIBE, b"\0\0" + props + filters, 2),
            "no options": mqtt.packet(mqtt.SUBSCRIBE, b"\0\1" + props + mqtt.text("a"), 2),
            "qos 3": mqtt.subscribe(1, [("a", 3)], version),
            "reserved bits": mqtt.subscribe(1, [("a", 0xc0)], version),
            "cut filter": mqtt.packet(mqtt.SUBSCRIBE, b"\0\1" + props + b"\0\x09abc", 2),
        }
        if version == 5:
            cases["retain handling 3"] = mqtt.subscribe(1, [("a", 0x30)])
            cases["subscription identifier 0"] = mqtt.subscribe(
                1, [("a", 0)], props={"subscription_id": 0})
            cases["subscription identifier twice"] = mqtt.subscribe(
                1, [("a", 0)], props={"subscription_id": [1, 2]})
        for what, data in cases.items():
            with self.subTest(what):
                if settings.broker == "mosquitto" and what in ("subscription identifier twice",
                                                               "packet id 0"):
                    continue
                wire = self.client(version=version)
                wire.send(data)
                self.expect_error(wire, 0x81, 0x82)

    @both_versions
    def test_malformed_unsubscribes(self, version):
        """[MQTT-3.10.1-1], [MQTT-3.10.3-2]"""
        props = b"\0" if version == 5 else b""
        for what, data in {
                "flags 0": mqtt.packet(mqtt.UNSUBSCRIBE, b"\0\1" + props + mqtt.text("a"), 0),
                "no filter": mqtt.packet(mqtt.UNSUBSCRIBE, b"\0\1" + props, 2),
                "cut": mqtt.packet(mqtt.UNSUBSCRIBE, b"\0\1" + props + b"\0\x05a", 2)}.items():
            with self.subTest(what):
                wire = self.client(version=version)
                wire.send(data)
                self.expect_error(wire, 0x81, 0x82)

    @both_versions
    def test_a_repeated_subscription_replaces(self, version):
        """[MQTT-3.8.4-3]"""
        receiver, sender = self.client(version=version), self.client(version=version)
        topic = self.topic(str(version))
        for qos in (2, 0, 1):
            self.assertEqual(self.subscribe(receiver, topic, qos=qos), [qos])
            self.publish(sender, topic, b"x", 2)
            self.assertEqual(self.message(receiver).qos, qos)
        self.silence(receiver)

    @millrace_only("mosquitto takes one of the matching subscriptions in 3.1.1")
    @both_versions
    def test_overlapping_subscriptions_respect_the_highest_qos(self, version):
        """[MQTT-3.3.4-2]: at least one copy with the highest QoS of all that match"""
        receiver, sender = self.client(version=version), self.client(version=version)
        base = self.topic(str(version))
        self.subscribe(receiver, (base + "/#", 0), (base + "/+", 2), (base + "/a", 1))
        self.publish(sender, base + "/a", b"x", 2)
        highest = self.message(receiver).qos
        try:
            for _ in range(2):
                highest = max(highest, self.message(receiver, timeout=0.3).qos)
        except AssertionError:
            pass
        self.assertEqual(highest, 2)

    def test_unsubscribe_reasons(self):
        """[MQTT-3.10.4-4], [MQTT-3.11.3-2]: 0x00 and 0x11 in the order of the filters"""
        wire = self.client()
        self.subscribe(wire, self.topic("a"), self.topic("+"), self.topic("#"))
        self.assertEqual(self.unsubscribe(wire, self.topic("a"), self.topic("b"), self.topic("#"),
                                          self.topic("a")), [0, 0x11, 0, 0x11])

    def test_v3_unsuback_has_no_payload(self):
        """3.11.3 of 3.1.1"""
        wire = self.client(version=4)
        self.assertEqual(self.unsubscribe(wire, self.topic(), self.topic("x")), [])

    @both_versions
    def test_unsubscribe_stops_delivery(self, version):
        """[MQTT-3.10.4-1], [MQTT-3.10.4-2]: filters are compared character by character"""
        receiver, sender = self.client(version=version), self.client(version=version)
        base = self.topic(str(version))
        for topic_filter in (base + "/a", base + "/+", base + "/#"):
            with self.subTest(filter=topic_filter):
                self.subscribe(receiver, topic_filter, qos=1)
                self.unsubscribe(receiver, base + "/other")
                self.publish(sender, base + "/a", b"1", 1)
                self.assertEqual(self.message(receiver).payload, b"1")
                self.unsubscribe(receiver, topic_filter)
                self.publish(sender, base + "/a", b"2", 1)
                self.silence(receiver)

    def test_a_subscription_is_one_clients(self):
        """4.1: two clients with the same filter are independent"""
        first, second, sender = self.client(), self.client(), self.client()
        for wire in (first, second):
            self.subscribe(wire, self.topic(), qos=1)
        self.unsubscribe(first, self.topic())
        self.publish(sender, self.topic(), b"x", 1)
        self.assertEqual(self.message(second).payload, b"x")
        self.silence(first)

    def test_dollar_topics_are_out_of_reach_of_wildcards(self):
        """[MQTT-4.7.2-1]"""
        wire = self.client()
        self.subscribe(wire, "#", "+/#", "+/broker/version")
        self.silence(wire, 1.5)

    def test_sys_can_be_read_but_not_written(self):
        """4.7.2: the server keeps clients from using $ topics for themselves"""
        wire, sender = self.client(), self.client()
        self.assertEqual(self.subscribe(wire, "$SYS/made/#"), [0])
        sender.send(mqtt.publish("$SYS/made/up", b"x"))  # refused in whichever way
        self.silence(wire)


class SysTest(BrokerTest):
    config = {"timeouts": {"sys_interval_ms": 200}}

    @both_versions
    def test_sys_topics_are_published(self, version):
        """4.7.2, non-normative: $SYS/ holds information about the server"""
        wire = self.client(version=version)
        self.subscribe(wire, "$SYS/#")
        topics = {self.message(wire).topic for _ in range(4)}
        self.assertTrue(all(topic.startswith("$SYS/") for topic in topics))


class SubscriptionOptionsTest(BrokerTest):
    def test_no_local(self):
        """[MQTT-3.8.3-3]"""
        wire, other = self.client(), self.client()
        self.subscribe(wire, self.topic("a"), qos=1, no_local=True)
        self.subscribe(wire, self.topic("b"), qos=1)
        self.publish(wire, self.topic("a"), b"mine", 1)
        self.publish(wire, self.topic("b"), b"echo", 1)
        self.assertEqual(self.message(wire).payload, b"echo")
        self.publish(other, self.topic("a"), b"other", 1)
        self.assertEqual(self.message(wire).payload, b"other")
        self.silence(wire)

    def test_no_local_holds_for_the_client_id_of_the_publisher(self):
        """[MQTT-3.8.3-3]: the ClientID counts, also for a message that came through the queue"""
        name = self.name()
        wire = self.durable(name)
        self.subscribe(wire, self.topic("+"), qos=1, no_local=True)
        self.publish(wire, self.topic("a"), b"mine", 1)
        self.leave(wire)
        self.publish(self.client(), self.topic("a"), b"other", 1)
        wire = self.durable(name)
        self.publish(wire, self.topic("a"), b"mine again", 1)
        self.assertEqual(self.message(wire).payload, b"other")
        self.silence(wire)

    @millrace_only("mosquitto lets it pass")
    def test_no_local_on_a_shared_subscription_is_a_protocol_error(self):
        """[MQTT-3.8.3-4]"""
        wire = self.client()
        wire.send(mqtt.subscribe(1, [("$share/g/" + self.topic(), mqtt.options(no_local=True))]))
        self.expect_error(wire, 0x82)

    def test_retain_as_published(self):
        """[MQTT-3.3.1-12], [MQTT-3.3.1-13]"""
        plain, published, sender = self.client(), self.client(), self.client()
        self.subscribe(plain, self.topic())
        self.subscribe(published, self.topic(), retain_as_published=True)
        for retain in (True, False):
            self.publish(sender, self.topic(), b"x", retain=retain)
            self.assertFalse(self.message(plain).retain)
            self.assertEqual(self.message(published).retain, retain)
        self.publish(sender, self.topic(), b"", retain=True)

    def test_retain_handling(self):
        """[MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]"""
        sender = self.client()
        self.publish(sender, self.topic(), b"kept", 1, retain=True)
        for handling, first, again in ((0, True, True), (1, True, False), (2, False, False)):
            with self.subTest(handling=handling):
                wire = self.client()
                for wanted in (first, again):
                    self.subscribe(wire, self.topic(), retain_handling=handling)
                    if wanted:
                        self.assertTrue(self.message(wire).retain)
                    self.silence(wire)

    def test_retain_handling_1_after_unsubscribe(self):
        """[MQTT-3.3.1-10]: then the subscription is new again"""
        wire = self.client()
        self.publish(wire, self.topic(), b"kept", 1, retain=True)
        for _ in range(2):
            self.subscribe(wire, self.topic(), retain_handling=1)
            self.assertEqual(self.message(wire).payload, b"kept")
            self.unsubscribe(wire, self.topic())

    def test_subscription_identifiers(self):
        """[MQTT-3.3.4-3]: the message carries the identifier of its subscription"""
        receiver, sender = self.client(), self.client()
        for number in (1, 127, 128, 268_435_455):
            topic = self.topic(str(number))
            self.subscribe(receiver, topic, qos=1, props={"subscription_id": number})
            self.publish(sender, topic, b"x", 1)
            self.assertEqual(self.message(receiver).props, {"subscription_id": [number]})
        self.subscribe(receiver, self.topic("none"), qos=1)
        self.publish(sender, self.topic("none"), b"x", 1)
        self.assertEqual(self.message(receiver).props, {})

    def test_overlapping_subscriptions_give_all_identifiers(self):
        """[MQTT-3.3.4-3], [MQTT-3.3.4-4], [MQTT-3.3.4-5]: in one copy, or one in each copy"""
        receiver, sender = self.client(), self.client()
        for number, rest in enumerate(("#", "+", "a"), 1):
            self.subscribe(receiver, self.topic(rest), qos=1, props={"subscription_id": number})
        self.subscribe(receiver, self.topic("a/#"), qos=1)
        self.publish(sender, self.topic("a"), b"x", 1)
        found = []
        while len(found) < 3:
            found += self.message(receiver).props.get("subscription_id", [])
        self.assertEqual(sorted(found), [1, 2, 3])

    def test_a_replaced_subscription_has_the_new_identifier(self):
        """3.8.2.1.2, [MQTT-3.8.4-3]"""
        receiver, sender = self.client(), self.client()
        for props in ({"subscription_id": 5}, {"subscription_id": 6}, None):
            self.subscribe(receiver, self.topic(), props=props)
            self.publish(sender, self.topic(), b"x")
            wanted = {"subscription_id": [props["subscription_id"]]} if props else {}
            self.assertEqual(self.message(receiver).props, wanted)

    def test_identifiers_come_with_retained_messages(self):
        """[MQTT-3.3.4-3]"""
        wire = self.client()
        self.publish(wire, self.topic("r"), b"x", 1, retain=True)
        self.subscribe(wire, self.topic("+"), props={"subscription_id": 9})
        self.assertEqual(self.message(wire).props, {"subscription_id": [9]})

    def test_identifiers_are_part_of_the_session(self):
        """4.1.0: subscriptions with their identifiers"""
        name = self.name()
        wire = self.durable(name)
        self.subscribe(wire, self.topic(), qos=1, props={"subscription_id": 77})
        self.leave(wire)
        sender = self.client()
        self.publish(sender, self.topic(), b"queued", 1)
        wire = self.durable(name)
        self.assertEqual(self.message(wire).props, {"subscription_id": [77]})
        self.publish(sender, self.topic(), b"live", 1)
        self.assertEqual(self.message(wire).props, {"subscription_id": [77]})


class DeniedFiltersTest(BrokerTest):
    config = {"mqtt": {"denied_filters": ["secret/#", "+/private"]}}

    @millrace_only("configured otherwise there")
    def test_subscriptions_are_refused(self):
        """3.9.3: 0x87 (0x80 in 3.1.1)"""
        for version, reason in ((5, 0x87), (4, 0x80)):
            wire = self.client(version=version)
            self.assertEqual(self.subscribe(wire, "secret/a", "open/a", "secret/#", "x/private"),
                             [reason, 0, reason, reason])

    @millrace_only("configured otherwise there")
    def test_publishes_are_refused(self):
        """[MQTT-3.3.5-2], 3.4.2.1: 0x87; nobody gets it"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, "#", qos=1)
        self.assertEqual(self.publish(sender, "secret/a", b"x", 1), 0x87)
        self.assertEqual(self.publish(sender, "a/private", b"x", 2), 0x87)
        self.publish(sender, self.topic(), b"open", 1)
        self.assertEqual(self.message(receiver).payload, b"open")
        self.silence(receiver)

    @millrace_only("configured otherwise there")
    def test_v3_publishes_reach_nobody(self):
        """[MQTT-3.3.5-2] of 3.1.1: acknowledged all the same, or closed"""
        receiver, sender = self.client(version=4), self.client(version=4)
        self.subscribe(receiver, "#", qos=1)
        sender.send(mqtt.publish("secret/a", b"x", 1, 1, version=4))
        try:
            self.assertEqual(sender.receive().kind, mqtt.PUBACK)
        except mqtt.Closed:
            pass
        self.silence(receiver)

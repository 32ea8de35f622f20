"""CONNECT and CONNACK: MQTT 5.0 and 3.1.1, sections 3.1 and 3.2."""

import time

import mqtt_wire as mqtt
from case import BrokerTest, both_versions, millrace_only, settings


class ConnectTest(BrokerTest):
    def refused(self, data, version, *reasons, may_close=True):
        """A CONNECT that must end in CONNACK with one of `reasons`, or (if allowed) in a close."""
        wire = self.connect_raw(data, version)
        try:
            got = wire.receive()
        except mqtt.Closed:
            self.assertTrue(may_close or settings.broker != "millrace", "closed without CONNACK")
            return
        self.assertEqual(got.kind, mqtt.CONNACK, repr(got))
        self.assertIn(got.reason, reasons)
        self.assertFalse(got.session_present, "[MQTT-3.2.2-6] with a non-zero code it is 0")
        self.expect_closed(wire)

    @both_versions
    def test_a_new_client_is_accepted_without_session(self, version):
        """[MQTT-3.2.0-1], [MQTT-3.2.2-2]"""
        wire = self.client(version=version)
        self.assertFalse(wire.connack.session_present)

    @both_versions
    def test_clean_start_discards_the_session(self, version):
        """[MQTT-3.1.2-4]"""
        name = self.name()
        first = self.durable(name, version)
        self.subscribe(first, self.topic("a"), qos=1)
        self.leave(first)
        again = self.client(name, version, clean=True)
        self.assertFalse(again.connack.session_present)
        self.publish(self.client(), self.topic("a"), b"x", 1)
        self.silence(again)

    @both_versions
    def test_a_kept_session_is_present(self, version):
        """[MQTT-3.1.2-5], [MQTT-3.2.2-3]"""
        name = self.name()
        self.leave(self.durable(name, version))
        self.assertTrue(self.durable(name, version).connack.session_present)

    @both_versions
    def test_an_unknown_session_is_not_present(self, version):
        """[MQTT-3.1.2-6], [MQTT-3.2.2-2]"""
        self.assertFalse(self.durable(self.name(), version).connack.session_present)

    def test_a_session_of_one_version_is_kept_for_the_other(self):
        """[MQTT-3.1.2-5]: the session belongs to the client identifier, not to the version."""
        name = self.name()
        first = self.durable(name, 5)
        self.subscribe(first, self.topic(), qos=1)
        self.leave(first)
        self.publish(self.client(), self.topic(), b"kept", 1)
        second = self.durable(name, 4)
        self.assertTrue(second.connack.session_present)
        self.assertEqual(self.message(second).payload, b"kept")

    def test_an_empty_id_gets_an_assigned_one(self):
        """[MQTT-3.1.3-6], [MQTT-3.2.2-16]"""
        names = set()
        for _ in range(5):
            assigned = self.client("").connack.props.get("assigned_client_id")
            self.assertTrue(assigned, "CONNACK must carry the Assigned Client Identifier")
            names.add(assigned)
        self.assertEqual(len(names), 5, "assigned identifiers must be unique")

    def test_an_assigned_id_resumes_its_session(self):
        """[MQTT-3.2.2-16]"""
        first = self.durable("")
        name = first.connack.props["assigned_client_id"]
        self.leave(first)
        self.assertTrue(self.durable(name).connack.session_present)

    def test_an_id_of_its_own_is_not_assigned(self):
        """3.2.2.3.7"""
        self.assertNotIn("assigned_client_id", self.client().connack.props)

    def test_v3_empty_id_with_clean_session_is_accepted(self):
        """[MQTT-3.1.3-7] of 3.1.1"""
        self.client("", 4, clean=True)

    def test_v3_empty_id_without_clean_session_is_refused(self):
        """[MQTT-3.1.3-8] of 3.1.1: return code 0x02 and a close"""
        self.refused(mqtt.connect("", 4, clean=False), 4, 2, may_close=False)

    def test_a_long_client_id_is_accepted(self):
        """[MQTT-3.1.3-5] asks for 23 letters and digits at least"""
        self.client("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[:23])
        self.client("x" * 200)

    @both_versions
    def test_a_second_connect_is_a_protocol_error(self, version):
        """[MQTT-3.1.0-2]"""
        wire = self.client(version=version)
        wire.send(mqtt.connect(wire.client_id, version))
        self.expect_error(wire, 0x82)

    @both_versions
    def test_another_first_packet_is_refused(self, version):
        """[MQTT-3.1.0-1]"""
        for data in (mqtt.packet(mqtt.PINGREQ), mqtt.publish("a", b"b", version=version),
                     mqtt.subscribe(1, [("a", 0)], version), mqtt.disconnect(),
                     mqtt.packet(mqtt.CONNACK, b"\0\0"), b"GET / HTTP/1.1\r\n\r\n"):
            wire = self.connect_raw(data, version)
            try:
                got = wire.receive()
            except mqtt.Closed:
                continue
            self.assertEqual(version, 5)
            self.assertEqual(got.kind, mqtt.DISCONNECT, repr(got))
            self.expect_closed(wire)

    def test_an_unknown_protocol_level_is_refused(self):
        """[MQTT-3.1.2-2]: 3.1.1 must say 0x01, 5.0 may say 0x84; then a close"""
        for level in (0, 1, 2, 6, 0x7f):  # mosquitto takes a high bit as a bridge's
            with self.subTest(level=level):
                wire = self.connect_raw(mqtt.connect("x", 4, level=level))
                wire.version = 4
                try:
                    first = wire.sock.recv(64)
                except ConnectionResetError:
                    first = b""
                if first:
                    self.assertEqual(first[0], 0x20)
                    self.assertIn(first[3], (0x01, 0x84))
                    self.assertEqual(wire.sock.recv(64), b"")

    def test_a_wrong_protocol_name_is_refused(self):
        """[MQTT-3.1.2-1]: a CONNACK 0x84 at most, and a close"""
        for name in ("MQTX", "mqtt", "MQTTT", "", "HTTP"):
            for version in (4, 5):
                with self.subTest(name=name, version=version):
                    wire = self.connect_raw(mqtt.connect("x", version, name=name))
                    try:
                        first = wire.sock.recv(64)
                    except ConnectionResetError:
                        continue
                    if first:  # in the format of either version: the server can't know
                        self.assertEqual((first[0], first[3] in (0x01, 0x84)), (0x20, True))
                        self.assertEqual(wire.sock.recv(64), b"")

    @both_versions
    def test_the_reserved_connect_flag_is_refused(self, version):
        """[MQTT-3.1.2-3]"""
        self.refused(mqtt.connect("x", version, flags=0x03), version, 0x81, 0x82)

    @both_versions
    def test_impossible_will_flags_are_refused(self, version):
        """[MQTT-3.1.2-11], [MQTT-3.1.2-12], [MQTT-3.1.2-13], [MQTT-3.1.2-15]"""
        for flags in (0x02 | 0x08, 0x02 | 0x10, 0x02 | 0x20):
            with self.subTest("will qos or retain without will", flags=flags):
                self.refused(mqtt.connect("x", version, flags=flags), version, 0x81, 0x82)
        with self.subTest("will qos 3"):
            self.refused(mqtt.connect("x", version, flags=0x02 | 0x04 | 0x18,
                                      will={"topic": "a", "payload": b"b"}), version, 0x81, 0x82)

    def test_v3_password_without_user_name_is_refused(self):
        """[MQTT-3.1.2-22] of 3.1.1"""
        self.refused(mqtt.connect("x", 4, password=b"secret"), 4)

    @millrace_only("mosquitto closes when anonymous is allowed and no password file is there")
    def test_v5_password_without_user_name_is_legal(self):
        """3.1.2.9"""
        self.client(password=b"secret")

    @both_versions
    def test_user_name_and_password_are_read(self, version):
        """[MQTT-3.1.3-11], [MQTT-3.1.2-17]"""
        self.client(version=version, user_name="anyone", password=b"\x00\xff")

    @both_versions
    def test_missing_payload_fields_are_refused(self, version):
        """[MQTT-3.1.2-9], [MQTT-3.1.2-16], [MQTT-3.1.2-17]: a flag without its field"""
        for flags in (0x06, 0x82, 0xc2):
            with self.subTest(flags=flags):
                self.refused(mqtt.connect("x", version, flags=flags), version, 0x81, 0x82)

    @both_versions
    def test_trailing_bytes_are_refused(self, version):
        """1.5.1, 4.13: bytes after the last field are malformed"""
        whole = mqtt.connect("x", version)
        self.refused(mqtt.packet(mqtt.CONNECT, whole[2:] + b"\0\0\0"), version, 0x81, 0x82)

    def test_wrong_properties_are_refused(self):
        """2.2.2.2, 3.1.2.11: unknown, repeated, misplaced or out of range"""
        cases = {
            "receive maximum 0": mqtt.property_bytes("receive_maximum", 0),
            "maximum packet size 0": mqtt.property_bytes("maximum_packet_size", 0),
            "session expiry twice": mqtt.property_bytes("session_expiry", 1) * 2,
            "request problem information 2": mqtt.property_bytes("request_problem_information", 2),
            "request response information 2":
                mqtt.property_bytes("request_response_information", 2),
            "of PUBLISH": mqtt.property_bytes("topic_alias", 1),
            "of CONNACK": mqtt.property_bytes("maximum_qos", 1),
            "unknown identifier": b"\x7f\x00",
            "cut": mqtt.property_bytes("session_expiry", 1)[:-1],
        }
        for what, raw in cases.items():
            with self.subTest(what):
                self.refused(mqtt.connect("x", props=raw), 5, 0x81, 0x82)

    @millrace_only("mosquitto lets it pass")
    def test_authentication_data_without_method_is_refused(self):
        """3.1.2.11.10: a protocol error"""
        self.refused(mqtt.connect("x", props={"authentication_data": b"x"}), 5, 0x81, 0x82)

    def test_an_unsupported_authentication_method_is_refused(self):
        """[MQTT-4.12.0-1]: CONNACK 0x8C (0x87 allowed) and a close"""
        self.refused(mqtt.connect("x", props={"authentication_method": "SCRAM-SHA-1"}), 5,
                     0x8c, 0x87, may_close=False)

    @both_versions
    def test_bad_utf8_in_the_client_id_is_refused(self, version):
        """[MQTT-1.5.4-1], [MQTT-3.1.3-4]"""
        for name in (b"a\xff", b"\xc0\x80", b"a\x00b", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"):
            with self.subTest(name=name):
                self.refused(mqtt.connect(name, version), version, 2, 0x81, 0x82, 0x85)

    def test_connack_announces_no_nonsense(self):
        """3.2.2.3: present limits are in their range"""
        props = self.client().connack.props
        self.assertGreater(props.get("receive_maximum", 65535), 0)
        self.assertIn(props.get("maximum_qos", 1), (0, 1), "[MQTT-3.2.2-9] 2 is told by absence")
        self.assertGreater(props.get("maximum_packet_size", 1), 0)
        for flag in ("retain_available", "wildcard_available", "subscription_ids_available",
                     "shared_available"):
            self.assertIn(props.get(flag, 1), (0, 1))

    def test_packets_behind_connect_need_not_wait(self):
        """3.1.0, non-normative: clients may send before CONNACK"""
        wire = self.connect_raw(mqtt.connect(self.name()) + mqtt.subscribe(1, [(self.topic(), 1)])
                                + mqtt.publish(self.topic(), b"early", 1, 2))
        self.expect(wire, mqtt.CONNACK)
        self.assertEqual(self.answer(wire, mqtt.SUBACK).reasons, [1])
        self.answer(wire, mqtt.PUBACK)
        self.assertEqual(self.message(wire).payload, b"early")

    @both_versions
    def test_disconnect_closes(self, version):
        """[MQTT-3.14.4-1], [MQTT-3.14.4-3]"""
        self.leave(self.client(version=version))

    def test_disconnect_with_wrong_flags_or_body(self):
        """[MQTT-3.14.1-1]"""
        wire = self.client()
        wire.send(b"\xe1\x00")
        self.expect_error(wire, 0x81, 0x82)

    def test_session_expiry_cannot_grow_from_zero(self):
        """3.14.2.2.2: zero in CONNECT and non-zero in DISCONNECT is a protocol error"""
        wire = self.client()
        wire.send(mqtt.disconnect(0, props={"session_expiry": 60}))
        self.expect_error(wire, 0x82)

    def test_an_auth_packet_out_of_the_blue_is_a_protocol_error(self):
        """[MQTT-4.12.0-7]: AUTH without a method in CONNECT"""
        wire = self.client()
        wire.send(mqtt.packet(mqtt.AUTH, b"\x18" + mqtt.properties({"authentication_method": "x"})))
        self.expect_error(wire, 0x82, 0x8c)

    def test_v3_has_no_auth_packet(self):
        """2.2.1 of 3.1.1: type 15 is reserved"""
        wire = self.client(version=4)
        wire.send(mqtt.packet(mqtt.AUTH))
        self.expect_closed(wire)


class ConnectLimitsTest(BrokerTest):
    config = {
        "mqtt": {"receive_maximum": 7, "topic_alias_maximum": 3, "maximum_qos": 1,
                 "retain_available": False, "maximum_packet_bytes": 2000, "keep_alive_max_s": 40,
                 "session_expiry_max_s": 100, "wildcard_subscription_available": False,
                 "shared_subscription_available": False,
                 "subscription_identifiers_available": False},
        "timeouts": {"connect_ms": 500},
    }

    @millrace_only("not every limit exists there")
    def test_connack_announces_the_configured_limits(self):
        """3.2.2.3"""
        props = self.client(keep_alive=60, props={"session_expiry": 1000}).connack.props
        for name, value in {"receive_maximum": 7, "topic_alias_maximum": 3, "maximum_qos": 1,
                            "retain_available": 0, "maximum_packet_size": 2000,
                            "server_keep_alive": 40, "session_expiry": 100,
                            "wildcard_available": 0, "shared_available": 0,
                            "subscription_ids_available": 0}.items():
            self.assertEqual(props.get(name), value, name)

    @millrace_only("configured otherwise there")
    def test_a_shorter_keep_alive_is_left_alone(self):
        """[MQTT-3.1.2-21]"""
        self.assertNotIn("server_keep_alive", self.client(keep_alive=20).connack.props)

    @millrace_only("configured otherwise there")
    def test_no_keep_alive_gets_the_ceiling(self):
        """[MQTT-3.1.2-21], config.h"""
        self.assertEqual(self.client().connack.props.get("server_keep_alive"), 40)

    @millrace_only("mosquitto has no such time limit")
    def test_no_connect_in_time_is_closed(self):
        """3.1.0, non-normative: a reasonable time"""
        silent, partial = self.open(), self.open()
        partial.send(mqtt.connect("x")[:5])
        start = time.monotonic()
        self.expect_closed(silent, 8)
        self.expect_closed(partial, 8)
        self.assertLess(time.monotonic() - start, 5)
        self.assertGreater(time.monotonic() - start, 0.2)

    @millrace_only("mosquitto ignores the reason of the limit")
    def test_qos_over_the_maximum(self):
        """[MQTT-3.2.2-11]: DISCONNECT 0x9B"""
        wire = self.client()
        wire.send(mqtt.publish(self.topic(), b"", 2, 1))
        self.expect_error(wire, 0x9b)

    @millrace_only("configured otherwise there")
    def test_a_subscription_is_granted_at_most_the_maximum(self):
        """[MQTT-3.2.2-10]: SUBSCRIBE with any QoS is accepted; 3.9.3 the grant may be lower"""
        self.assertIn(self.subscribe(self.client(), self.topic(), qos=2), ([1], [2]))

    @millrace_only("mosquitto ignores the reason of the limit")
    def test_retain_when_not_available(self):
        """[MQTT-3.2.2-14]: DISCONNECT 0x9A"""
        wire = self.client()
        wire.send(mqtt.publish(self.topic(), b"", retain=True))
        self.expect_error(wire, 0x9a)

    @millrace_only("configured otherwise there")
    def test_a_will_over_the_limits_is_refused(self):
        """[MQTT-3.2.2-12], [MQTT-3.2.2-13]: CONNACK 0x9B and 0x9A"""
        for will, reason in (({"qos": 2}, 0x9b), ({"retain": True}, 0x9a)):
            with self.subTest(reason=reason):
                wire = self.connect_raw(mqtt.connect("x", will={"topic": "a", **will}))
                self.assertEqual(self.expect(wire, mqtt.CONNACK).reason, reason)
                self.expect_closed(wire)

    @millrace_only("configured otherwise there")
    def test_subscriptions_that_are_switched_off(self):
        """3.2.2.3.11 to 3.2.2.3.13: SUBACK 0xA2, 0x9E, 0xA1 or DISCONNECT with the same"""
        for topic_filter, props, reason in ((self.topic("+"), None, 0xa2),
                                            ("$share/g/" + self.topic(), None, 0x9e),
                                            (self.topic(), {"subscription_id": 1}, 0xa1)):
            with self.subTest(reason=reason):
                wire = self.client()
                wire.send(mqtt.subscribe(1, [(topic_filter, 0)], props=props))
                got = wire.receive()
                if got.kind == mqtt.SUBACK:
                    self.assertEqual(got.reasons, [reason])
                else:
                    self.assertEqual((got.kind, got.reason), (mqtt.DISCONNECT, reason))

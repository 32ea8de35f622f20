"""Session state, expiry, queues and takeover: MQTT 5.0, 3.1.2.11.2, 3.1.4, 4.1, 4.4, 4.6."""

import threading
import time

import mqtt_wire as mqtt
from case import BrokerTest, both_versions, millrace_only


class SessionTest(BrokerTest):
    def subscribed(self, name, version=5, qos=1, **more):
        wire = self.durable(name, version, **more)
        self.subscribe(wire, self.topic(str(version)), qos=qos)
        return wire

    @both_versions
    def test_messages_wait_in_order(self, version):
        """[MQTT-4.5.0-1], [MQTT-4.6.0-5]"""
        name, topic, sender = self.name(), self.topic(str(version)), self.client()
        self.leave(self.subscribed(name, version, qos=2))
        for number in range(60):
            self.publish(sender, topic, b"%d" % number, 1 + number % 2)
        wire = self.durable(name, version)
        got = [self.message(wire) for _ in range(60)]
        for qos in (1, 2):
            numbers = [int(one.payload) for one in got if one.qos == qos]
            self.assertEqual(numbers, list(range(qos - 1, 60, 2)))
        self.assertFalse(any(one.dup for one in got), "[MQTT-3.3.1-1] sent for the first time")
        self.silence(wire)

    @both_versions
    def test_subscriptions_last(self, version):
        """4.1.0"""
        name, topic, sender = self.name(), self.topic(str(version)), self.client()
        self.leave(self.subscribed(name, version))
        wire = self.durable(name, version)
        self.publish(sender, topic, b"live", 1)
        self.assertEqual(self.message(wire).payload, b"live")
        self.unsubscribe(wire, topic)
        self.leave(wire)
        self.publish(sender, topic, b"lost", 1)
        self.silence(self.durable(name, version))

    def test_expiry_zero_ends_with_the_connection(self):
        """3.1.2.11.2: absent is zero"""
        for props in (None, {"session_expiry": 0}):
            name = self.name()
            self.client(name, clean=False, props=props).close()
            self.assertFalse(self.durable(name).connack.session_present)

    def test_a_session_expires(self):
        """[MQTT-3.1.2-23]: kept for the interval; gone after it"""
        name, early = self.name(), self.name()
        self.durable(name, expiry=1).close()
        self.durable(early, expiry=60).close()
        time.sleep(2.2)  # the subject of this test is time that passes
        self.assertFalse(self.durable(name).connack.session_present)
        self.assertTrue(self.durable(early).connack.session_present)

    def test_expiry_counts_from_the_disconnect(self):
        """3.1.2.11.2"""
        name = self.name()
        wire = self.durable(name, expiry=1)
        time.sleep(1.5)  # the subject of this test is time that passes
        self.leave(wire)
        self.assertTrue(self.durable(name, expiry=1).connack.session_present)

    def test_disconnect_can_change_the_expiry(self):
        """3.14.2.2.2"""
        name = self.name()
        self.leave(self.durable(name, expiry=300), 0, {"session_expiry": 0})
        self.assertFalse(self.durable(name, expiry=1).connack.session_present)
        other = self.name()
        self.leave(self.durable(other, expiry=1), 0, {"session_expiry": 100})
        time.sleep(2.2)  # the subject of this test is time that passes
        self.assertTrue(self.durable(other).connack.session_present)

    def test_v3_clean_session_leaves_nothing(self):
        """[MQTT-3.1.2-6] of 3.1.1"""
        name = self.name()
        self.leave(self.client(name, 4, clean=True))
        self.assertFalse(self.durable(name, 4).connack.session_present)

    def test_clean_start_discards_the_queue(self):
        """[MQTT-3.1.2-4]"""
        name = self.name()
        self.leave(self.subscribed(name))
        self.publish(self.client(), self.topic("5"), b"x", 1)
        wire = self.durable(name, clean=True)
        self.assertFalse(wire.connack.session_present)
        self.silence(wire)
        self.leave(wire)
        self.assertTrue(self.durable(name).connack.session_present, "the new session has an expiry")

    def test_messages_expire_in_the_queue(self):
        """[MQTT-3.3.2-5], [MQTT-3.3.2-6]: dropped when over; the rest of the interval is sent"""
        name, sender = self.name(), self.client()
        self.leave(self.subscribed(name))
        self.publish(sender, self.topic("5"), b"short", 1, props={"message_expiry": 1})
        self.publish(sender, self.topic("5"), b"long", 1, props={"message_expiry": 30})
        self.publish(sender, self.topic("5"), b"ever", 1)
        time.sleep(2.2)  # the subject of this test is time that passes
        wire = self.durable(name)
        long, ever = self.message(wire), self.message(wire)
        self.assertEqual((long.payload, ever.payload), (b"long", b"ever"))
        self.assertTrue(26 <= long.props["message_expiry"] <= 28, long.props)
        self.assertNotIn("message_expiry", ever.props)
        self.silence(wire)

    def test_an_expiry_passes_through_at_once(self):
        """3.3.2.3.3"""
        receiver, sender = self.client(), self.client()
        self.subscribe(receiver, self.topic())
        self.publish(sender, self.topic(), b"x", props={"message_expiry": 1000})
        self.assertIn(self.message(receiver).props["message_expiry"], (999, 1000))

    @millrace_only("mosquitto gets stuck")
    def test_messages_behind_a_full_window_expire_too(self):
        """[MQTT-3.3.2-5]: delivery has not started"""
        receiver, sender = self.client(props={"receive_maximum": 1}), self.client()
        self.subscribe(receiver, self.topic(), qos=1)
        self.publish(sender, self.topic(), b"first", 1)
        self.publish(sender, self.topic(), b"expires", 1, props={"message_expiry": 1})
        self.publish(sender, self.topic(), b"last", 1)
        got = self.message(receiver, acknowledge=False)
        time.sleep(2.2)  # the subject of this test is time that passes
        receiver.send(mqtt.ack(mqtt.PUBACK, got.packet_id))
        self.assertEqual(self.message(receiver).payload, b"last")

    @both_versions
    def test_a_qos_2_exchange_of_the_publisher_goes_on(self, version):
        """[MQTT-4.4.0-1]: PUBREL after a reconnect is answered by PUBCOMP 0x00"""
        name = self.name()
        first = self.durable(name, version)
        first.send(mqtt.publish(self.topic(), b"x", 2, 3, version=version))
        self.expect(first, mqtt.PUBREC)
        first.close()
        second = self.durable(name, version)
        second.send(mqtt.ack(mqtt.PUBREL, 3))
        got = self.expect(second, mqtt.PUBCOMP)
        self.assertEqual((got.packet_id, got.reason), (3, 0))

    def test_many_sessions_many_messages(self):
        """4.1: each session has its own queue, wherever its client comes back"""
        names, sender = [self.name() for _ in range(24)], self.client()
        for number, name in enumerate(names):
            wire = self.durable(name)
            self.subscribe(wire, self.topic("all"), self.topic("own/%d" % number), qos=1)
            self.leave(wire)
        for number in range(24):
            self.publish(sender, self.topic("all"), b"%d" % number, 1)
            self.publish(sender, self.topic("own/%d" % number), b"own%d" % number, 1)
        for number, name in enumerate(names):
            wire = self.durable(name)
            self.assertTrue(wire.connack.session_present)
            got = self.payloads(wire, 25)
            self.assertEqual([one for one in got if not one.startswith(b"own")],
                             [b"%d" % one for one in range(24)])
            self.assertIn(b"own%d" % number, got)
            self.silence(wire, 0.02)


class TakeoverTest(BrokerTest):
    @both_versions
    def test_the_old_connection_is_closed(self, version):
        """[MQTT-3.1.4-3]: DISCONNECT 0x8E for 5.0, a close for 3.1.1"""
        for clean in (True, False):
            with self.subTest(clean=clean):
                name = self.name()
                old = self.durable(name, version)
                new = self.durable(name, version, clean=clean)
                self.assertEqual(new.connack.session_present, not clean)
                self.expect_error(old, 0x8e)
                self.barrier(new)

    def test_between_versions(self):
        """[MQTT-3.1.4-3]"""
        name = self.name()
        first = self.durable(name, 5)
        second = self.durable(name, 4)
        self.expect_error(first, 0x8e)
        third = self.durable(name, 5)
        self.expect_closed(second)
        self.barrier(third)

    def test_clean_start_takes_over_without_the_session(self):
        """[MQTT-3.1.2-4], [MQTT-3.1.4-3], [MQTT-3.1.4-4]"""
        name, sender = self.name(), self.client()
        old = self.durable(name)
        self.subscribe(old, self.topic(), qos=1)
        new = self.durable(name, clean=True)
        self.assertFalse(new.connack.session_present)
        self.expect_error(old, 0x8e)
        self.publish(sender, self.topic(), b"x", 1)
        self.silence(new)

    @both_versions
    def test_unacknowledged_and_waiting_messages_move_along(self, version):
        """[MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-3.1.4-3]: many times over, whichever the shard"""
        name, topic, sender = self.name(), self.topic(str(version)), self.client()
        wire = self.durable(name, version, props={"receive_maximum": 4} if version == 5 else {})
        self.subscribe(wire, topic, qos=2)
        for number in range(40):
            self.publish(sender, topic, b"%d" % number, 2)
        seen = []
        for _ in range(20):
            props = {"receive_maximum": 4} if version == 5 else {}
            new = self.durable(name, version, props=props)
            self.assertTrue(new.connack.session_present)
            first = [self.message(new, acknowledge=False)
                     for _ in range(min(4, 40 - len(seen)))]
            for one in first[:2]:
                new.send(mqtt.ack(mqtt.PUBREC, one.packet_id))
                self.assertEqual(self.answer(new, mqtt.PUBREL).packet_id, one.packet_id)
                new.send(mqtt.ack(mqtt.PUBCOMP, one.packet_id))
                seen.append(int(one.payload))
            self.barrier(new)
        self.assertEqual(seen, list(range(40)), "each once, in order")
        self.silence(self.durable(name, version))

    def test_messages_published_during_takeovers_are_not_lost(self):
        """[MQTT-4.5.0-1], [MQTT-3.1.4-3]: QoS 1 at least once, in order of first arrival"""
        name, count = self.name(), 400
        wire = self.durable(name)
        self.subscribe(wire, self.topic(), qos=1)
        sender = self.client()

        def send():
            for number in range(count):
                self.publish(sender, self.topic(), b"%d" % number, 1)

        thread = threading.Thread(target=send)
        thread.start()
        seen, deadline = [], time.monotonic() + 60
        while len(set(seen)) < count and time.monotonic() < deadline:
            for _ in range(13):
                try:
                    got = wire.receive(0.2)
                except (mqtt.Timeout, mqtt.Closed):
                    break
                if got.kind == mqtt.PUBLISH:
                    seen.append(int(got.payload))
                    wire.send(mqtt.ack(mqtt.PUBACK, got.packet_id))
            if len(set(seen)) < count:
                wire = self.durable(name)
                self.assertTrue(wire.connack.session_present)
        thread.join()
        first_seen = list(dict.fromkeys(seen))
        self.assertEqual(first_seen, list(range(count)))

    def test_a_crowd_with_one_name(self):
        """[MQTT-3.1.4-3]: of connections racing with one identifier, one stays"""
        name, wires = self.name(), []
        for _ in range(40):
            wires.append(self.open())
        for wire in wires:
            wire.send(mqtt.connect(name, clean=False, props={"session_expiry": 60}))
        alive = 0
        for wire in wires:
            try:
                connack = wire.receive()
                self.assertEqual((connack.kind, connack.reason), (mqtt.CONNACK, 0), repr(connack))
            except mqtt.Closed:
                continue
        time.sleep(0.2)  # lets the last takeover reach its victim
        for wire in wires:
            try:
                wire.send(mqtt.packet(mqtt.PINGREQ))
                got = wire.receive()
                if got.kind == mqtt.PINGRESP:
                    alive += 1
                else:
                    self.assertEqual((got.kind, got.reason), (mqtt.DISCONNECT, 0x8e))
            except mqtt.Closed:
                pass
        self.assertEqual(alive, 1)

    def test_a_client_can_take_over_itself_at_once(self):
        """[MQTT-3.1.4-3]: disconnect and connect in quick succession, 100 times"""
        name = self.name()
        for number in range(100):
            wire = self.durable(name)
            self.assertEqual(wire.connack.session_present, number > 0)
            if number % 3 == 0:
                wire.send(mqtt.disconnect())
            if number % 3 != 1:
                wire.close()

    def test_subscriptions_made_on_many_connections(self):
        """4.1: they add up, wherever they were made"""
        name, sender = self.name(), self.client()
        for number in range(15):
            wire = self.durable(name)
            self.subscribe(wire, self.topic("%d" % number), qos=1)
            if number % 2:
                self.leave(wire)
        self.durable(name)
        wire = self.durable(name)
        for number in range(15):
            self.publish(sender, self.topic("%d" % number), b"%d" % number, 1)
            self.assertEqual(self.message(wire).payload, b"%d" % number)
        self.silence(wire)

    def test_the_servers_choice_of_session_limits(self):
        """[MQTT-3.2.2-...] 3.2.2.3.2: a session that need not be shortened isn't announced"""
        self.assertNotIn("session_expiry", self.durable(self.name(), expiry=50).connack.props)


class SessionExpiryLimitTest(BrokerTest):
    config = {"mqtt": {"session_expiry_max_s": 1}}

    @millrace_only("configured otherwise there")
    def test_the_announced_expiry_is_used(self):
        """3.2.2.3.2: in place of the client's; 3.1.1 sessions are bounded as well"""
        names = {4: self.name(), 5: self.name()}
        for version, name in names.items():
            wire = self.durable(name, version, expiry=1000)
            if version == 5:
                self.assertEqual(wire.connack.props.get("session_expiry"), 1)
            wire.close()
        time.sleep(2.5)  # the subject of this test is time that passes
        for version, name in names.items():
            self.assertFalse(self.durable(name, version).connack.session_present, version)

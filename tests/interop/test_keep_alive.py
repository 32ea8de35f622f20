"""Keep alive: MQTT 5.0, 3.1.2.10, 3.12, 3.13."""

import time

import mqtt_wire as mqtt
from case import BrokerTest, both_versions, millrace_only


class KeepAliveTest(BrokerTest):
    @both_versions
    def test_ping_is_answered(self, version):
        """[MQTT-3.12.4-1]"""
        wire = self.client(version=version)
        for _ in range(3):
            wire.send(mqtt.packet(mqtt.PINGREQ))
            self.expect(wire, mqtt.PINGRESP)

    @millrace_only("mosquitto looks at its clients only every few seconds")
    def test_a_silent_client_is_closed_after_one_and_a_half_keep_alives(self):
        """[MQTT-3.1.2-22]: DISCONNECT 0x8D for 5.0, a close for 3.1.1"""
        start = time.monotonic()
        new, old = self.client(version=5, keep_alive=1), self.client(version=4, keep_alive=1)
        self.expect_error(new, 0x8d)
        self.assertGreaterEqual(time.monotonic() - start, 1.4)
        self.expect_closed(old)
        self.assertLess(time.monotonic() - start, 4.0)

    def test_no_keep_alive_means_no_limit(self):
        """3.1.2.10: zero turns it off"""
        wire = self.client(keep_alive=0)
        with self.assertRaises(mqtt.Timeout):
            wire.receive(2.5)

    def test_any_packet_keeps_alive(self):
        """[MQTT-3.1.2-20]: a PINGREQ, or anything else that is sent in time"""
        pinging, publishing = self.client(keep_alive=1), self.client(keep_alive=1)
        for _ in range(5):
            time.sleep(0.6)  # the subject of this test is time that passes
            pinging.send(mqtt.packet(mqtt.PINGREQ))
            self.expect(pinging, mqtt.PINGRESP)
            publishing.send(mqtt.publish(self.topic()))
        self.barrier(publishing)

    @millrace_only("mosquitto looks at its clients only every few seconds")
    def test_what_the_server_sends_does_not_count(self):
        """[MQTT-3.1.2-22]: only packets from the client do"""
        receiver, sender = self.client(keep_alive=1), self.client()
        self.subscribe(receiver, self.topic())
        start = time.monotonic()
        while time.monotonic() - start < 4:
            self.publish(sender, self.topic())
            try:
                if receiver.receive(0.2).kind == mqtt.DISCONNECT:
                    break
            except mqtt.Timeout:
                pass
        self.assertLess(time.monotonic() - start, 3.5, "the receiver never sent anything")

    @millrace_only("mosquitto answers it")
    def test_pingreq_with_a_body_is_malformed(self):
        """3.12.2: no variable header, no payload"""
        wire = self.client()
        wire.send(mqtt.packet(mqtt.PINGREQ, b"x"))
        self.expect_error(wire, 0x81, 0x82)


class ServerKeepAliveTest(BrokerTest):
    config = {"mqtt": {"keep_alive_max_s": 1}}

    @millrace_only("mosquitto's least ceiling is larger")
    def test_the_server_keep_alive_is_what_counts(self):
        """[MQTT-3.1.2-21], [MQTT-3.2.2-21]"""
        start = time.monotonic()
        wire = self.client(keep_alive=600)
        self.assertEqual(wire.connack.props["server_keep_alive"], 1)
        self.expect_error(wire, 0x8d)
        self.assertLess(time.monotonic() - start, 4)

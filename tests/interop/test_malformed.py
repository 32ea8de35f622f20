"""Bytes that are no MQTT, or arrive oddly: MQTT 5.0, 1.5, 2.1, 4.13. The broker serves on."""

import os
import random

import mqtt_wire as mqtt
from case import BrokerTest, both_versions, settings

P = mqtt.packet
MALFORMED, PROTOCOL = 0x81, 0x82
# What, bytes behind a finished CONNECT, accepted reasons. Section numbers are of 5.0.
BOTH_VERSIONS = (
    ("reserved type 0 [MQTT-2.1.2]", b"\x00\x00", MALFORMED, PROTOCOL),
    ("length of five bytes (1.5.5)", b"\x30\xff\xff\xff\xff\x01", MALFORMED, 0x95),
    ("CONNACK from a client (2.1.2)", P(mqtt.CONNACK, b"\0\0\0"), MALFORMED, PROTOCOL),
    ("SUBACK from a client", P(mqtt.SUBACK, b"\0\1\0\0"), MALFORMED, PROTOCOL),
    ("UNSUBACK from a client", P(mqtt.UNSUBACK, b"\0\1\0\0"), MALFORMED, PROTOCOL),
    ("PINGRESP from a client", P(mqtt.PINGRESP), MALFORMED, PROTOCOL),
    ("PINGREQ flags [MQTT-2.1.3-1]", P(mqtt.PINGREQ, b"", 1), MALFORMED, PROTOCOL),
    ("PUBACK flags [MQTT-2.1.3-1]", P(mqtt.PUBACK, b"\0\1", 2), MALFORMED, PROTOCOL),
    ("PUBREC flags [MQTT-2.1.3-1]", P(mqtt.PUBREC, b"\0\1", 1), MALFORMED, PROTOCOL),
    ("PUBCOMP flags [MQTT-2.1.3-1]", P(mqtt.PUBCOMP, b"\0\1", 15), MALFORMED, PROTOCOL),
    ("DISCONNECT flags [MQTT-3.14.1-1]", P(mqtt.DISCONNECT, b"", 4), MALFORMED, PROTOCOL),
    ("empty PUBLISH", P(mqtt.PUBLISH), MALFORMED),
    ("PUBLISH with half a topic length", P(mqtt.PUBLISH, b"\0"), MALFORMED),
    ("PUBLISH with a cut topic", P(mqtt.PUBLISH, b"\0\x09abc"), MALFORMED),
    ("QoS 1 PUBLISH without packet id", P(mqtt.PUBLISH, b"\0\x01a", 2), MALFORMED),
    ("QoS 1 PUBLISH with half a packet id", P(mqtt.PUBLISH, b"\0\x01a\0", 2), MALFORMED),
    ("topic not UTF-8 [MQTT-1.5.4-1]", P(mqtt.PUBLISH, b"\0\x02\xc3\x28\0"), MALFORMED, 0x90),
    ("topic with a surrogate [MQTT-1.5.4-1]",
     P(mqtt.PUBLISH, b"\0\x03\xed\xa0\x80\0"), MALFORMED, 0x90),
    ("topic with U+0000 [MQTT-1.5.4-2]", P(mqtt.PUBLISH, b"\0\x03a\0b\0"), MALFORMED, 0x90),
    ("overlong UTF-8", P(mqtt.PUBLISH, b"\0\x02\xc0\xaf\0"), MALFORMED, 0x90),
    ("empty PUBACK", P(mqtt.PUBACK), MALFORMED),
    ("PUBACK of one byte", P(mqtt.PUBACK, b"\0"), MALFORMED),
    ("PUBREL of one byte", P(mqtt.PUBREL, b"\0", 2), MALFORMED),
    ("empty SUBSCRIBE", P(mqtt.SUBSCRIBE, b"", 2), MALFORMED, PROTOCOL),
    ("empty UNSUBSCRIBE", P(mqtt.UNSUBSCRIBE, b"", 2), MALFORMED, PROTOCOL),
    ("filter not UTF-8 [MQTT-3.8.3-1]",
     P(mqtt.SUBSCRIBE, b"\0\x01\0\0\x02\xff\xfe\0", 2), MALFORMED, PROTOCOL, 0x8f),
)
VERSION_5 = (
    ("property length past the end", P(mqtt.PUBLISH, b"\0\x01a\x05\x01"), MALFORMED),
    ("property length of five bytes", P(mqtt.PUBLISH, b"\0\x01a\xff\xff\xff\xff\x01"), MALFORMED),
    ("no property length", P(mqtt.PUBLISH, b"\0\x01a"), MALFORMED),
    ("unknown property (2.2.2.2)", P(mqtt.PUBLISH, b"\0\x01a\x02\x7e\0"), MALFORMED, PROTOCOL),
    ("cut u32 property", P(mqtt.PUBLISH, b"\0\x01a\x03\x02\0\0"), MALFORMED),
    ("cut user property", P(mqtt.PUBLISH, b"\0\x01a\x04\x26\0\x01a"), MALFORMED),
    ("bad UTF-8 in a user property",
     P(mqtt.PUBLISH, b"\0\x01a\x07\x26\0\x01\xff\0\x01b"), MALFORMED),
    ("PUBACK reason that isn't one (3.4.2.1)", P(mqtt.PUBACK, b"\0\1\x55"), MALFORMED, PROTOCOL),
    ("PUBACK property of CONNECT", P(mqtt.PUBACK, b"\0\1\0\x03\x21\0\1"), MALFORMED, PROTOCOL),
    ("PUBACK bytes behind its properties", P(mqtt.PUBACK, b"\0\1\0\0x"), MALFORMED),
    ("DISCONNECT reason that isn't one", P(mqtt.DISCONNECT, b"\x55"), MALFORMED, PROTOCOL),
    ("DISCONNECT cut properties", P(mqtt.DISCONNECT, b"\0\x05\x11\0"), MALFORMED),
    ("AUTH flags [MQTT-3.15.1-1]", P(mqtt.AUTH, b"", 1), MALFORMED, PROTOCOL),
    ("SUBSCRIBE without properties", P(mqtt.SUBSCRIBE, b"\0\1", 2), MALFORMED, PROTOCOL),
)
# Cases that mosquitto 2.0.11 lets pass.
MOSQUITTO_LENIENT = ("PUBACK bytes behind its properties", "PUBACK reason that isn't one (3.4.2.1)",
                     "PINGREQ flags [MQTT-2.1.3-1]", "PUBACK flags [MQTT-2.1.3-1]",
                     "SUBACK from a client", "UNSUBACK from a client", "PINGRESP from a client",
                     "PUBREC flags [MQTT-2.1.3-1]", "PUBCOMP flags [MQTT-2.1.3-1]")


def a_bit_of_everything(version, topic):
    """Legal packets of a client, from CONNECT to DISCONNECT."""
    return (mqtt.connect("everything", version)
            + mqtt.subscribe(1, [(topic, 2), (topic + "/#", 1)], version)
            + mqtt.publish(topic, b"zero", version=version)
            + mqtt.publish(topic, b"one" * 50, 1, 2, version=version)
            + mqtt.publish(topic, b"two", 2, 3, version=version,
                           props={"user": [("a", "b")], "content_type": "x"})
            + mqtt.ack(mqtt.PUBREL, 3)
            + mqtt.unsubscribe(4, [topic], version)
            + mqtt.packet(mqtt.PINGREQ) + mqtt.disconnect())


class MalformedTest(BrokerTest):
    config = {"mqtt": {"maximum_packet_bytes": 100_000}}

    def run_table(self, table, version):
        for what, data, *reasons in table:
            if settings.broker == "mosquitto" and what in MOSQUITTO_LENIENT:
                continue
            with self.subTest(what, version=version):
                wire = self.client(version=version)
                wire.send(data)
                self.expect_error(wire, *reasons)
        self.assert_serves()

    @both_versions
    def test_the_table_of_both_versions(self, version):
        """[MQTT-4.13.1-1], [MQTT-4.8.0-1] of 3.1.1: DISCONNECT with the reason (5.0), a close"""
        self.run_table(BOTH_VERSIONS, version)

    def test_the_table_of_version_5(self):
        """[MQTT-4.13.1-1]"""
        self.run_table(VERSION_5, 5)

    @both_versions
    def test_nothing_behind_an_error_is_done(self, version):
        """[MQTT-4.13.1-1]: the connection ends at the first error"""
        watcher = self.client()
        self.subscribe(watcher, self.topic(), qos=1)
        wire = self.client(version=version)
        wire.send(mqtt.publish(self.topic(), b"before", version=version) + b"\x00\x00"
                  + mqtt.publish(self.topic(), b"behind", version=version))
        self.expect_error(wire, 0x81, 0x82)
        self.assertEqual(self.message(watcher).payload, b"before")
        self.silence(watcher)

    @both_versions
    def test_nothing_behind_disconnect_is_done(self, version):
        """[MQTT-3.14.4-2]: a client sends nothing more; a server looks at nothing more"""
        watcher = self.client()
        self.subscribe(watcher, self.topic(), qos=1)
        wire = self.client(version=version)
        wire.send(mqtt.disconnect() + mqtt.publish(self.topic(), b"behind", version=version))
        self.expect_closed(wire)
        self.silence(watcher)

    @both_versions
    def test_cut_at_every_byte(self, version):
        """4.2: the stream may end anywhere"""
        data = a_bit_of_everything(version, self.topic())
        for count in range(len(data)):
            wire = self.connect_raw(data[:count], version)
            if count % 2:
                wire.close()
            else:
                wire.reset()
        self.assert_serves()

    @both_versions
    def test_byte_by_byte(self, version):
        """4.2: a stream has no packets"""
        wire = self.open(version)
        for byte in a_bit_of_everything(version, self.topic()):
            wire.send(bytes([byte]))
        self.check_everything(wire)

    @both_versions
    def test_all_in_one_segment(self, version):
        """4.2"""
        wire = self.connect_raw(a_bit_of_everything(version, self.topic()), version)
        self.check_everything(wire)

    def check_everything(self, wire):
        kinds, payloads = [], []
        try:
            while True:
                got = wire.receive()
                kinds.append(got.kind)
                if got.kind == mqtt.PUBLISH:
                    payloads.append(got.payload)
        except mqtt.Closed:
            pass
        answers = [kind for kind in kinds if kind != mqtt.PUBLISH]
        for kind in (mqtt.CONNACK, mqtt.SUBACK, mqtt.PUBACK, mqtt.PUBREC, mqtt.PUBCOMP,
                     mqtt.UNSUBACK, mqtt.PINGRESP):
            self.assertEqual(answers.count(kind), 1, mqtt.NAMES[kind])
        self.assertEqual(answers[0], mqtt.CONNACK, "[MQTT-3.2.0-1]")
        self.assertTrue(set(payloads) <= {b"zero", b"one" * 50, b"two"})

    @both_versions
    def test_thousands_of_packets_in_one_write(self, version):
        """4.2: and one packet over many writes"""
        wire = self.client(version=version)
        self.subscribe(wire, self.topic(), qos=0)
        wire.send(b"".join(mqtt.publish(self.topic(), b"%d" % number, version=version)
                           for number in range(3000)))
        self.assertEqual([int(one) for one in self.payloads(wire, 3000)], list(range(3000)))
        large = mqtt.publish(self.topic(), bytes(range(256)) * 300, version=version)
        for at in range(0, len(large), 977):
            wire.send(large[at:at + 977])
        self.assertEqual(self.message(wire).payload, bytes(range(256)) * 300)

    def test_random_bytes_and_mutations(self):
        """4.13: whatever comes, others are served. The seed is fixed."""
        source = random.Random(20_231)
        for number in range(400):
            version = source.choice((4, 5))
            data = bytearray(a_bit_of_everything(version, self.topic()))
            if number % 4 == 0:
                data = bytearray(source.randbytes(source.randrange(1, 300)))
            elif number % 4 == 1:
                data = bytearray(mqtt.connect("", version))
                data += source.randbytes(source.randrange(1, 300))
            else:
                for _ in range(source.randrange(1, 8)):
                    data[source.randrange(len(data))] = source.randrange(256)
            wire = self.connect_raw(bytes(data), version)
            if source.random() < 0.5:
                try:
                    wire.sock.settimeout(0.02)
                    wire.sock.recv(1 << 16)
                except OSError:
                    pass
            wire.close() if source.random() < 0.5 else wire.reset()
            if number % 100 == 99:
                self.assertIsNone(self.broker.trouble(), "after connection %d" % number)
                self.assert_serves()

    def test_other_protocols_are_closed(self):
        """[MQTT-3.1.0-1]: a browser, a TLS client, nothing but zeros"""
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                     b"\0" * 100, b"\xff" * 100, os.linesep.encode() * 50):
            self.connect_raw(data)
        self.assert_serves()

    def test_a_half_closed_connection(self):
        """4.2: the end of the client's stream ends the connection, after the answers are out"""
        import socket
        wire = self.client()
        wire.send(mqtt.packet(mqtt.PINGREQ))
        wire.sock.shutdown(socket.SHUT_WR)
        try:
            self.assertEqual(wire.receive().kind, mqtt.PINGRESP)
            self.expect_closed(wire)
        except mqtt.Closed:
            pass

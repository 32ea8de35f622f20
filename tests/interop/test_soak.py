"""Persistent sessions under kills, takeovers and reconnects, checked against a model.

Publishers and subscribers with sessions that never end publish and receive at QoS 1 and 2 while a
seeded generator cuts, resets, disconnects and takes over their connections. Then the faults stop,
everybody comes back, and what arrived is compared with what was sent:
QoS 1 at least once [MQTT-4.3.2], QoS 2 exactly once [MQTT-4.3.3], in order for each publisher,
topic and QoS [MQTT-4.6.0-5], and nothing to a client that has no subscription for it.
"""

import random
import sys
import time
import unittest

import mqtt_wire as mqtt
from broker_process import BrokerProcess, settings

PUBLISHERS, SUBSCRIBERS, TOPICS = 6, 10, 8
UNFINISHED_MAX = 20     # messages of a publisher on their way
QUEUE_MESSAGES_MAX = 100_000
SETTLE_TIMEOUT_S = 60.0


class Peer:
    """A client with a persistent session that does what the specification asks of a client."""

    def __init__(self, address, client_id, version):
        self.address, self.client_id, self.version = address, client_id, version
        self.wire, self.expected_present = None, False
        self.outgoing = {}        # packet id -> [topic, payload, qos, "publish" or "pubrel"]
        self.incoming = set()     # QoS 2 identifiers received and not released
        self.next_id = 0
        self.received = []        # (topic, payload, qos), duplicates by protocol taken out of QoS 2
        self.filters = []
        self.old_wires = []

    def connect(self):
        wire = mqtt.Wire(self.address, self.version, timeout=20.0)
        props = {"session_expiry": 0xffffffff, "receive_maximum": 15} if self.version == 5 else None
        wire.send(mqtt.connect(self.client_id, self.version, clean=False, props=props))
        got = wire.receive()
        assert got.kind == mqtt.CONNACK and got.reason == 0, got
        assert got.session_present == self.expected_present, (
            "%s: session present %s [MQTT-3.2.2-3]" % (self.client_id, got.session_present))
        self.expected_present, self.wire = True, wire
        for number, (topic, payload, qos, state) in list(self.outgoing.items()):
            if state == "publish":  # [MQTT-4.4.0-1], in the order of the first sending
                wire.send(mqtt.publish(topic, payload, qos, number, dup=True, version=self.version))
            else:
                wire.send(mqtt.ack(mqtt.PUBREL, number))

    def subscribe(self, filters):
        self.filters = filters
        self.wire.send(mqtt.subscribe(65535, filters, self.version))
        while True:
            got = self.wire.receive()
            if got.kind == mqtt.SUBACK:
                assert all(reason < 3 for reason in got.reasons), got
                return
            self.handle(got)

    def publish(self, topic, payload, qos):
        while True:
            self.next_id = self.next_id % 1000 + 1
            if self.next_id not in self.outgoing:
                break
        self.outgoing[self.next_id] = [topic, payload, qos, "publish"]
        self.wire.send(mqtt.publish(topic, payload, qos, self.next_id, version=self.version))

    def handle(self, got):
        kind, number = got.kind, got.packet_id
        if kind == mqtt.PUBLISH:
            if got.qos == 1:
                self.received.append((got.topic, got.payload, 1))
                self.wire.send(mqtt.ack(mqtt.PUBACK, number))
            elif got.qos == 2:
                if number not in self.incoming:  # 4.3.3, method A of a receiver
                    self.incoming.add(number)
                    self.received.append((got.topic, got.payload, 2))
                self.wire.send(mqtt.ack(mqtt.PUBREC, number))
            else:
                raise AssertionError("QoS 0 that nobody sent: %r" % got)
        elif kind == mqtt.PUBREL:
            self.incoming.discard(number)
            self.wire.send(mqtt.ack(mqtt.PUBCOMP, number))
        elif kind == mqtt.PUBACK:
            assert self.outgoing.pop(number)[2] == 1 and got.reason < 0x80, got
        elif kind == mqtt.PUBREC:
            assert got.reason < 0x80, got
            if number in self.outgoing:
                self.outgoing[number][3] = "pubrel"
            self.wire.send(mqtt.ack(mqtt.PUBREL, number))
        elif kind == mqtt.PUBCOMP:
            self.outgoing.pop(number, None)
        else:
            raise AssertionError("%s got %r" % (self.client_id, got))

    def work(self):
        """Handles what has arrived, without waiting. True when there was something."""
        busy = False
        while self.wire is not None:
            try:
                got = self.wire.receive(0)
            except mqtt.Timeout:
                return busy
            busy = True
            self.handle(got)
        return busy

    def drop(self, how):
        wire, self.wire = self.wire, None
        if how == "disconnect":
            wire.send(mqtt.disconnect())
            wire.close()
        elif how == "reset":
            wire.reset()
        elif how == "close":
            wire.close()
        else:  # the connection stays open: the next connect() is a takeover
            self.old_wires.append(wire)


class Soak:
    def __init__(self, address, seed):
        self.source = random.Random(seed)
        self.publishers = [Peer(address, "publisher%d" % at, 4 + at % 2) for at in range(PUBLISHERS)]
        self.subscribers = [Peer(address, "subscriber%d" % at, 4 + at % 2)
                            for at in range(SUBSCRIBERS)]
        self.sent = []                       # (publisher, topic, qos, number)
        self.counts = {"messages": 0, "drops": 0, "takeovers": 0}

    def start(self):
        for peer in self.publishers + self.subscribers:
            peer.connect()
        for at, peer in enumerate(self.subscribers):
            # Filters of one client don't overlap, or copies would be legal (3.3.4). The levels
            # below tell exact filters and wildcards of both kinds apart.
            numbers = self.source.sample(range(TOPICS), 1 + at % 4)
            forms = ("soak/%d/x", "soak/%d/+", "soak/%d/#")
            filters = [(self.source.choice(forms) % number, 2) for number in sorted(numbers)]
            peer.subscribe(filters if at % 5 else [("soak/#", 2)])

    def step(self):
        dice, source = self.source.random(), self.source
        if dice < 0.75:
            at = source.randrange(PUBLISHERS)
            peer, topic = self.publishers[at], "soak/%d/x" % source.randrange(TOPICS)
            qos = source.choice((1, 2))
            if peer.wire is not None and len(peer.outgoing) < UNFINISHED_MAX:
                number = len(self.sent)
                self.sent.append((at, topic, qos, number))
                payload = b"%d:%d:%d:" % (at, qos, number) + b"x" * source.randrange(300)
                peer.publish(topic, payload, qos)
        elif dice < 0.78:
            self.cut(source.choice(self.publishers + self.subscribers))
        for peer in self.publishers + self.subscribers:
            if peer.wire is None:
                if source.random() < 0.15:
                    peer.connect()
            elif source.random() < 0.3:
                peer.work()

    def cut(self, peer):
        if peer.wire is None:
            return
        how = self.source.choice(("disconnect", "reset", "close", "takeover"))
        peer.drop(how)
        self.counts["takeovers" if how == "takeover" else "drops"] += 1
        if how == "takeover":
            peer.connect()

    def settle(self):
        """No more faults: everybody comes back and everything arrives."""
        peers, deadline = self.publishers + self.subscribers, time.monotonic() + SETTLE_TIMEOUT_S
        for peer in peers:
            if peer.wire is None:
                peer.connect()
        quiet_since = time.monotonic()
        while (time.monotonic() - quiet_since < 1.0
               or any(peer.outgoing for peer in self.publishers)):
            assert time.monotonic() < deadline, "it did not settle: %s" % [
                (peer.client_id, len(peer.outgoing), next(iter(peer.outgoing.items())))
                for peer in self.publishers if peer.outgoing]
            if any([peer.work() for peer in peers]):
                quiet_since = time.monotonic()
            else:
                time.sleep(0.005)

    def check(self):
        """Differences between model and reality, as sentences."""
        wrong = []
        for peer in self.subscribers:
            wanted = [one for one in self.sent if self.matches(peer, one[1])]
            got = {}
            for place, (topic, payload, qos) in enumerate(peer.received):
                at, sent_qos, number = (int(part) for part in payload.split(b":")[:3])
                got.setdefault((at, topic, sent_qos, number), []).append(place)
                if qos != sent_qos:
                    wrong.append("%s: %d came with QoS %d, not %d"
                                 % (peer.client_id, number, qos, sent_qos))
            keys = {(at, topic, qos, number) for at, topic, qos, number in wanted}
            for key in sorted(keys - set(got))[:3]:
                wrong.append("%s: never got %s (%d missing)"
                             % (peer.client_id, key, len(keys - set(got))))
            for key in sorted(set(got) - keys)[:3]:
                wrong.append("%s: got %s, which isn't its own" % (peer.client_id, key))
            twice = [key for key, places in got.items() if key[2] == 2 and len(places) > 1]
            for key in twice[:3]:
                wrong.append("%s: got %s %d times (%d such)"
                             % (peer.client_id, key, len(got[key]), len(twice)))
            wrong += self.order_faults(peer, got)
        return wrong

    @staticmethod
    def order_faults(peer, got):
        last, faults = {}, []
        for (at, topic, qos, number), places in sorted(got.items(), key=lambda item: item[1][0]):
            before = last.get((at, topic, qos), -1)
            if number < before:
                faults.append("%s: %s of publisher %d: %d first came after %d"
                              % (peer.client_id, topic, at, number, before))
            last[at, topic, qos] = number
        return faults[:3]

    @staticmethod
    def matches(peer, topic):
        return any(one == "soak/#" or one[:7] == topic[:7] for one, _ in peer.filters)


class SoakTest(unittest.TestCase):
    def test_persistent_sessions_lose_nothing(self):
        seed, seconds = settings.soak_seed, settings.soak_seconds
        repeat = "repeat: run.py --shards %d --soak-seed %d --soak-seconds %g test_soak" % (
            settings.shards, seed, seconds)
        broker = BrokerProcess({"queues": {"session_messages_max": QUEUE_MESSAGES_MAX,
                                           "session_bytes_max": 1 << 30}})
        try:
            soak = Soak(broker.address, seed)
            soak.start()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                for _ in range(50):
                    soak.step()
            soak.settle()
            wrong = soak.check()
        except Exception as error:
            problem = broker.trouble() or "the broker runs; it said:\n" + broker.text()[-2000:]
            broker.kill()
            raise AssertionError("%s\n%r\n%s" % (repeat, error, problem)) from error
        received = sum(len(peer.received) for peer in soak.subscribers)
        print("soak: seed %d, %d published, %d received, %d connections cut, %d taken over; %s"
              % (seed, len(soak.sent), received, soak.counts["drops"], soak.counts["takeovers"],
                 repeat), file=sys.stderr)
        problem = broker.stop()
        self.assertFalse(wrong, repeat + "\n" + "\n".join(wrong))
        self.assertIsNone(problem)
        self.assertGreater(len(soak.sent), 100)

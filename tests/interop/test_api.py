"""The API of the process: what it lists is what clients did, and nobody waits for another's request."""

import json
import threading
import time
import urllib.parse

import mqtt_wire as mqtt
from admin_case import AdminTest, WAIT_S, skip_without_listener
from test_service import StoppedThread


def setUpModule():
    skip_without_listener()


class ApiTest(AdminTest):
    def get(self, path, **query):
        return self.ask_json("/api/v1/" + path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def post(self, path, **body):
        status, _, answer = self.ask("/api/v1/" + path, "POST", json.dumps(body),
                                     **{"Content-Type": "application/json"})
        return status, json.loads(answer)

    def pages(self, path, member, **query):
        """The rows of every page."""
        rows, cursor = [], {}
        while True:
            status, page = self.get(path, **query, **cursor)
            self.assertEqual(status, 200, page)
            self.assertLessEqual(len(page[member]), int(query.get("limit", 100)))
            rows += page[member]
            if page["next"] is None:
                return rows
            cursor = {"cursor": page["next"]}


class ListsTest(ApiTest):
    def test_clients_of_all_shards_are_listed_once_while_others_come_and_go(self):
        for number in range(40):
            self.client("stay-%02d" % number)
        ended = threading.Event()

        def churn():
            number = 0
            while not ended.is_set():
                wire = self.connect_raw(mqtt.connect("churn-%d" % number, 5))
                self.expect(wire, mqtt.CONNACK)
                wire.close()
                number += 1

        churner = threading.Thread(target=churn)
        churner.start()
        try:
            for limit in (1, 7, 1000):
                rows = [row for row in self.pages("clients", "clients", limit=limit)
                        if row["client_id"].startswith("stay-")]
                self.assertEqual(sorted(row["client_id"] for row in rows),
                                 ["stay-%02d" % number for number in range(40)])
        finally:
            ended.set()
            churner.join()
        self.assertEqual(len({row["shard"] for row in rows}), self.broker.shards)
        only = self.pages("clients", "clients", prefix="stay-1", connected="true")
        self.assertEqual(len(only), 10)

    def test_a_client_is_shown_and_sent_away(self):
        wire = self.client("a/b c", keep_alive=33)
        wire.send(mqtt.subscribe(1, [("news/#", 1)]))
        self.expect(wire, mqtt.SUBACK)
        path = "clients/" + urllib.parse.quote("a/b c", safe="")
        status, row = self.get(path)
        self.assertEqual((status, row["client_id"], row["keep_alive_s"], row["subscriptions"]),
                         (200, "a/b c", 33, 1))
        self.assertEqual(self.get(path + "/subscriptions")[1]["subscriptions"][0]["filter"], "news/#")
        status, answer = self.ask_json("/api/v1/" + path, method="DELETE")
        self.assertEqual((status, answer["was_connected"]), (200, True))
        packet = self.expect(wire, mqtt.DISCONNECT)
        self.assertEqual(packet.reason, 0x98)
        self.assertEqual(self.get(path)[0], 404)

    def test_what_is_published_and_broadcast_arrives(self):
        wires = [self.client() for _ in range(6)]
        topic = self.topic()
        wires[0].send(mqtt.subscribe(1, [(topic, 0)]))
        self.expect(wires[0], mqtt.SUBACK)
        self.assertEqual(self.get("topics/lookup", topic=topic)[1]["subscribers"], 1)
        self.assertEqual(self.post("publish", topic=topic, payload="one")[0], 202)
        self.assertEqual(self.expect(wires[0], mqtt.PUBLISH).payload, b"one")
        status, answer = self.post("broadcast", topic="alert", payload_base64="dHdv")
        self.assertEqual((status, answer), (200, {"clients": 6}))
        for wire in wires:
            self.assertEqual(self.expect(wire, mqtt.PUBLISH).payload, b"two")

    def test_a_shard_that_hangs_keeps_nobody_else_from_being_answered(self):
        stopped = StoppedThread(self.broker.process.pid, "millrace-%d" % (self.broker.shards - 1))
        try:
            answers = []
            waiting = threading.Thread(target=lambda: answers.append(self.get("clients/nobody")))
            waiting.start()
            start = time.monotonic()
            asked = 0
            while waiting.is_alive():
                self.assertLess(time.monotonic() - start, WAIT_S)
                self.assertEqual(self.ask("/metrics")[0], 200)
                self.assertEqual(self.get("shards")[0], 200)
                asked += 1
            self.assertGreater(asked, 2)
            status, told = answers[0]
            self.assertEqual(status, 503)
            self.assertEqual(told["error"]["where"], "shard %d" % (self.broker.shards - 1))
        finally:
            stopped.go_on()
        self.assertEqual(self.get("clients/nobody")[0], 404)



class TracesTest(ApiTest):
    def events(self, trace, wanted):
        """All of a trace once `wanted(events)` holds."""
        deadline = time.monotonic() + WAIT_S
        events, after = [], 0
        while True:
            status, page = self.get("traces/%s/events" % trace, after=after)
            self.assertEqual(status, 200, page)
            self.assertEqual(page["lost"], 0)
            events += page["events"]
            after = page["next"]
            if wanted(events):
                return events
            self.assertLess(time.monotonic(), deadline, events)
            time.sleep(0.02)

    def start(self, **wish):
        status, trace = self.post("traces", **wish)
        self.assertEqual(status, 201, trace)
        self.addCleanup(self.ask, "/api/v1/traces/" + trace["id"], "DELETE")
        return trace["id"]

    def test_a_client_is_followed_wherever_its_session_goes_and_nobody_else_is(self):
        client_id, topic = self.name(), self.topic()
        source = self.client()
        trace = self.start(client_id=client_id)
        connects = 0
        shards = set()
        # Which shard a connection comes to is the kernel's choice.
        while connects < 2 or (len(shards) < min(2, self.broker.shards) and connects < 60):
            wire = self.durable(client_id)
            connects += 1
            wire.send(mqtt.subscribe(1, [(topic, 0)]))
            self.expect(wire, mqtt.SUBACK)
            source.send(mqtt.publish(topic, b"for it", qos=1, packet_id=connects))
            self.expect(source, mqtt.PUBACK)
            self.expect(wire, mqtt.PUBLISH)
            wire.send(mqtt.disconnect())
            wire.close()
            events = self.events(trace, lambda events: len(
                [one for one in events if one["kind"] == "closed"]) == connects)
            shards = {one["shard"] for one in events}
        self.assertEqual(len(shards), min(2, self.broker.shards))
        self.assertEqual({one["client_id"] for one in events}, {client_id})
        self.assertEqual([one["number"] for one in events], list(range(1, len(events) + 1)))
        times = [one["time"] for one in events]
        self.assertEqual(times, sorted(times))
        self.assertLess(abs(times[-1] - time.time()), WAIT_S)
        for kind in ("CONNECT", "accepted", "CONNACK", "SUBSCRIBE", "SUBACK", "DISCONNECT"):
            self.assertEqual(len([one for one in events if one["kind"] == kind]), connects, kind)
        got = [one for one in events if one["kind"] == "PUBLISH"]
        self.assertGreaterEqual(len(got), connects)
        for one in got:
            self.assertEqual((one["direction"], one["topic"]), ("out", topic))

    def test_a_topic_is_followed_from_its_publisher_to_all_shards(self):
        topic = self.topic()
        receivers = [self.client() for _ in range(8)]
        for wire in receivers:
            wire.send(mqtt.subscribe(1, [(topic + "/#", 0)]))
            self.expect(wire, mqtt.SUBACK)
        source = self.client()
        trace = self.start(topic=topic + "/+", payload_bytes_max=0)
        source.send(mqtt.publish(topic + "/a", b"x"))
        source.send(mqtt.publish("elsewhere", b"x"))
        for wire in receivers:
            self.expect(wire, mqtt.PUBLISH)

        def delivered(events):
            return sum(one.get("receivers", 0) for one in events if one["direction"] == "out")

        events = self.events(trace, lambda events: delivered(events) >= len(receivers))
        self.assertEqual(delivered(events), len(receivers))
        came = [one for one in events if one["direction"] == "in"]
        self.assertEqual([(one["client_id"], one["topic"]) for one in came],
                         [(source.client_id, topic + "/a")])
        self.assertNotIn("data_base64", came[0])

    def test_hot_topics_and_slow_receivers_are_listed(self):
        topic = self.topic()
        source = self.client()
        for _ in range(64):
            source.send(mqtt.publish(topic, b"x") * 100)
        source.send(mqtt.packet(mqtt.PINGREQ))
        self.expect(source, mqtt.PINGRESP)
        status, hot = self.get("topics/hot", limit=1000)
        self.assertEqual((status, hot["sampled"]), (200, "1 of 64"))
        found = [row for row in hot["topics"] if row["topic"] == topic]
        self.assertEqual(len(found), 1)
        self.assertGreater(found[0]["messages"], 3000)   # of 6,400
        self.assertLess(abs(time.time() - hot["since"]), 3600)
        self.assertEqual(self.get("receivers/slow")[0], 200)

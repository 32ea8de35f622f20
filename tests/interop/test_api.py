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


"""A real server does what its API's document says, for requests of every kind."""

import itertools
import os
import re
import unittest

import ahead
import document as documents
import fuzz
import mqtt_wire as mqtt
from broker_process import settings
from http_requests import Broken, Request
from world import CLIENT_IDS, FILTERS, ApiTest

TOKEN = "a-token-of-more-than-16-bytes"


def setUpModule():
    if not settings.executable:
        raise unittest.SkipTest("no --millrace")


class ServedTest(ApiTest):
    def test_the_document_is_the_one_that_is_served(self):
        answer = self.client.get("/api/v1/openapi.json")
        with open(documents.PATH, "rb") as text:
            self.assertEqual(answer.body, text.read())

    def test_what_the_document_is_ahead_of_is_not_there(self):
        for one in documents.load().operations:
            if one.id in ahead.OPERATIONS:
                path = re.sub(r"\{[^}]*\}", "1", one.path)
                body = None if one.body_schema() is None else b"{}"
                answer = self.client.ask(Request(one.method, path, body=body))
                self.assertIn(answer.status, (404, 405), "%s: take it out of ahead.py" % one)
        shards = self.client.get("/api/v1/shards").json()["shards"]
        for place, name in ahead.MEMBERS:
            for part in place.split("."):
                values = shards if part == "Shard" else [one[part] for one in values]
            self.assertNotIn(name, values[0], "take it out of ahead.py")

    def test_what_is_allowed_is_answered_as_told(self):
        for one in self.fuzz.operations():
            with self.subTest(operation=one):
                self.expect_no_faults(self.fuzz.faults_of_right(one))
                if one.id == "startTrace":
                    self.forget_traces()
        if not fuzz.options.operation:
            silent = [one.id for one in self.fuzz.operations()
                      if not any(status < 300 for name, status in self.fuzz.answered
                                 if name == one.id)]
            if self.client.get("/").status == 503:
                silent = [name for name in silent if "Dashboard" not in name]  # built without it
            self.assertEqual(silent, [], "never answered with what was asked for")


class RefusedTest(ApiTest):
    admin = {"timeout_ms": 1500}  # some wait for it

    def test_what_is_forbidden_is_refused_by_its_name(self):
        for one in self.fuzz.operations():
            with self.subTest(operation=one):
                self.expect_no_faults(self.fuzz.faults_of_wrong(one))

    def test_each_path_has_the_methods_that_are_told(self):
        for path in self.document.paths():
            with self.subTest(path=path):
                self.expect_no_faults(self.fuzz.faults_of_methods(path))

    def test_there_is_nothing_beside_what_is_told(self):
        self.expect_no_faults(self.fuzz.faults_of_unknown_paths())

    def test_bytes_that_are_no_request_are_survived(self):
        host = self.client.address.encode()
        get, post = b"GET /api/v1/clients", b"POST /api/v1/publish HTTP/1.1\r\nHost: " + host
        ends = [b"?limit", b"?limit=%zz", b"?limit=1%", b"?limit=%", b"?&&&=", b"?" + b"&" * 3000,
                b"?a" * 2000, b"?prefix=\xff\xfe", b"/\xc0\x80", b"/%c0%80", b"?limit=1#limit=2",
                b"?limit=5;limit=6", b"?%6c%69mit=x", b"/a%2fb%00", b"?prefix=" + b"%41" * 6000]
        wild = [get + end + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n" for end in ends]
        typed = post + b"\r\nContent-Type: application/json\r\n"
        wild += [
            typed + b"Content-Length: -1\r\n\r\n{}", typed + b"Content-Length: 1e3\r\n\r\n{}",
            typed + b"Content-Length: 99999999999999999999\r\n\r\n{}",
            typed + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            typed + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}",
            typed + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            typed + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            typed + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
            typed + b"\r\n{}", post + b"\r\nContent-Type: application/json; charset=utf-8\r\n"
            b"Content-Length: 2\r\n\r\n{}",
            post + b"\r\nHost: other\r\nContent-Length: 2\r\n\r\n{}",
            b"POST /api/v1/publish HTTP/1.1\r\n\r\n", b"POST /api/v1/publish HTTP/1.0\r\n\r\n",
            b"GET http://evil.example/api/v1/server HTTP/1.1\r\nHost: " + host + b"\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: " + host + b"\r\n\r\n",
            b"CONNECT a:1 HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"]
        for data in wild:
            try:
                # What is cut is waited for until the listener's own time is over.
                answer = self.client.send(data, data.partition(b" ")[0].decode())
            except Broken:
                continue
            self.assertTrue(400 <= answer.status < 500 or answer.status == 501,
                            (data[:200], answer.status)) if b"chunked\r\n\r\n2\r\n{}" not in data \
                else self.assertLess(answer.status, 500, data[:200])
        self.assertEqual(self.client.get("/api/v1/server").status, 200)


class WalkTest(ApiTest):
    """What is there during a whole walk is on exactly one page."""

    def walk(self, path, rows, between_pages=lambda: None, **query):
        seen, cursor = [], None
        for _ in range(10_000):
            answer = self.client.ask(Request("GET", path, [*query.items()] + (
                [("cursor", cursor)] if cursor else [])))
            self.assertEqual(answer.status, 200, answer.body[:300])
            page = answer.json()
            self.assertLessEqual(len(page[rows]), int(query.get("limit", 100)))
            seen += page[rows]
            cursor = page["next"]
            if cursor is None:
                return seen
            between_pages()
        self.fail("a walk without an end")

    def test_every_client_is_met_once_whatever_the_page_s_length(self):
        for limit in ("1", "2", "7", "1000"):
            names = [one["client_id"] for one in self.walk("/api/v1/clients", "clients", limit=limit)]
            self.assertEqual(sorted(names), sorted(CLIENT_IDS + ["bystander"]), limit)
        names = [one["client_id"] for one in
                 self.walk("/api/v1/clients", "clients", prefix="many-00", limit="3")]
        self.assertEqual(sorted(names), ["many-00%d" % index for index in range(10)])
        self.assertEqual(self.walk("/api/v1/clients", "clients", connected="false"), [])

    def test_every_subscription_is_met_once(self):
        for limit in ("1", "5", "1000"):
            rows = [(one["client_id"], one["filter"]) for one in
                    self.walk("/api/v1/subscriptions", "subscriptions", limit=limit)]
            self.assertEqual(len(rows), len(set(rows)))
            self.assertEqual(len(rows), 2 * len(CLIENT_IDS) + 1)
        for name in CLIENT_IDS:
            path = self.by_id["listClientSubscriptions"].path.replace(
                "{client_id}", fuzz.asked.percent(name))
            self.assertEqual(len(self.walk(path, "subscriptions", limit="1")), 2, name)

    def test_every_filter_is_met_once_a_shard(self):
        rows = self.walk("/api/v1/topics", "topics", limit="2")
        keys = [(one["filter"], one["shard"]) for one in rows]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual({one["filter"] for one in rows} - {"bystander/own"}, set(FILTERS))
        for kind in ("exact", "wildcard", "shared"):
            some = self.walk("/api/v1/topics", "topics", kind=kind)
            self.assertEqual({one["kind"] for one in some}, {kind})

    def test_who_stays_is_met_once_while_others_come_and_go(self):
        """Tables grow and shrink on the way."""
        crowd, numbers = [], itertools.count()

        def churn():
            crowd.extend(self.connect("coming-%d" % next(numbers), 1) for _ in range(60))
            for wire in [crowd.pop(0) for _ in range(len(crowd) // 3)]:
                wire.send(mqtt.disconnect(0, 5, {"session_expiry": 0}))
                wire.close()
        for path, rows in (("/api/v1/clients", "clients"), ("/api/v1/subscriptions", "subscriptions"),
                           ("/api/v1/topics", "topics")):
            pages = itertools.count()
            found = self.walk(path, rows, lambda: churn() if next(pages) < 12 else None, limit="5")
            if rows == "topics":
                keys = [(one["filter"], one["shard"]) for one in found]
                self.assertLessEqual(set(FILTERS), {one["filter"] for one in found})
            else:
                keys = [(one["client_id"], one.get("filter")) for one in found]
                stable = [one["client_id"] for one in found if one["client_id"] in CLIENT_IDS]
                self.assertEqual(len(stable), len(CLIENT_IDS) * (2 if rows != "clients" else 1))
            self.assertEqual(len(keys), len(set(keys)), rows)
        for wire in crowd:
            wire.send(mqtt.disconnect(0, 5, {"session_expiry": 0}))
            wire.close()

    def test_names_as_long_as_they_may_be_stop_no_walk(self):
        """A request's head has 16 KiB, and a cursor goes into it."""
        name, topic = "n" * 65_000, "/".join(["\u4e2d" * 9_000] * 2)
        wire = mqtt.Wire(self.broker.address, 5)
        self.addCleanup(wire.close)
        wire.send(mqtt.connect(name, 5))
        self.assertEqual(wire.receive().reason, 0)
        wire.send(mqtt.subscribe(1, [(topic, 0), (topic + "/+", 0), (topic + "/#", 0)], 5))
        self.assertEqual(wire.receive().reasons, [0, 0, 0])
        for limit in ("1", "3"):
            rows = self.walk("/api/v1/clients", "clients", limit=limit)
            self.assertIn(name, [one["client_id"] for one in rows])
            rows = self.walk("/api/v1/subscriptions", "subscriptions", limit=limit)
            self.assertEqual(len([one for one in rows if one["client_id"] == name]), 3)
            rows = self.walk("/api/v1/topics", "topics", limit=limit)
            self.assertEqual(len([one for one in rows if one["filter"].startswith(topic)]), 3)

    def test_every_client_is_found_by_its_name(self):
        for name in CLIENT_IDS:
            answer = self.client.get("/api/v1/clients/" + fuzz.asked.percent(name))
            self.assertEqual((answer.status, answer.json().get("client_id")), (200, name))

    def test_a_cursor_that_was_made_up_is_refused_or_ends_somewhere(self):
        right = self.client.get("/api/v1/clients", limit="1").json()["next"]
        for cursor in ("x", right + "x", right[:-1], right[::-1], "A" * 4096, "A" * 4097,
                       "../../x", "\0", b"\xff"):
            answer = self.client.get("/api/v1/clients", cursor=cursor)
            self.assertIn(answer.status, (200, 400), cursor)
            if answer.status == 400:
                self.assertEqual(answer.json()["error"]["where"], "query cursor")


class TokenTest(ApiTest):
    headers = [("Authorization", "Bearer " + TOKEN)]

    @classmethod
    def setUpClass(cls):
        path = os.path.join("/tmp", "api-fuzz-token-%d" % os.getpid())
        with open(path, "w") as out:
            out.write(TOKEN + "\n")
        cls.addClassCleanup(os.unlink, path)
        cls.admin = {"token_file": path}
        super().setUpClass()

    def test_every_operation_wants_it_but_those_that_say_otherwise(self):
        for one in self.document.operations:
            path = re.sub(r"\{[^}]*\}", "1", one.path)
            body = None if one.body_schema() is None else b"{}"
            for words in ("", "Bearer " + TOKEN[:-1], "Bearer", "Basic " + TOKEN,
                          "Bearer " + TOKEN + "x", "bearer\t" + TOKEN):
                request = Request(one.method, path, body=body,
                                  headers=[("Authorization", words)] if words else
                                  [("X-Nothing", "1")])
                answer = self.client.send(request.wire(self.client.address), one.method)
                if one.entry.get("security") == []:
                    self.assertIn(answer.status, (200, 404, 503), one)
                else:
                    self.assertEqual(answer.status, 401, (one, words))
                    self.assertEqual(answer.headers.get("www-authenticate"), "Bearer")
                    self.assertEqual(self.fuzz.judge.faults(one, answer), [])
        self.assertEqual(self.client.get("/api/v1/server").status, 200)

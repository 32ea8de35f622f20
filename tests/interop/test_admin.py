"""The HTTP listener of the process: metrics that agree with what clients did, health, and hostile peers."""

import json
import os
import re
import socket
import time
import unittest

import mqtt_wire as mqtt
import prometheus_conventions
from admin_case import (AdminTest, CONNECTIONS_MAX, WAIT_S, serve_with, serve_with_port_in_use,
                        skip_without_listener)
from test_service import StoppedThread

try:
    import prometheus_client.openmetrics.parser
    import prometheus_client.parser
except ImportError:
    prometheus_client = None

TIMEOUT_MS = 1500        # of a connection
TOKEN = "a-token-of-more-than-16-bytes"


def setUpModule():
    skip_without_listener()


class MetricsTest(AdminTest):
    def page(self):
        status, headers, body = self.ask("/metrics")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        return body

    def figures(self):
        """{(name, labels without shard): the sum over the shards}"""
        sums = {}
        for line in self.page().splitlines():
            if not line.startswith("#"):
                series, value = line.rsplit(" ", 1)
                name, _, labels = series.partition("{")
                rest = tuple(one for one in labels.rstrip("}").split(",")
                             if one and not one.startswith("shard="))
                sums[name, rest] = sums.get((name, rest), 0) + float(value)
        return sums

    def growth(self, before, name, *labels):
        return self.figures()[name, labels] - before[name, labels]

    def await_growth(self, before, wanted, name, *labels):
        deadline = time.monotonic() + WAIT_S
        while self.growth(before, name, *labels) < wanted:
            self.assertLess(time.monotonic(), deadline, name)
            time.sleep(0.01)
        self.assertEqual(self.growth(before, name, *labels), wanted, name)

    def test_they_agree_with_what_clients_did(self):
        before = self.figures()
        clients = [self.client() for _ in range(6)]
        for wire in clients[1:]:
            wire.send(mqtt.subscribe(1, [(self.topic(), 0)]))
            self.expect(wire, mqtt.SUBACK)
        for _ in range(3):
            clients[0].send(mqtt.publish(self.topic(), b"x" * 100, qos=1, packet_id=1))
            self.expect(clients[0], mqtt.PUBACK)
        for wire in clients[1:]:
            for _ in range(3):
                self.expect(wire, mqtt.PUBLISH)
        self.await_growth(before, 3, "millrace_publishes_received_total")
        self.await_growth(before, 15, "millrace_publishes_sent_total")
        self.await_growth(before, 6, "millrace_connections")
        self.await_growth(before, 5, "millrace_subscriptions")
        self.await_growth(before, 6, "millrace_connects_total", 'result="accepted"')
        self.assertGreater(self.growth(before, "millrace_received_bytes_total"), 300)
        self.assertGreater(self.growth(before, "millrace_sent_bytes_total"), 1500)
        self.assertGreater(self.figures()["millrace_memory_bytes", ('class="sessions"',)], 0)
        self.assertGreater(self.figures()["millrace_shard_cpu_seconds_total", ()], 0)
        self.expect_closed(self.connect_raw(b"\x30\x00"))
        self.await_growth(before, 1, "millrace_connections_ended_total",
                          'reason="protocol_error"')
        for wire in clients:
            self.leave(wire)
        self.await_growth(before, 0, "millrace_connections")

    @unittest.skipUnless(prometheus_client, "python3-prometheus-client isn't installed")
    def test_prometheus_own_parsers_read_them(self):
        families = list(prometheus_client.parser.text_string_to_metric_families(self.page()))
        status, headers, body = self.ask("/metrics", Accept="application/openmetrics-text")
        self.assertEqual(status, 200)
        self.assertIn("openmetrics-text; version=1.0.0", headers["Content-Type"])
        others = list(prometheus_client.openmetrics.parser.text_string_to_metric_families(body))
        self.assertGreater(len(families), 35)
        # It takes endings off in one format, and not in the other.
        self.assertEqual({one.name.removesuffix("_info") for one in families},
                         {one.name for one in others})
        for one in families + others:
            self.assertTrue(one.documentation, one.name)
            self.assertNotEqual(one.type, "unknown", one.name)
            self.assertTrue(one.samples, one.name)
        self.assertEqual(prometheus_conventions.faults(others), [])
        # The older format has no histograms of its own kind, but their lines are the same.
        self.assertEqual(prometheus_conventions.faults(
            one for one in families if not one.name.endswith("_info")), [])
        self.assertEqual(prometheus_conventions.fallen_counters(families, list(
            prometheus_client.parser.text_string_to_metric_families(self.page()))), [])
        shards = {sample.labels["shard"] for one in families for sample in one.samples
                  if "shard" in sample.labels}
        self.assertEqual(shards, {str(index) for index in range(self.broker.shards)})

    def test_the_process_figures_are_the_kernel_s(self):
        figures = self.figures()
        resident = self.broker.resident_bytes()
        self.assertAlmostEqual(figures["process_resident_memory_bytes", ()], resident,
                               delta=resident / 2)
        # Its own connection was one of them, which may have ended since.
        self.assertAlmostEqual(figures["process_open_fds", ()],
                               len(os.listdir("/proc/%d/fd" % self.broker.process.pid)), delta=2)
        self.assertLess(abs(time.time() - figures["process_start_time_seconds", ()]), 600)

    def test_what_is_not_there_is_told_as_json(self):
        self.assertEqual(self.ask_json("/nothing")[0], 404)
        self.assertEqual(self.ask_json("/metrics/x")[0], 404)
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            status, headers, body = self.ask("/metrics", method)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
            self.assertIn("error", json.loads(body))
        self.assertEqual(self.ask_json("/metrics", body="x")[0], 413)
        status, headers, body = self.ask("/metrics", "HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)
        self.assertEqual(self.ask("/metrics?a=b")[0], 200)


@unittest.skipUnless(prometheus_client, "python3-prometheus-client isn't installed")
class ConventionsTest(unittest.TestCase):
    """The check itself: each of these breaks one."""
    HEAD = "# HELP a_seconds Time of a thing.\n# TYPE a_seconds histogram\n"
    GOOD = ('a_seconds_bucket{le="0.1"} 1\na_seconds_bucket{le="+Inf"} 3\n'
            "a_seconds_sum 4.5\na_seconds_count 3\n")
    GAUGE = "# HELP %(name)s What is there.\n# TYPE %(name)s gauge\n"

    @staticmethod
    def faults(page):
        return "\n".join(prometheus_conventions.faults(
            prometheus_client.parser.text_string_to_metric_families(page)))

    def test_a_histogram_is_cumulative_and_whole(self):
        self.assertEqual(self.faults(self.HEAD + self.GOOD), "")
        for old, new, told in (('"0.1"} 1', '"0.1"} 4', "aren't cumulative"),
                               ("_count 3", "_count 2", "a count of 2"),
                               ('"+Inf"', '"9"', "isn't +Inf"),
                               ("a_seconds_sum 4.5\n", "", "no _sum"),
                               ('{le="0.1"}', "", "without le"),
                               ("_sum 4.5", "_sum -1", "below zero")):
            self.assertIn(told, self.faults(self.HEAD + self.GOOD.replace(old, new)), new)

    def test_names_and_labels_say_what_they_are(self):
        for name, line, told in (
                ("a_ms", "a_ms 1\n", "base unit"), ("a_bytes_max", "a_bytes_max 1\n", "last word"),
                ("a_count", "a_count 1\n", "an ending"), ("A", "A 1\n", "small letters"),
                ("a_b", 'a_b{X="1"} 1\n', "the label 'X'"), ("a_b", "a_b NaN\n", "no number"),
                ("a_b", 'a_b{c=""} 1\n', "is empty"), ("a_b", "a_b 1\na_b 1\n", "twice"),
                ("a_b", 'a_b{c="1"} 1\na_b{d="1"} 1\n', "different labels"),
                ("a_b", "a_b 1 1234\n", "a time")):
            self.assertIn(told, self.faults(self.GAUGE % {"name": name} + line), line)
        self.assertEqual(self.faults(self.GAUGE % {"name": "a_b"} + "a_b 1\n"), "")


class HealthTest(AdminTest):
    def test_a_shard_that_hangs_is_named_until_it_turns_again(self):
        self.assertEqual(self.ask_json("/healthz"), (200, {
            "status": "ok", "shards": self.broker.shards, "silent_shards": []}))
        self.assertEqual(self.ask_json("/readyz"), (200, {"state": "serving"}))
        last = self.broker.shards - 1
        stopped = StoppedThread(self.broker.process.pid, "millrace-%d" % last)
        time.sleep(0.15)  # the last good answer holds so long
        for _ in range(3):
            status, told = self.ask_json("/healthz")
            self.assertEqual((status, told["silent_shards"]), (503, [last]))
        self.assertEqual(self.ask("/metrics")[0], 200)
        stopped.go_on()
        deadline = time.monotonic() + WAIT_S
        while self.ask("/healthz")[0] != 200:
            self.assertLess(time.monotonic(), deadline)


class DrainTest(AdminTest):
    drain_rate = 1

    @classmethod
    def tearDownClass(cls):
        cls.broker.kill()
        cls.folder.cleanup()

    def tearDown(self):
        for wire in self.wires:
            wire.close()

    def test_a_draining_server_is_healthy_and_not_ready(self):
        for _ in range(8):
            self.client()
        self.broker.terminate()
        deadline = time.monotonic() + WAIT_S
        while self.ask_json("/readyz") != (503, {"state": "draining"}):
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(self.ask("/healthz")[0], 200)
        self.assertIn("\nmillrace_ready 0\n", self.ask("/metrics")[2])
        for wire in self.wires:
            wire.close()
        self.assertIsNone(self.broker.wait())
        with self.assertRaises(OSError):
            self.ask("/readyz")


class TokenTest(AdminTest):
    token = TOKEN

    def test_only_who_has_it_is_answered(self):
        for path in ("/metrics", "/healthz", "/readyz", "/nothing", "/api/v1/server"):
            status, headers, body = self.ask(path)
            self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"))
            self.assertNotIn("millrace_", body)
            self.assertEqual(self.ask(path, Authorization="Bearer " + TOKEN[:-1])[0], 401)
            self.assertEqual(self.ask(path, Authorization="Basic " + TOKEN)[0], 401)
        for path in ("/metrics", "/healthz", "/readyz"):
            self.assertEqual(self.ask(path, Authorization="Bearer " + TOKEN)[0], 200)

    def test_the_dashboard_s_files_need_none(self):
        status, headers, page = self.ask("/")
        if status == 503:
            self.assertIn("this build has no dashboard", page)
            return
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        for path in ["/"] + ["/" + one for one in re.findall(r'="(assets/[^"]+)"', page)]:
            status, headers, body = self.ask(path)
            self.assertEqual((status, int(headers["Content-Length"])), (200, len(body.encode())))
            status, headers, body = self.ask(path, **{"If-None-Match": headers["ETag"]})
            self.assertEqual((status, body), (304, ""))


class HostileTest(AdminTest):
    timeout_ms = TIMEOUT_MS

    def test_garbage_is_refused_and_survived(self):
        long = b"x" * 60_000
        wild = [b"\x00" * 300, bytes(range(256)) * 20, b"\r\n" * 2000, mqtt.connect("c", 5),
                b"GET " + long + b" HTTP/1.1\r\n\r\n",
                b"GET /metrics HTTP/1.1\r\nHost: a\r\nA: " + long + b"\r\n\r\n",
                b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 9000 + b"\r\n",
                b"GET /%00%ff%zz?%%& HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                b"GET /metrics HTTP/9.9\r\n\r\n", b"GET\r\n\r\n", b" / HTTP/1.1\r\n\r\n",
                b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
                b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: \xff\x80\r\n\r\n"]
        for data in wild:
            wire = self.raw()
            try:
                wire.sendall(data)
            except (ConnectionResetError, BrokenPipeError):
                continue
            # An answer or none, and an end in any case.
            answer = self.rest(wire)
            self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1."), answer[:100])
        self.assertEqual(self.ask("/metrics")[0], 200)

    def test_who_asks_twice_on_a_connection_is_answered_once(self):
        wire = self.raw(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
        self.assertEqual(self.rest(wire).count(b"HTTP/1.1 200 OK"), 1)

    def test_slow_and_silent_peers_are_bounded_in_number_and_time(self):
        """More of them than connections_max, each with a byte now and then: a request in between
        waits for their end, and is served."""
        peers = [self.raw(b"GET /metr") for _ in range(CONNECTIONS_MAX * 2)]
        answered = self.raw(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        start, ended = time.monotonic(), set()
        while len(ended) < len(peers):
            self.assertLess(time.monotonic() - start, WAIT_S)
            for wire in set(peers) - ended:
                wire.settimeout(0.02)
                try:
                    wire.send(b"x")
                    if wire.recv(4096) == b"":
                        ended.add(wire)
                except TimeoutError:
                    pass
                except OSError:
                    ended.add(wire)
        self.assertIn(b"200 OK", self.rest(answered))

    def test_who_does_not_read_the_answer_is_let_go(self):
        wire = socket.socket()
        self.addCleanup(wire.close)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        wire.connect(("127.0.0.1", self.admin_port))
        wire.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        others = [self.raw() for _ in range(CONNECTIONS_MAX)]
        self.assertEqual(self.ask("/readyz")[0], 200)
        for one in others:
            self.assertEqual(self.rest(one), b"")


class StartTest(unittest.TestCase):
    def test_a_port_in_use_is_an_error_that_names_the_key(self):
        status, text = serve_with_port_in_use()
        self.assertEqual(status, 1, text)
        self.assertRegex(text, r"admin\.listen: 127\.0\.0\.1 port \d+: Address already in use")

    def test_the_world_is_let_in_with_a_token_alone(self):
        status, text = serve_with("admin.listen=0.0.0.0:0")
        self.assertEqual(status, 2, text)
        self.assertIn("set admin.token_file", text)
        status, text = serve_with("admin.listen=127.0.0.1:0", "admin.token_file=/no/such/file")
        self.assertEqual(status, 2, text)
        self.assertIn("admin.token_file", text)

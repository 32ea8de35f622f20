"""The page agrees with the API and with the load, and shows what was planted: a slow receiver, a
leak, a hot topic, and clients with hostile names."""

import contextlib
import json
import re
import subprocess
import urllib.parse

import mqtt_wire as mqtt
from broker_process import settings
from dashboard_case import DashboardTest
from page import DESKTOP, PHONE, wait_until

VIEWS = ("overview", "shards", "memory", "cpu", "clients", "log", "trace", "publish")
SUBSCRIBERS, RATE, MESSAGES = 300, 50, 200
LEAKED, LEAK_BYTES = 3000, 400

SCRIPT = '<script>document.title = "owned"</script>'
MARKUP = '<img src=x onerror="document.title=\'owned\'">'
BACKWARDS = "invoice-\u202egnp.exe"
LONG = "long-" + "x" * 1000
SLOW, SLOW_LONG = "slow <b>bold</b>", "slow-" + "y" * 200
PATH = "a/../b?c=d#e%2f&f g+h"
SHOWN = {SCRIPT: SCRIPT, MARKUP: MARKUP, BACKWARDS: "invoice-\\u{202e}gnp.exe", LONG: LONG,
         PATH: PATH}


def bytes_of(text):
    """1536 of "+1.50 KiB"."""
    number, unit = re.fullmatch(r"([+-]?[\d.]+) (B|KiB|MiB|GiB)", text).groups()
    return float(number) * 1024 ** ("B", "KiB", "MiB", "GiB").index(unit)


@contextlib.contextmanager
def load_of(broker, messages, rate=RATE):
    """The load generator at work; it ends with the block at the latest."""
    command = [settings.executable, "load", "fanout", "--port", str(broker.port),
               "--subscribers", str(SUBSCRIBERS), "--publishers", "1", "--rate", str(rate),
               "--messages", str(messages), "--json", "--quiet"]
    load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield load
    finally:
        load.kill()
        load.wait()
        load.stdout.close()


class FiguresTest(DashboardTest):
    def shown_totals(self):
        """(received, sent) of the tiles, once both are there."""
        totals = [self.page.number(self.page.tile(name)[1]) for name in ("received", "sent")]
        return None if None in totals else tuple(totals)

    def shown_connections(self):
        return self.page.number(self.page.tile("connections")[0])

    def api_totals(self):
        return self.total("messages", "received"), self.total("messages", "sent")

    def test_the_page_agrees_with_the_api_and_with_the_load(self):
        self.page.go("overview")
        wait_until("totals are shown", self.shown_totals)
        before = self.api_totals()
        others = self.total("connections", "connected")
        wanted = others + SUBSCRIBERS + 1
        with load_of(self.broker, MESSAGES) as load:
            wait_until("all of the load's connections are shown",
                       lambda: self.shown_connections() == wanted)
            self.assertEqual(self.total("connections", "connected"), wanted)
            wait_until("a delivery rate is shown",
                       lambda: re.fullmatch(r"[1-9].*/s", self.page.tile("sent")[0]))
            wait_until("a latency is shown",
                       lambda: re.fullmatch(r".+ (µs|ms|s)", self.page.tile("latency")[0]))
            self.page.screenshot("load-overview")
            report = json.loads(load.communicate()[0])
        self.assertTrue(report["ok"], report)
        published = report["warmup_published_count"] + report["published_count"]
        wanted = (before[0] + published, before[1] + published * SUBSCRIBERS)
        self.assertEqual(self.api_totals(), wanted)
        wait_until("the page has the totals %s" % (wanted,), lambda: self.shown_totals() == wanted)
        wait_until("all have gone", lambda: self.shown_connections() == others)

    def test_each_shard_s_row_is_its_own(self):
        for index in range(20):
            self.crowd.join("row-%d" % index)
        self.page.go("shards")
        shards = self.api("shards")["shards"]
        wanted = [[str(one["shard"]), str(one["connections"]["connected"])] for one in shards]
        wait_until("the rows say %s" % wanted, lambda:
                   [row[:2] for row in self.page.rows("#shard-connections")] == wanted)
        self.assertEqual(len(self.page.rows("#shard-loop")), settings.shards)


class PlantedTest(DashboardTest):
    def test_a_slow_receiver_is_found_and_its_name_is_text(self):
        for name in (SLOW, SLOW_LONG):
            self.crowd.join(name, "flood", is_reading=False, receive_buffer=4096)
        self.crowd.join("quick", "calm")
        cut = SLOW_LONG[:128] + "\u2026"
        sender = self.crowd.join("flooder")
        self.page.go("overview")

        def found():
            for _ in range(50):
                sender.send(mqtt.publish("flood", b"x" * 32_768))
            sender.send(mqtt.publish("calm", b"x"))
            rows = self.page.row("#slow-receivers", SLOW), self.page.row("#slow-receivers", cut)
            return rows if None not in rows else None
        for row in wait_until("both slow receivers are on the page", found):
            self.assertGreater(self.page.number(row[1]), 0)
        # Nobody can be looked up by a part of a name.
        self.assertEqual(self.page.links("#slow-receivers"), [SLOW])
        self.assertIsNone(self.page.row("#slow-receivers", "quick"))
        wait_until("drops are shown", lambda: self.page.number(self.page.tile("dropped")[1]))
        self.page.screenshot("slow-receiver")

    def test_a_hot_topic_is_found(self):
        topic = "hot/<b>bold</b>"
        self.crowd.join("hot-reader", "hot/#")
        sender = self.crowd.join("hot-sender")
        self.page.go("overview")
        for index in range(200):
            sender.send(mqtt.publish("cold/%d" % index, b"x"))

        def found():
            sender.send(b"".join(mqtt.publish(topic, b"x") for _ in range(500)))
            return self.page.row("#hot-topics", topic)
        wait_until("the hot topic is on the page", found)

        def hottest():
            found()
            return topic in [row[0] for row in self.page.rows("#hot-topics")[:2]]
        wait_until("it's among the first two: another test floods one", hottest)
        self.page.screenshot("hot-topic")

    def test_what_grew_between_two_moments_is_named(self):
        self.page.go("memory")
        self.page.click("#memory-take")
        wait_until("a snapshot can be chosen", lambda: self.page.text("#memory-from option"))
        sender = self.crowd.join("leaker")
        for index in range(LEAKED):
            sender.send(mqtt.publish("leak/%d" % index, b"x" * LEAK_BYTES, retain=True))
        wait_until("they are retained",
                   lambda: self.total("retained_messages") >= LEAKED)
        # Their line in the ledger; $SYS topics are retained, too, and come and go by some.
        wait_until("the page names them as what grew most", lambda: re.match(
            r"stored messages grew most in ", self.page.text("#memory-summary")))
        row = self.page.rows("#memory-growth")[0]
        self.assertEqual(row[0], "stored messages")
        self.assertGreaterEqual(bytes_of(row[1]), LEAKED * LEAK_BYTES)
        self.assertLess(bytes_of(row[1]), 2 * LEAKED * LEAK_BYTES)
        snapshot = self.api("memory/snapshots")["snapshots"][0]["id"]
        change = self.api("memory/diff?from=%s&to=now" % snapshot)["classes"][0]
        self.assertEqual(change["class"], "stored messages")
        for objects in (int(row[2].lstrip("+").replace(",", "")), change["objects"]):
            self.assertLess(abs(objects - LEAKED), 200)
        self.page.screenshot("leak")

    def test_hostile_names_are_text(self):
        for name in SHOWN:
            self.crowd.join(name, "names/" + name.replace("#", "").replace("+", ""))
        self.page.go("clients")
        for name, shown in SHOWN.items():
            self.page.type("#client-prefix", name[:6])
            self.page.click("#client-search")
            wait_until("%s is in the table" % shown[:40],
                       lambda shown=shown: self.page.row("#clients", shown))
            self.assertEqual(self.page.driver.title, "Clients · millrace")
        self.page.screenshot("hostile-names")
        self.look_at_one(PATH)

    def look_at_one(self, name):
        """Its page, its subscription, and its end."""
        self.page.go("clients/" + urllib.parse.quote(name, safe=""))
        wait_until("its subscription is shown", lambda: self.page.rows(
            "#client-subscriptions")[0][0].startswith("names/a/"))
        self.assertEqual(self.page.text("#client-name"), SHOWN[name])
        self.page.screenshot("client")
        self.page.click("#client-kick")
        self.page.click("dialog button[value=no]")
        wait_until("nothing is asked any more", lambda: self.page.text("dialog") is None)
        self.assertEqual(self.client_connected(name), True)
        self.page.click("#client-kick")
        self.page.click("dialog button[value=yes]")
        wait_until("it's disconnected", lambda: not self.client_connected(name))

    def client_connected(self, name):
        status, text = self.request("/api/v1/clients/" + urllib.parse.quote(name, safe=""))
        return status == 200 and json.loads(text)["connected"]


class ViewsTest(DashboardTest):
    def test_every_view_fits_desktop_and_phone_in_both_schemes(self):
        self.crowd.join("a-reader", "a/#")
        self.crowd.join("b" * 300, "b/#")
        for size, name in ((DESKTOP, "desktop"), (PHONE, "phone"), ((360, 640), "small")):
            for scheme in ("light", "dark"):
                self.page.look(size, scheme)
                for view in VIEWS:
                    self.page.go(view)
                    content, window = self.page.widths()
                    self.assertLessEqual(content, window, "%s on a %s" % (view, name))
                    if name != "small":
                        self.page.screenshot("%s-%s-%s" % (view, name, scheme))
        self.page.look(DESKTOP, "light")

    def test_the_log_comes_by_itself(self):
        self.page.go("log")
        wait_until("lines of the log are shown", lambda: self.page.text("#log li"))

    def test_a_client_is_traced(self):
        traced = self.crowd.join("traced", "t/#")
        self.page.go("trace/traced")
        self.page.click("#trace-start")
        wait_until("it runs", lambda: "Follows traced" in self.page.text("#trace-status"))
        traced.send(mqtt.publish("t/<i>", b"x"))
        wait_until("its message is shown", lambda: "t/<i>" in (self.page.text("#trace") or ""))
        self.page.screenshot("trace")
        self.page.click("#trace-stop")
        wait_until("it ended", lambda: "Stopped" in self.page.text("#trace-status"))

    def test_a_profile_is_taken_and_drawn(self):
        status, text = self.request("/api/v1/profiles")
        if status in (404, 503):
            self.skipTest("this server takes no profiles: " + text)
        self.page.go("cpu")
        self.page.choose("#profile-seconds", "2")
        before = self.total("messages", "received")
        with load_of(self.broker, 100_000, rate=10 * RATE):
            wait_until("the load runs", lambda: self.total("messages", "received") > before + 20)
            self.page.click("#profile-take")
            profile = wait_until("it's kept", lambda: self.api("profiles")["profiles"])[0]
        self.assertGreater(profile["samples"], 0)
        wait_until("it's listed", lambda: len(self.page.rows("#profiles")[0]) > 2 and
                   self.page.number(self.page.rows("#profiles")[0][2]) == profile["samples"])
        functions = self.api("profiles/%s/functions?limit=50" % profile["id"])["functions"]
        wait_until("its functions are listed", lambda: [one["name"] for one in functions] ==
                   [row[0] for row in self.page.rows("#profile-functions")])
        wait_until("it's drawn", lambda: len(self.page.texts(".flame .frame")) > 1)
        self.page.screenshot("profile")

    def test_a_message_is_published(self):
        reader = self.crowd.join("publish-reader", "from/page", is_reading=False)
        self.page.go("publish")
        self.page.type("#publish-form input[name=topic]", "from/page")
        self.page.type("#publish-form textarea", "hello")
        self.page.click("#publish-form button")
        got = reader.receive(30)
        self.assertEqual((got.topic, got.payload), ("from/page", b"hello"))
        self.page.type("#publish-form input[name=topic]", "from/#")
        self.page.click("#publish-form button")
        wait_until("the refusal is shown",
                   lambda: "invalid_argument" in self.page.text("#publish-form + .notice"))


class NoHistoryTest(DashboardTest):
    keeps_history = False

    def test_a_server_that_keeps_no_history_says_how_it_would(self):
        status, text = self.request("/api/v1/memory/snapshots", "POST", "{}",
                                    {"Content-Type": "application/json"})
        self.assertEqual(status, 503, text)
        self.assertIn("set admin.history_dir", json.loads(text)["error"]["message"])
        for view, place in (("memory", "memory-summary"), ("cpu", "profiles-kept")):
            self.page.go(view)
            wait_until("%s names the key" % view, lambda place=place:
                       "set admin.history_dir" in (self.page.text("#" + place) or ""))
            self.page.screenshot("no-history-" + view)
        for button in ("memory-take", "profile-take"):
            self.page.go("memory" if button == "memory-take" else "cpu")
            self.assertFalse(self.page.find("#" + button).is_enabled())


class TokenTest(DashboardTest):
    token = "a-token-of-more-than-16-bytes"

    def enter(self, token):
        self.page.type("#token", token)
        self.page.click("#token-dialog button")

    def test_a_token_is_asked_for_and_a_server_that_goes_is_missed(self):
        self.enter("not-the-token-at-all")
        wait_until("it was the wrong one",
                   lambda: "didn't take" in (self.page.text("#token-dialog") or ""))
        self.page.screenshot("token")
        self.enter(self.token)
        wait_until("the page is filled", lambda: self.page.text("#state") == "serving")
        self.assertIsNone(self.page.text("#token-dialog"))
        self.assertFalse(self.page.driver.find_element("id", "banner").is_displayed())
        type(self).stop_broker()
        type(self).broker = None
        self.page.find("#banner")
        self.assertRegex(self.page.text("#banner"), r"^No answer since \d\d:\d\d:\d\d: ")
        self.page.screenshot("no-answer")

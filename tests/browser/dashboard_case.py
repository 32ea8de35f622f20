"""The base of the dashboard's tests: a broker with its admin listener, and a page that shows it."""

import atexit
import http.client
import json
import os
import tempfile
import unittest

from broker_process import BrokerProcess, free_port
from crowd import Crowd
from page import WAIT_S, Page

_browser = None


def the_browser():
    """One for all classes: its start takes longer than most tests."""
    global _browser
    if _browser is None:
        _browser = Page()
        atexit.register(_browser.close)
    return _browser


class DashboardTest(unittest.TestCase):
    token = None
    keeps_history = True
    longMessage = True

    @classmethod
    def setUpClass(cls):
        cls.admin_port = free_port()
        cls.folder = tempfile.TemporaryDirectory(prefix="browser-")
        cls.addClassCleanup(cls.folder.cleanup)
        admin = {"listen": ["127.0.0.1:%d" % cls.admin_port]}
        if cls.keeps_history:
            admin["history_dir"] = os.path.join(cls.folder.name, "history")
            os.mkdir(admin["history_dir"])
        if cls.token:
            admin["token_file"] = os.path.join(cls.folder.name, "token")
            with open(admin["token_file"], "w") as out:
                out.write(cls.token + "\n")
        # A slow receiver is let off early, and lives on.
        cls.broker = BrokerProcess({"admin": admin, "queues": {"send_bytes_max": 262_144},
                                    "timeouts": {"send_stall_ms": 600_000},
                                    "log": {"level": "info"}})
        cls.addClassCleanup(cls.stop_broker)
        cls.crowd = Crowd(cls.broker.address)
        cls.addClassCleanup(cls.crowd.close)
        status, text = cls.request("/")
        if "no dashboard" in text:
            raise unittest.SkipTest("this build has no dashboard")
        cls.page = the_browser()
        cls.page.load("http://127.0.0.1:%d/" % cls.admin_port)

    @classmethod
    def stop_broker(cls):
        if cls.broker is None:
            return
        problem = cls.broker.stop()
        if problem:
            raise AssertionError(problem)

    @classmethod
    def request(cls, path, method="GET", body=None, headers=None):
        """(status, text)"""
        connection = http.client.HTTPConnection("127.0.0.1", cls.admin_port, timeout=WAIT_S)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def api(self, path):
        status, text = self.request("/api/v1/" + path)
        self.assertEqual(status, 200, "%s: %s" % (path, text[:500]))
        return json.loads(text)

    def total(self, *names):
        """A figure of the shards' answer, summed over them."""
        def of(shard):
            for name in names:
                shard = shard[name]
            return shard
        return sum(of(shard) for shard in self.api("shards")["shards"])

    def tearDown(self):
        self.assertEqual(self.page.complaints(), [])
        if self.broker is not None:
            self.assertIsNone(self.broker.trouble())

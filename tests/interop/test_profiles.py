"""CPU profiles of the process: what a loaded broker does, taken while its clients miss nothing."""

import gzip
import http.client
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from admin_case import skip_without_listener
from broker_process import BrokerProcess, free_port, settings
from case import BrokerTest

WAIT_S = 60.0


def setUpModule():
    skip_without_listener()


class ProfilesCase(BrokerTest):
    """A broker with a listener, and a directory for its history."""
    @classmethod
    def setUpClass(cls):
        cls.admin_port = free_port()
        cls.folder = tempfile.TemporaryDirectory(prefix="interop-")
        cls.config = {"admin": {"listen": ["127.0.0.1:%d" % cls.admin_port],
                                "history_dir": os.path.join(cls.folder.name, "history")},
                      "log": {"format": "json"}}
        super().setUpClass()
        cls.await_admin(cls.broker)
        status, answer = cls.ask("GET", "/debug/pprof/profile?seconds=1")
        if status == 503:
            super().tearDownClass()
            cls.folder.cleanup()
            raise unittest.SkipTest("this build has no profiler: " + answer.decode())

    @staticmethod
    def await_admin(broker):
        """Its MQTT port is there a little earlier."""
        while "admin listens" not in broker.text() and broker.process.poll() is None:
            time.sleep(0.01)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()

    @classmethod
    def ask(cls, method, path, body=None):
        """(status, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", cls.admin_port, timeout=WAIT_S)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ask_json(self, method, path, body=None, status=200):
        got, answer = self.ask(method, path, body)
        self.assertEqual(got, status, answer)
        return json.loads(answer)

    def start_load(self, seconds):
        """Ends with status 0 if every message reached everybody."""
        command = [settings.executable, "load", "fanout", "--host", self.broker.host,
                   "--port", str(self.broker.port), "--connections", "60", "--publishers", "10",
                   "--subscribers", "50", "--qos", "1", "--window", "4",
                   "--duration", str(seconds)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)



class ProfilesTest(ProfilesCase):
    def profile_under_load(self):
        """Its record. Again when the machine gave the broker no time."""
        while True:
            load = self.start_load(2)
            record = self.ask_json("POST", "/api/v1/profiles", '{"seconds": 1}', 201)
            report = load.communicate(timeout=WAIT_S)[0]
            self.assertEqual(load.returncode, 0, report)
            if record["samples"] >= 5:
                return record

    def test_a_loaded_broker_is_found_in_its_shards_loop_and_loses_nothing(self):
        record = self.profile_under_load()
        profiles = self.ask_json("GET", "/api/v1/profiles")["profiles"]
        self.assertIn(record, profiles)
        place = "/api/v1/profiles/" + record["id"]

        answer = self.ask_json("GET", place + "/functions?limit=1000")
        self.assertEqual(answer["samples"], record["samples"])
        self.assertEqual(sum(one["self"] for one in answer["functions"]), record["samples"])
        loop = [one for one in answer["functions"] if "millrace::run_shard<" in one["name"]]
        self.assertEqual(len(loop), 1, answer)
        self.assertGreaterEqual(loop[0]["total"], record["samples"] / 2)

        tree = self.ask_json("GET", place + "/flame")
        self.assertEqual((tree["name"], tree["value"]), ("all", record["samples"]))
        depth = 0
        while tree["children"]:
            tree, depth = tree["children"][0], depth + 1
        self.assertGreater(depth, 3)

        status, packed = self.ask("GET", place)
        self.assertEqual(status, 200)
        self.assertIn(b"millrace::run_shard<", gzip.decompress(packed))

        same = self.ask_json("GET", "/api/v1/profiles/growth?from=%s&to=%s" % (2 * (record["id"],)))
        self.assertTrue(same["functions"])
        self.assertEqual({one["change"] for one in same["functions"]}, {0})

    def test_one_profile_at_a_time(self):
        first = []
        taker = threading.Thread(
            target=lambda: first.append(self.ask("GET", "/debug/pprof/profile?seconds=2")[0]))
        taker.start()
        status = 200
        while status == 200 and taker.is_alive():
            status = self.ask("GET", "/debug/pprof/profile?seconds=1")[0]
        taker.join()
        # One of both was first.
        self.assertIn(409, (status, first[0]))

    def test_what_is_not_there_and_what_can_not_be(self):
        self.assertEqual(self.ask("GET", "/api/v1/profiles/20200101T000000Z")[0], 404)
        self.assertEqual(self.ask("GET", "/api/v1/profiles/..%2F..%2Fetc%2Fpasswd")[0], 404)
        self.assertEqual(self.ask("GET", "/api/v1/profiles/growth?from=20200101T000000Z")[0], 404)
        self.assertEqual(self.ask("GET", "/api/v1/profiles/growth")[0], 400)
        self.assertEqual(self.ask("GET", "/debug/pprof/profile?seconds=0")[0], 400)
        self.assertEqual(self.ask("GET", "/debug/pprof/profile?seconds=61")[0], 400)
        self.assertEqual(self.ask("POST", "/api/v1/profiles", '{"second": 1}')[0], 400)

    def test_signals_at_any_moment_cost_no_message(self):
        """Far more of them than a profile sends."""
        load = self.start_load(2)
        count = 0
        while load.poll() is None:
            for _ in range(50):
                os.kill(self.broker.process.pid, signal.SIGPROF)
                count += 1
        self.assertEqual(load.returncode, 0, load.communicate()[0])
        self.assertGreater(count, 1000)
        self.assert_serves()

    def test_the_log_has_lines_of_the_log_alone(self):
        self.assertEqual(self.ask("GET", "/debug/pprof/profile?seconds=1")[0], 200)
        for line in self.broker.text().splitlines():
            if not line.startswith("millrace "):  # standard output's one
                json.loads(line)


class EndTest(ProfilesCase):
    def test_the_end_does_not_wait_for_a_profile(self):
        answers = []

        def take():
            try:
                answers.append(self.ask("GET", "/debug/pprof/profile?seconds=60")[0])
            except (OSError, http.client.HTTPException):
                answers.append(None)
        taker = threading.Thread(target=take)
        taker.start()
        while self.ask("GET", "/debug/pprof/profile?seconds=1")[0] == 200 and taker.is_alive():
            pass
        self.broker.terminate()
        self.broker.process.wait(20)  # shorter than the profile
        taker.join()
        self.assertNotEqual(answers[0], 200)
        self.assertIsNone(self.broker.wait())
        type(self).broker = BrokerProcess(self.config)  # for the end of this class

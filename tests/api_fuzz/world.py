"""A real broker with an API, and something in it to be asked for."""

import re
import tempfile
import unittest

import ahead
import document as documents
import fuzz
import http_requests
import mqtt_wire as mqtt
import values
from broker_process import BrokerProcess, free_port
from bystander import Bystander

# A client may be called almost anything, and a path must hold it.
CLIENT_IDS = ["plain", "a/b", "per%cent", "%41", "space d", "..", ".", "ques?tion", "ha#sh", "pl+us",
              "\u00fcml\u00e4ut", "\u4e2d\u6587", "\U0001f600", "quo\"te", "back\\slash", "a&b=c", "semi;colon",
              "x" * 500] + ["many-%03d" % index for index in range(40)]
FILTERS = ["plain/topic", "wild/+/card", "wild/#", "$share/group/plain/topic", "\u00fcml\u00e4ut/\u4e2d", "per%cent/a b"]
RETAINED = ["plain/topic", "per%cent/a b"]


class ApiTest(unittest.TestCase):
    """One broker a class, a bystander beside all that is asked."""
    admin = {}
    headers = ()

    @classmethod
    def setUpClass(cls):
        cls.document = documents.load().without(ahead.OPERATIONS, ahead.MEMBERS)
        cls.folder = tempfile.TemporaryDirectory(prefix="api-fuzz-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.port = free_port()
        admin = dict({"listen": ["127.0.0.1:%d" % cls.port], "history_dir": cls.folder.name},
                     **cls.admin)
        cls.broker = BrokerProcess({"admin": admin})
        cls.addClassCleanup(cls.end_broker)
        cls.client = http_requests.Client(cls.port, headers=cls.headers)
        cls.wires = [cls.connect(name, index) for index, name in enumerate(CLIENT_IDS)]
        cls.fuzz = fuzz.Fuzz(cls.document, cls.client, cls.known)
        cls.by_id = {one.id: one for one in cls.document.operations}

    @classmethod
    def end_broker(cls):
        for wire in cls.wires:
            wire.close()
        problem = cls.broker.stop()
        if problem:
            raise AssertionError(problem)

    wires = ()

    @classmethod
    def connect(cls, name, index):
        """A client with a session that stays, and subscriptions by its number."""
        version = 4 if index % 5 == 0 else 5
        wire = mqtt.Wire(cls.broker.address, version)
        props = {"session_expiry": 300} if version == 5 else None
        wire.send(mqtt.connect(name, version, clean=version == 5, props=props))
        assert wire.receive().reason == 0
        filters = [(FILTERS[(index + more) % len(FILTERS)], index % 3) for more in range(2)]
        wire.send(mqtt.subscribe(1, filters, version))
        while wire.receive().kind != mqtt.SUBACK:
            pass
        if index < len(RETAINED):
            wire.send(mqtt.publish(RETAINED[index], b"kept", retain=True, version=version))
            wire.send(mqtt.packet(mqtt.PINGREQ))
            while wire.receive().kind != mqtt.PINGRESP:
                pass
        return wire

    @classmethod
    def known(cls, operation):
        found = {"ClientId": CLIENT_IDS, "TopicName": RETAINED, "TopicFilter": FILTERS,
                 "DashboardFile": re.findall(r'"/?assets/([^"]+)"', cls.client.get("/").body.decode())}
        if "{id}" in operation.path or operation.path.endswith(("/diff", "/growth")):
            for schema, path, rows, body in (
                    ("TraceId", "/api/v1/traces", "traces", b'{"client_id":"plain"}'),
                    ("SnapshotId", "/api/v1/memory/snapshots", "snapshots", b"{}"),
                    ("ProfileId", "/api/v1/profiles", "profiles", b'{"seconds":1}')):
                if operation.path.startswith(path.rpartition("/")[0] if schema == "SnapshotId"
                                             else path):
                    found[schema] = cls.ids(path, rows, body)
        found["SnapshotIdOrNow"] = found.get("SnapshotId", []) + ["now"]
        return values.Known(**found)

    @classmethod
    def ids(cls, path, rows, body):
        """Of what is there; one is made when nothing is."""
        found = cls.client.get(path).json().get(rows, [])
        if not found:
            cls.client.ask(http_requests.Request("POST", path, body=body, headers=[
                ("Content-Type", documents.JSON)]))
            found = cls.client.get(path).json().get(rows, [])
        return [one["id"] for one in found]

    @classmethod
    def forget_traces(cls):
        for one in cls.client.get("/api/v1/traces").json().get("traces", []):
            cls.client.ask(http_requests.Request("DELETE", "/api/v1/traces/" + one["id"]))

    def setUp(self):
        self.bystander = Bystander(self.broker.address).start()

    def tearDown(self):
        fault = self.bystander.stop()
        if fault:
            self.fail("the bystander, " + fault)
        self.assertGreater(self.bystander.count, 0)
        problem = self.broker.trouble()
        if problem:
            self.fail(problem)

    def expect_no_faults(self, found):
        if found:
            self.fail("%d faults (repeat with --seed %d):\n%s"
                      % (len(found), fuzz.options.seed, "\n".join(found)))

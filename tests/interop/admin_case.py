"""What the tests of the HTTP listener have in common: a broker that has one, and requests to it."""

import http.client
import json
import os
import socket
import subprocess
import tempfile
import unittest

from broker_process import free_port, settings
from case import BrokerTest

WAIT_S = 20.0
CONNECTIONS_MAX = 4      # at once


def serve_with(*settings_of_keys):
    """Status and output of a server that can't start."""
    command = [settings.executable, "serve", "--listen", "127.0.0.1:0", "--shards", "1"]
    for one in settings_of_keys:
        command += ["--set", one]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    return done.returncode, done.stdout + done.stderr


def serve_with_port_in_use():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        return serve_with("admin.listen=127.0.0.1:%d" % other.getsockname()[1])


def skip_without_listener():
    if settings.broker != "millrace":
        raise unittest.SkipTest("millrace only: a listener of ours")
    if "was built without" in serve_with_port_in_use()[1]:
        raise unittest.SkipTest("this build has no listener")


class AdminTest(BrokerTest):
    """A broker with a listener at self.admin_port."""
    drain_rate = 0
    token = None
    timeout_ms = 5000

    @classmethod
    def setUpClass(cls):
        cls.admin_port = free_port()
        admin = {"listen": ["127.0.0.1:%d" % cls.admin_port], "timeout_ms": cls.timeout_ms,
                 "connections_max": CONNECTIONS_MAX}
        cls.folder = tempfile.TemporaryDirectory(prefix="interop-")
        if cls.token:
            admin["token_file"] = os.path.join(cls.folder.name, "token")
            with open(admin["token_file"], "w") as out:
                out.write(cls.token + "\n")
        cls.config = {"admin": admin, "drain": {"rate": cls.drain_rate}}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()

    def ask(self, path, method="GET", body=None, **headers):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=WAIT_S)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def ask_json(self, path, **more):
        status, headers, body = self.ask(path, **more)
        self.assertEqual(headers["Content-Type"], "application/json")
        return status, json.loads(body)

    def raw(self, data=b""):
        wire = socket.create_connection(("127.0.0.1", self.admin_port), WAIT_S)
        self.addCleanup(wire.close)
        if data:
            wire.sendall(data)
        return wire

    @staticmethod
    def rest(wire):
        """All until the end of the connection."""
        data = b""
        try:
            while more := wire.recv(65536):
                data += more
        except ConnectionResetError:
            pass
        return data

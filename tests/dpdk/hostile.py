"""What test_hostile.py and perf/dpdk_flood.py share: flood as a process, clients that keep talking
while it goes on, and our stack's counters.
"""

import collections
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

import mqtt_wire as mqtt  # noqa: E402 (needs the path above)

PATIENCE_S = 60.0  # a frame that the flood displaced comes again, after a while that doubles
FLOOD_SECONDS_MAX = 120
_seeds = itertools.count(1)

# All but the flood of SYNs; the names are those of flood.
BLIND_ATTACKS = ("reset_random", "reset_in_window", "syn_in_window", "data_random", "data_bad_ack",
                 "data_old", "ack_unsent", "icmp_too_big", "mutated_broken", "mutated_repaired")


class Target:
    """Whom to attack: through which interface, and where."""

    def __init__(self, interface, mac, address):
        self.interface, self.mac, self.address = interface, mac, address


class Flood:
    """A running attack. It goes on until end(), but for `count` frames at least; `client`: the
    (host, port) of the connection that is attacked."""

    def __init__(self, executable, target, count=0, rate=0, attacks=("syn",), client=None,
                 until_end=True, answer_ms=0, seconds_max=FLOOD_SECONDS_MAX):
        command = [executable, "--interface", target.interface,
                   "--server", "%s:%d" % target.address, "--server-mac", target.mac,
                   "--attacks", ",".join(attacks), "--count", str(count), "--rate", str(rate),
                   "--seconds-max", str(seconds_max), "--answer-ms", str(answer_ms),
                   "--seed", str(next(_seeds))]
        if client:
            command += ["--client", "%s:%d" % client]
        if until_end:
            command.append("--until-input-ends")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def is_on(self):
        return self.process.poll() is None

    def end(self):
        """Has it end; returns its report."""
        output, errors = self.process.communicate(timeout=2 * FLOOD_SECONDS_MAX)
        if self.process.returncode != 0:
            raise RuntimeError("flood ended with %d: %s" % (self.process.returncode, errors))
        return json.loads(output)

    def kill(self):
        if self.is_on():
            self.process.kill()
            self.process.communicate()


class Live(threading.Thread):
    """A client that exchanges something with the server, over and over, and checks what returns."""

    def __init__(self, pause_s=0.0005):
        super().__init__(daemon=True)
        self.pause_s, self.round_trips, self.error = pause_s, [], None
        self.stopping = threading.Event()

    def run(self):
        try:
            number = 0
            while not self.stopping.is_set():
                begin = time.monotonic()
                self.exchange(number)
                self.round_trips.append(time.monotonic() - begin)
                number += 1
                time.sleep(self.pause_s)
        except Exception as error:  # whatever it is, the test is to tell it
            self.error = error

    @property
    def count(self):
        return len(self.round_trips)

    def await_more(self, count):
        """Until that many more exchanges have succeeded; what went wrong is raised."""
        goal, deadline = self.count + count, time.monotonic() + PATIENCE_S
        while self.count < goal:
            if self.error:
                raise self.error
            if time.monotonic() > deadline:
                raise TimeoutError("%d exchanges are missing" % (goal - self.count))
            time.sleep(0.01)

    def finish(self):
        """Ends it, in order; what went wrong is raised."""
        self.stopping.set()
        self.join(2 * PATIENCE_S)
        if self.error:
            raise self.error
        self.close()


class LiveMqtt(Live):
    """Publishes numbers with QoS 1 to itself, some at a time: each has to come once, in order."""

    def __init__(self, address, name, pause_s=0.0005, burst=4):
        super().__init__(pause_s)
        self.burst = burst
        self.wire = mqtt.Wire(address, timeout=PATIENCE_S)
        self.topic = "hostile/" + name
        self.wire.send(mqtt.connect(name))
        connack = self.wire.receive()
        if connack.kind != mqtt.CONNACK or connack.reason != 0:
            raise RuntimeError("refused: %r" % connack)
        self.wire.send(mqtt.subscribe(1, [(self.topic, mqtt.options(qos=1))]))
        suback = self.wire.receive()
        if suback.reasons != [1]:
            raise RuntimeError("not subscribed: %r" % suback)
        self.start()

    def address(self):
        return self.wire.sock.getsockname()

    @staticmethod
    def payload(number):
        return b"%d:" % number + bytes((number * 7 + at) % 256 for at in range(100))

    def exchange(self, number):
        first, sent = number * self.burst, {}
        for one in range(first, first + self.burst):
            sent[self.wire.next_packet_id()] = one
        self.wire.send(b"".join(mqtt.publish(self.topic, self.payload(one), 1, packet_id)
                                for packet_id, one in sent.items()))
        expected = first
        while sent or expected < first + self.burst:
            got = self.wire.receive()
            if got.kind == mqtt.PUBACK and got.reason == 0 and got.packet_id in sent:
                del sent[got.packet_id]
            elif (got.kind == mqtt.PUBLISH and not got.dup and got.topic == self.topic
                  and got.payload == self.payload(expected)):
                self.wire.send(mqtt.ack(mqtt.PUBACK, got.packet_id))
                expected += 1
            else:
                raise AssertionError("message %d was to come, not %r" % (expected, got))

    def close(self):
        self.wire.send(mqtt.disconnect())
        self.wire.close()


class LiveEcho(Live):
    """Sends bytes that return."""

    def __init__(self, address, pause_s=0.0005):
        super().__init__(pause_s)
        self.sock = socket.create_connection(address, PATIENCE_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.start()

    def address(self):
        return self.sock.getsockname()

    def exchange(self, number):
        piece = b"%016d" % number + bytes((number * 7 + at) % 256 for at in range(100))
        self.sock.sendall(piece)
        got = b""
        while len(got) < len(piece):
            more = self.sock.recv(len(piece) - len(got))
            if not more:
                raise AssertionError("closed while %d bytes were to come" % (len(piece) - len(got)))
            got += more
        if got != piece:
            raise AssertionError("%r returned as %r" % (piece, got))

    def close(self):
        self.sock.close()


def counters_of(dump):
    """The numbers of a stack's dump by name; the device's begin with "link "."""
    found, section = collections.Counter(), ""
    for line in dump.splitlines():
        match = re.fullmatch(r"  (\w+) (\d+)", line)
        if match:
            found[("link " if section == "link" else "") + match.group(1)] = int(match.group(2))
        elif not line.startswith(" "):
            section = line
    return found


def growth(before, after):
    """What has changed, by name."""
    return collections.Counter({name: after[name] - before[name] for name in {**before, **after}
                                if after[name] != before[name]})

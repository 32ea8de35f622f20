"""Keep-alive (RFC 9293, 3.8.4): ours while the kernel lives, ours when it's gone, and the kernel's."""

import time
import unittest

import kernel_side as kernel
from case import KernelPeerTest

IDLE_S, INTERVAL_S, PROBES = 1, 1, 2


class OurKeepAlive(KernelPeerTest):
    arguments = ("--keepalive-idle-ms", "1000", "--keepalive-interval-ms", "1000",
                 "--keepalive-probes", str(PROBES))

    def test_it_keeps_what_lives_and_finds_what_is_gone(self):
        wire = self.client(self.serve("echo"))
        number = self.number
        time.sleep(IDLE_S + (PROBES + 1) * INTERVAL_S + 0.5)
        counters = self.peer.counters()
        self.assertGreaterEqual(counters["keepalives"], 2)
        self.assertEqual(counters["keepalive_failures"], 0)
        wire.sendall(b"still there")
        self.assertEqual(wire.recv(100), b"still there")

        self.wire.lose(100)
        self.addCleanup(self.wire.lose_nothing)
        begun = time.monotonic()
        closed = self.closed(number, timeout=10)
        seconds = time.monotonic() - begun
        self.assertNotEqual(closed["reason"], "peer_closed")
        self.assertGreater(seconds, IDLE_S + (PROBES - 1) * INTERVAL_S)
        self.assertLess(seconds, IDLE_S + (PROBES + 1) * INTERVAL_S + 1)
        self.assertEqual(self.peer.counters()["keepalive_failures"], 1)


class TheKernelsKeepAlive(KernelPeerTest):
    def test_we_answer_it(self):
        wires = [self.client(self.serve("echo")), self.client(self.serve("echo", family=6), 6),
                 self.called("echo")]
        for wire in wires:
            kernel.keep_alive(wire, IDLE_S, INTERVAL_S, PROBES)
        time.sleep(IDLE_S + (PROBES + 2) * INTERVAL_S + 0.5)
        for wire in wires:
            wire.sendall(b"still there")
            self.assertEqual(wire.recv(100), b"still there")

    @classmethod
    def look_at(cls, frames):
        """Each connection's probes were there: an empty segment of the kernel every second."""
        seconds = IDLE_S + (PROBES + 2) * INTERVAL_S
        probes = [frame for frame in frames if not cls.is_ours(frame)
                  and frame["payload_bytes"] == "0" and frame["syn"] in ("0", "False")]
        if len(probes) < 3 * (seconds - IDLE_S):
            raise AssertionError("%d empty segments of the kernel" % len(probes))


if __name__ == "__main__":
    unittest.main()

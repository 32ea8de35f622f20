"""A receiver that stops: the window closes, is probed, and opens again with nothing lost."""

import time
import unittest

import kernel_side as kernel
from case import MEGABYTE, KernelPeerTest

HELD_S = 10.0


class ZeroWindow(KernelPeerTest):
    """Both sides at once, so that it takes ten seconds and not twenty."""
    frames_max = 6000

    def test_ours_and_the_kernel_s_for_ten_seconds(self):
        towards_us, sending = self.fill_ours()
        towards_kernel = self.fill_the_kernel_s()
        time.sleep(1)  # both are full well before
        before = self.peer.status(self.ours)["received"]
        time.sleep(HELD_S)
        held = self.peer.status(self.ours)["received"]
        self.assertEqual(held, before, "bytes came through a closed window")
        self.assertLessEqual(held, MEGABYTE, "the window didn't close")
        self.assertTrue(sending.is_alive())
        probes = self.peer.counters()["probes"]
        self.assertGreaterEqual(probes, 3, "the kernel's closed window wasn't probed")
        self.assertLess(probes, 60, "probed without back-off")

        self.peer.tell("resume", self.ours)
        sent = sending.result()
        towards_us.close()
        self.assert_arrived(self.closed(self.ours), sent, "peer_closed")
        got = kernel.receive_stream(towards_kernel)
        self.assert_delivered(self.closed(self.the_kernels), got,
                              8 * MEGABYTE)

    def fill_ours(self):
        wire = self.client(self.serve("sink"))
        self.ours = self.number
        self.peer.tell("pause", self.ours)
        self.peer.expect("paused", id=self.ours)
        return wire, kernel.Task(kernel.send_stream, wire, 16 * MEGABYTE)

    def fill_the_kernel_s(self):
        wire = self.client(self.serve("source", 8 * MEGABYTE), receive_buffer=64 * 1024)
        self.the_kernels = self.number
        return wire

    @classmethod
    def look_at(cls, frames):
        for is_ours in (True, False):
            closed = [frame for frame in frames if cls.is_ours(frame) == is_ours
                      and frame["window"] == "0" and frame["reset"] in ("0", "False")]
            if not closed:
                raise AssertionError("%s window was never zero" % ("our" if is_ours else
                                                                   "the kernel's"))


class SlowReaders(KernelPeerTest):
    frames_max = 6000

    def test_the_kernel_reads_in_drops(self):
        """The window opens a little at a time: no silly windows (RFC 9293, 3.8.6.2), all arrives."""
        count = 600_000
        wire = self.called("source", count, receive_buffer=8 * 1024)
        digest = kernel.Digest()
        while digest.bytes < count:
            room = bytearray(1500)
            got = wire.recv_into(room)
            self.assertTrue(got)
            digest.add(room, got)
            if digest.bytes % 7 == 0:
                time.sleep(0.001)
        wire.close()
        self.assert_delivered(self.closed(), digest, count)

    def test_we_stop_and_go(self):
        wire = self.client(self.serve("sink"))
        number = self.number
        sending = kernel.Task(kernel.send_stream, wire, 8 * MEGABYTE)
        for _ in range(10):
            self.peer.tell("pause", number)
            time.sleep(0.03)
            self.peer.tell("resume", number)
            time.sleep(0.001)
        sent = sending.result()
        wire.close()
        self.assert_arrived(self.closed(number), sent, "peer_closed")

    @classmethod
    def look_at(cls, frames):
        small = [frame for frame in frames if cls.is_ours(frame)
                 and frame["payload_bytes"] not in ("", "0") and int(frame["payload_bytes"]) < 100]
        if len(small) > 100:
            raise AssertionError("%d segments of ours with less than 100 bytes" % len(small))


class SmallWindow(KernelPeerTest):
    arguments = ("--window-kib", "16")
    frames_max = 0

    def test_a_window_of_16_kib(self):
        self.kernel_client_sends(2 * MEGABYTE)
        self.our_client_receives(2 * MEGABYTE)


class WideWindow(KernelPeerTest):
    arguments = ("--window-kib", "4096")
    frames_max = 0

    def test_a_window_of_4_mib(self):
        self.kernel_client_sends(32 * MEGABYTE)


if __name__ == "__main__":
    unittest.main()

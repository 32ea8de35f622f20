"""Bytes in bulk, each way and both ways; every byte is hashed at both ends."""

import unittest

import kernel_side as kernel
from case import MEGABYTE, FourWays, KernelPeerTest, amount


class Transfer(FourWays, KernelPeerTest):
    bytes_in_ci, bytes_in_full = 64 * MEGABYTE, 1000 * MEGABYTE
    frames_max = 6000

    def test_both_ways_at_once(self):
        """Our echo server: what goes in comes out, while both are going on."""
        both = self.client(self.serve("echo"))
        count = amount(16 * MEGABYTE, 256 * MEGABYTE)
        sending = kernel.Task(kernel.send_stream, both, count)
        got = kernel.receive_stream(both, count=count)
        self.assertEqual((got.bytes, got.hash), (count, sending.result().hash))

    def test_small_messages_in_a_row(self):
        """Request and answer, one after the other: nothing waits for a timer."""
        wire = self.client(self.serve("echo"))
        wire.setsockopt(kernel.socket.IPPROTO_TCP, kernel.socket.TCP_NODELAY, 1)
        for number in range(300):
            message = b"%06d" % number * 7
            wire.sendall(message)
            self.assertEqual(wire.recv(100), message)


class Reno(KernelPeerTest):
    arguments = ("--congestion", "reno")
    frames_max = 0

    def test_our_client_sends_by_new_reno(self):
        self.our_client_sends(amount(16 * MEGABYTE, 256 * MEGABYTE))


class Ipv6(FourWays, KernelPeerTest):
    bytes_in_full = 1000 * MEGABYTE
    how = {"family": 6}

    @classmethod
    def look_at(cls, frames):
        ours = [frame for frame in frames if cls.is_ours(frame) and frame["tcp_checksum"]]
        if not all(frame["from_ipv6"] for frame in ours):
            raise AssertionError("a TCP segment of ours isn't IPv6")


class Cookies(FourWays, KernelPeerTest):
    """Every SYN is answered by a cookie, as if there were a flood."""
    arguments = ("--cookies-only",)
    frames_max = 3000

    def test_a_linux_client_sends_to_our_server(self):
        super().test_a_linux_client_sends_to_our_server()
        self.assertGreater(self.peer.counters()["cookies_accepted"], 0)


if __name__ == "__main__":
    unittest.main()

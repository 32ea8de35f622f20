"""How connections begin and end: closed ports, half-close, resets, a peer without memory; and ping."""

import errno
import socket
import time
import unittest

import kernel_side as kernel
from case import MEGABYTE, KernelPeerTest


class Beginnings(KernelPeerTest):
    def test_a_linux_client_is_refused_where_nobody_listens(self):
        for family in (4, 6):
            with self.subTest(family=family):
                begun = time.monotonic()
                with self.assertRaises(ConnectionRefusedError):
                    self.client(self.new_port(), family)
                self.assertLess(time.monotonic() - begun, 0.5, "no RST")

    def test_our_client_is_refused_where_nobody_listens(self):
        for family in (4, 6):
            with self.subTest(family=family):
                begun = time.monotonic()
                [number] = self.peer.connect(self.wire.kernel[family], self.new_port(), "hold")
                self.assertEqual(self.closed(number)["reason"], "connect_failed")
                self.assertLess(time.monotonic() - begun, 0.5, "the RST didn't end it")

    def test_we_answer_pings(self):
        for family in (4, 6):
            for payload_bytes in (0, 56, 1400):
                with self.subTest(family=family, payload_bytes=payload_bytes):
                    self.assertTrue(kernel.ping(self.wire.ours[family], payload_bytes))

    def test_an_address_that_nobody_has_fails(self):
        """Three questions without an answer, a second apart."""
        [number] = self.peer.connect("10.77.0.99", self.new_port(), "hold")
        self.assertEqual(self.closed(number, timeout=10)["reason"], "connect_failed")


class Endings(KernelPeerTest):
    def test_each_side_closes_first(self):
        """Ours by role `serve`, the kernel's by close(); the last bytes arrive."""
        self.kernel_client_receives(100)
        self.kernel_client_sends(100)
        self.our_client_sends(100)
        self.our_client_receives(100)

    def test_a_reset_by_linux_ends_ours(self):
        wire = self.client(self.serve("hold"))
        number = self.number
        kernel.close_with_reset(wire)
        closed = self.closed(number, timeout=5)
        self.assertEqual(closed["reason"], "peer_reset")

    def test_a_reset_by_us_ends_linux_s(self):
        wire = self.client(self.serve("hold"))
        number = self.number
        self.peer.tell("abort", number)
        with self.assertRaises(ConnectionResetError):
            wire.recv(100)
        self.assertEqual(self.closed(number)["reason"], "local")

    def test_a_reset_by_us_with_output_queued(self):
        wire = self.client(self.serve("source", 50 * MEGABYTE))
        number = self.number
        self.assertTrue(wire.recv(1000))
        self.peer.tell("abort", number)
        with self.assertRaises(ConnectionResetError):
            kernel.receive_stream(wire)
        self.closed(number)

    def test_linux_closes_over_unread_bytes(self):
        """Which is a reset in the middle of our output."""
        wire = self.client(self.serve("source", 50 * MEGABYTE))
        number = self.number
        self.assertTrue(wire.recv(1000))
        time.sleep(0.05)  # until more than that has come
        wire.close()
        closed = self.closed(number, timeout=5)
        self.assertEqual(closed["reason"], "peer_reset")

    def test_linux_has_forgotten_the_connection(self):
        """As after a crash: its kernel answers our next segment by RST."""
        wire = self.called("hold")
        number = self.number
        kernel.forget(wire)
        self.peer.tell("close", number)  # our FIN finds nobody
        self.assertIn(self.closed(number, timeout=5)["reason"],
                      ("local", "peer_reset"))
        self.assertGreater(self.peer.counters()["resets_received"], 0)

    def test_bytes_after_our_close_are_taken_and_dropped(self):
        """Linux goes on for a while after our FIN, then closes: no reset (RFC 9293, 3.6)."""
        wire = self.client(self.serve("serve"))
        wire.sendall(b"5000\n")
        self.assertEqual(kernel.receive_stream(wire).bytes, 5000)
        for _ in range(10):
            wire.sendall(b"x" * 1000)
            time.sleep(0.02)
        wire.close()
        self.assertEqual(self.closed()["reason"], "local")


class HalfClose(KernelPeerTest):
    arguments = ("--keep-half-open",)

    def test_we_go_on_after_linux_s_fin(self):
        """The request, Linux's FIN, and only then the answer: 8 MB of it."""
        wire = self.client(self.serve("serve"))
        wire.sendall(b"%d\n" % (8 * MEGABYTE))
        wire.shutdown(socket.SHUT_WR)
        self.peer.expect("peer_finished", id=self.number)
        got = kernel.receive_stream(wire)
        self.assert_delivered(self.closed(), got, 8 * MEGABYTE)

    def test_our_client_goes_on_after_linux_s_fin(self):
        wire = self.called("source", 8 * MEGABYTE)
        wire.shutdown(socket.SHUT_WR)
        got = kernel.receive_stream(wire)
        self.assert_delivered(self.closed(), got, 8 * MEGABYTE)

    def test_an_echo_ends_after_all_of_it(self):
        wire = self.client(self.serve("echo"))
        sending = kernel.Task(self.send_and_finish, wire, 2 * MEGABYTE)
        got = kernel.receive_stream(wire)
        sent = sending.result()
        self.assertEqual((got.bytes, got.hash), (sent.bytes, sent.hash))
        self.assertEqual(self.closed()["received_hash"], sent.hash)

    @staticmethod
    def send_and_finish(wire, count):
        digest = kernel.send_stream(wire, count)
        wire.shutdown(socket.SHUT_WR)
        return digest


class FormerLife(KernelPeerTest):
    def test_a_new_process_resets_connections_of_the_old_one(self):
        wire = self.client(self.serve("hold"))
        self.peer.kill()
        self.start_peer()
        wire.send(b"are you there?")
        with self.assertRaises(OSError) as caught:
            wire.recv(100)
        self.assertEqual(caught.exception.errno, errno.ECONNRESET)
        self.assertEqual(self.peer.counters()["resets_sent"], 1)


if __name__ == "__main__":
    unittest.main()

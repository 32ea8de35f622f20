"""Random loss of frames both ways, by nftables at the kernel's end: everything arrives all the same,
and the wire really did lose."""

import time
import unittest

from case import MEGABYTE, KernelPeerTest, amount

# Percent: bytes in CI, bytes in full.
AMOUNTS = {
    0.1: (16 * MEGABYTE, 256 * MEGABYTE),
    1: (6 * MEGABYTE, 64 * MEGABYTE),
    5: (1 * MEGABYTE, 16 * MEGABYTE),
}


class Loss(KernelPeerTest):
    frames_max = 8_000

    def tearDown(self):
        self.wire.lose_nothing()
        super().tearDown()

    def with_loss(self, percent, move):
        self.wire.lose(percent)
        begun = time.monotonic()
        count = amount(*AMOUNTS[percent])
        move(count)
        seconds = time.monotonic() - begun
        ours, kernels = self.wire.lost_counts()
        print("%-24s %4g%% loss: %7.1f Mbit/s; lost %d of ours, %d of the kernel's"
              % (move.__name__, percent, count * 8 / 1e6 / seconds, ours, kernels), flush=True)
        self.assertGreater(ours + kernels, 0, "nothing was lost")

    def test_a_thousandth(self):
        self.with_loss(0.1, self.our_client_sends)
        self.with_loss(0.1, self.our_client_receives)

    def test_a_hundredth(self):
        self.with_loss(1, self.kernel_client_receives)
        self.with_loss(1, self.kernel_client_sends)

    def test_a_twentieth(self):
        self.with_loss(5, self.our_client_sends)
        self.with_loss(5, self.kernel_client_sends)

    def test_connections_that_come_and_go(self):
        """Handshakes and ends lose segments too: 60 short connections at 5%."""
        self.wire.lose(5)
        port = self.serve("echo")
        wires = {}
        for _ in range(60):
            wire = self.client(port)
            wires[self.number] = wire
        for number, wire in wires.items():
            wire.sendall(b"%04d" % number)
        for number, wire in wires.items():
            self.assertEqual(wire.recv(100), b"%04d" % number)
            wire.close()
        for number in wires:
            self.assertEqual(self.closed(number)["reason"], "peer_closed")


class LossReno(Loss):
    """The same by NewReno, but only what sends."""
    arguments = ("--congestion", "reno")
    frames_max = 0

    def test_a_thousandth(self):
        self.with_loss(0.1, self.our_client_sends)

    def test_a_hundredth(self):
        self.with_loss(1, self.our_client_sends)

    def test_a_twentieth(self):
        self.with_loss(5, self.our_client_sends)

    test_connections_that_come_and_go = None


if __name__ == "__main__":
    unittest.main()

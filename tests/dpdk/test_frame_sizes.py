"""Transfers at every frame size that an MTU or the peer's MSS asks for."""

import unittest

from case import MEGABYTE, FourWays, KernelPeerTest


class Jumbo(FourWays, KernelPeerTest):
    mtu = 9000
    bytes_in_ci, bytes_in_full = 4 * MEGABYTE, 1000 * MEGABYTE

    def test_a_few_frames_each_way_first(self):
        """So that the capture has both, however much follows."""
        self.kernel_client_sends(MEGABYTE)
        self.kernel_client_receives(MEGABYTE)

    @classmethod
    def look_at(cls, frames):
        for is_ours in (True, False):
            longest = max(int(frame["bytes"]) for frame in frames if cls.is_ours(frame) == is_ours)
            if not 8000 < longest <= 9014:
                raise AssertionError("longest frame of %s: %d bytes"
                                     % ("ours" if is_ours else "the kernel's", longest))


class SmallMtu(FourWays, KernelPeerTest):
    """576 bytes, which leaves an MSS of 536."""
    mtu = 576

    @classmethod
    def look_at(cls, frames):
        longest = max(int(frame["bytes"]) for frame in frames)
        if longest > 590:
            raise AssertionError("a frame of %d bytes" % longest)
        offered = {frame["mss"] for frame in frames if cls.is_ours(frame) and frame["mss"]}
        if offered != {"536"}:
            raise AssertionError("we offer an MSS of %s" % offered)


class SmallMss(FourWays, KernelPeerTest):
    """The wire would carry more, but the kernel says 536 in its SYN and its SYN-ACK."""
    how = {"mss": 536}

    @classmethod
    def look_at(cls, frames):
        longest = max(int(frame["payload_bytes"]) for frame in frames
                      if cls.is_ours(frame) and frame["payload_bytes"])
        # The MSS counts no options (RFC 9293, 3.7.1), and each segment has timestamps: 12 bytes.
        if longest != cls.how["mss"] - 12:
            raise AssertionError("our longest segment has %d bytes of payload" % longest)


if __name__ == "__main__":
    unittest.main()

"""The base of every test here: a wire, a stack_peer on it and a capture for each test class."""

import itertools
import os
import shutil
import unittest

import capture
import kernel_side as kernel
from peer_process import PeerProcess, settings
from wire import OUR_MAC, Wire

_ports = itertools.count(40001)
MEGABYTE = 1_000_000


def amount(usual, full):
    """How many bytes to move: few in CI, those of the issue when asked for."""
    return full if settings.full else usual


class KernelPeerTest(unittest.TestCase):
    mtu = 1500
    arguments = ()             # of stack_peer
    frames_max = 20_000        # that are captured and checked; 0: none are
    longMessage = True

    @classmethod
    def setUpClass(cls):
        cls.wire, cls.peer, cls.capture = Wire(cls.mtu), None, None
        cls.addClassCleanup(cls.wire.remove)
        if cls.frames_max:
            cls.capture = capture.Capture(cls.frames_max)
            cls.addClassCleanup(cls.capture.remove)
        cls.start_peer()
        cls.addClassCleanup(cls.end_peer)

    @classmethod
    def start_peer(cls):
        cls.peer = PeerProcess([*cls.wire.peer_arguments(), *cls.arguments])

    @classmethod
    def end_peer(cls):
        if cls.peer.process.poll() is None:
            cls.peer.kill()

    @classmethod
    def tearDownClass(cls):
        counters = cls.peer.counters()
        problem = cls.peer.stop()
        if problem:
            raise AssertionError(problem)
        if counters["tcp_bad_checksum"] or counters["tcp_bad_header"]:
            raise AssertionError("we take a segment of the kernel's for damaged: %s" % counters)
        if cls.capture:
            frames = cls.capture.frames()
            cls.check_frames(frames)
            cls.look_at(frames)

    @classmethod
    def check_frames(cls, frames):
        """None is malformed or has a wrong checksum, ours and the kernel's."""
        bad = [frame for frame in frames if capture.is_bad(frame)]
        if bad:
            path = "/tmp/kernel-peer-%s.pcap" % cls.__name__
            shutil.copy(cls.capture.path, path)
            raise AssertionError("%d of %d frames are bad, see %s; the first: %s"
                                 % (len(bad), len(frames), path, bad[0]))
        unchecked = [frame for frame in frames if frame["tcp_checksum"] not in ("", "0", "1")]
        if unchecked:
            raise AssertionError("tshark didn't check: %s" % unchecked[0])
        if not any(cls.is_ours(frame) and frame["tcp_checksum"] for frame in frames):
            raise AssertionError("no TCP segment of ours in the capture")

    @classmethod
    def look_at(cls, frames):
        """For more that a class wants to see in its capture; raises AssertionError."""

    @staticmethod
    def is_ours(frame):
        return frame["from_mac"] == OUR_MAC

    def setUp(self):
        self.open_sockets = []

    def tearDown(self):
        for one in self.open_sockets:
            one.close()
        problem = self.peer.trouble()
        if not problem and not getattr(self._outcome, "success", True):
            print("stack_peer after %s:\n%s" % (self.id(), self.peer.dump()), flush=True)
        if problem:
            self.fail(problem)

    # -- moves --------------------------------------------------------------------------------------

    def new_port(self):
        """A port that no other test of this process uses."""
        return next(_ports)

    def keep(self, made):
        self.open_sockets.append(made)
        return made

    def serve(self, role, count=0, family=4):
        """Has the peer listen; returns the port."""
        port = self.new_port()
        self.peer.listen(self.wire.ours[family], port, role, count)
        return port

    def client(self, port, family=4, mss=None, receive_buffer=None):
        """A kernel socket connected to the peer, whose number for it is self.number then."""
        made = self.keep(kernel.new_socket(family))
        if mss:
            made.setsockopt(kernel.socket.IPPROTO_TCP, kernel.socket.TCP_MAXSEG, mss)
        if receive_buffer:
            made.setsockopt(kernel.socket.SOL_SOCKET, kernel.socket.SO_RCVBUF, receive_buffer)
        made.connect((self.wire.ours[family], port))
        self.number = self.peer.expect("accepted", port=port)["id"]
        return made

    def listener(self, family=4, **more):
        """A kernel socket that listens; returns it and its port."""
        port = self.new_port()
        return self.keep(kernel.listen(self.wire.kernel[family], port, **more)), port

    def called(self, role, count=0, family=4, **more):
        """A kernel socket that the peer has connected to; its number is self.number then."""
        listener, port = self.listener(family, **more)
        [self.number] = self.peer.connect(self.wire.kernel[family], port, role, count)
        return self.keep(kernel.accept(listener))

    def closed(self, number=None, **more):
        """The peer's report of the end of a connection: of the newest, when no number is said."""
        return self.peer.expect("closed", id=self.number if number is None else number, **more)

    # -- whole transfers ----------------------------------------------------------------------------

    def kernel_client_sends(self, count, family=4, mss=None):
        port = self.serve("sink", family=family)
        sender = self.client(port, family, mss)
        sent = kernel.send_stream(sender, count)
        sender.close()
        self.assert_arrived(self.closed(), sent, "peer_closed")

    def kernel_client_receives(self, count, family=4, mss=None):
        port = self.serve("serve", family=family)
        receiver = self.client(port, family, mss)
        receiver.sendall(b"%d\n" % count)
        got = kernel.receive_stream(receiver)
        receiver.close()
        self.assert_delivered(self.closed(), got, count)

    def our_client_sends(self, count, family=4, **more):
        receiver = self.called("source", count, family, **more)
        got = kernel.receive_stream(receiver)
        receiver.close()
        self.assert_delivered(self.closed(), got, count)

    def our_client_receives(self, count, family=4, **more):
        sender = self.called("sink", 0, family, **more)
        sent = kernel.send_stream(sender, count)
        sender.close()
        self.assert_arrived(self.closed(), sent, "peer_closed")

    def assert_arrived(self, closed, sent, reason):
        """What the kernel sent has reached the peer."""
        self.assertEqual((closed["received"], closed["received_hash"]), (sent.bytes, sent.hash))
        self.assertEqual(closed["reason"], reason)

    def assert_delivered(self, closed, got, count):
        """What the peer sent has reached the kernel."""
        self.assertEqual(got.bytes, count)
        self.assertEqual((closed["sent"], closed["sent_hash"]), (got.bytes, got.hash))
        self.assertEqual(closed["reason"], "local")


class FourWays:
    """The ways that a bulk transfer can go, as tests of the class that this is mixed into."""
    bytes_in_ci, bytes_in_full = MEGABYTE, 256 * MEGABYTE
    how = {}                   # more for the moves: family, mss

    def bulk(self):
        return amount(self.bytes_in_ci, self.bytes_in_full)

    def test_a_linux_client_sends_to_our_server(self):
        self.kernel_client_sends(self.bulk(), **self.how)

    def test_a_linux_client_receives_from_our_server(self):
        self.kernel_client_receives(self.bulk(), **self.how)

    def test_our_client_sends_to_a_linux_server(self):
        self.our_client_sends(self.bulk(), **self.how)

    def test_our_client_receives_from_a_linux_server(self):
        self.our_client_receives(self.bulk(), **self.how)


def read_environment():
    settings.full = os.environ.get("MILLRACE_KERNEL_PEER_FULL", "") not in ("", "0")

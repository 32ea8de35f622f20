"""A thousand connections at a time, by each side."""

import selectors
import unittest

import kernel_side as kernel
from case import KernelPeerTest

COUNT = 1000
MESSAGE_BYTES = 4096


class Many(KernelPeerTest):
    frames_max = 40_000

    def test_a_thousand_linux_clients_of_our_echo_server(self):
        port = self.serve("echo")
        wires, numbers = [], []
        for _ in range(COUNT):
            wires.append(self.client(port))
            numbers.append(self.number)
        self.assertEqual(self.peer.counters()["tcp_connections"], COUNT)
        messages = [b"%08d" % number * (MESSAGE_BYTES // 8) for number in range(COUNT)]
        for _ in range(3):
            for wire, message in zip(wires, messages):
                wire.sendall(message)
            for wire, message in zip(wires, messages):
                self.assertEqual(receive_exactly(wire, MESSAGE_BYTES), message)
        for wire in wires:
            wire.close()
        for number in numbers:
            closed = self.closed(number)
            self.assertEqual((closed["reason"], closed["received"]),
                             ("peer_closed", 3 * MESSAGE_BYTES))

    def test_a_thousand_clients_of_ours_of_a_linux_echo_server(self):
        listener, port = self.listener(backlog=4096)
        serving = kernel.Task(serve_echo, listener, COUNT)
        numbers = self.peer.connect(self.wire.kernel[4], port, "probe", MESSAGE_BYTES, COUNT)
        for number in numbers:
            self.peer.expect("connected", id=number)
        for number in numbers:
            closed = self.closed(number)
            self.assertEqual(closed["reason"], "local")
            self.assertEqual((closed["received"], closed["received_hash"]),
                             (MESSAGE_BYTES, closed["sent_hash"]))
        self.assertEqual(serving.result(), COUNT * MESSAGE_BYTES)


def receive_exactly(wire, count):
    got = b""
    while len(got) < count:
        more = wire.recv(count - len(got))
        if not more:
            raise EOFError("closed after %d of %d bytes" % (len(got), count))
        got += more
    return got


def serve_echo(listener, connection_count):
    """Until that many connections have come and gone; returns how many bytes were echoed."""
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    ended_count = bytes_echoed = 0
    try:
        while ended_count < connection_count:
            ready = waiting.select(kernel.TIMEOUT_S)
            if not ready:
                raise TimeoutError("%d of %d connections ended" % (ended_count, connection_count))
            for key, _ in ready:
                if key.fileobj is listener:
                    waiting.register(kernel.accept(listener), selectors.EVENT_READ)
                    continue
                data = key.fileobj.recv(65536)
                key.fileobj.sendall(data)
                bytes_echoed += len(data)
                if not data:
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()
                    ended_count += 1
    finally:
        for key in list(waiting.get_map().values()):
            if key.fileobj is not listener:
                key.fileobj.close()
        waiting.close()
    return bytes_echoed


if __name__ == "__main__":
    unittest.main()

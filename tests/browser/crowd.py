"""Clients in a thread of their own, who read what comes; those who are told not to read don't."""

import selectors
import threading

import mqtt_wire as mqtt


class Crowd:
    def __init__(self, address):
        self.address = address
        self.wires = []
        self.bytes_read = 0
        self.selector = selectors.DefaultSelector()
        self.lock = threading.Lock()
        self.is_over = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def join(self, client_id, *filters, is_reading=True, receive_buffer=None):
        """A connected client; it has subscribed to `filters`."""
        wire = mqtt.Wire(self.address, 5, receive_buffer=receive_buffer)
        self.wires.append(wire)
        wire.client_id = client_id
        wire.send(mqtt.connect(client_id, 5))
        answer = wire.receive()
        assert (answer.kind, answer.reason) == (mqtt.CONNACK, 0), repr(answer)
        if filters:
            wire.send(mqtt.subscribe(1, [(one, 0) for one in filters]))
            answer = wire.receive()
            assert answer.kind == mqtt.SUBACK and max(answer.reasons) < 0x80, repr(answer)
        if is_reading:
            with self.lock:
                self.selector.register(wire.sock, selectors.EVENT_READ, wire)
        return wire

    def close(self):
        self.is_over = True
        self.thread.join()
        for wire in self.wires:
            wire.close()
        self.selector.close()

    def _read(self):
        while not self.is_over:
            with self.lock:
                ready = self.selector.select(0.02)
                for key, _ in ready:
                    self._take(key.data)
            if not ready:
                threading.Event().wait(0.02)

    def _take(self, wire):
        try:
            data = wire.sock.recv(1 << 18)
        except OSError:
            data = b""
        self.bytes_read += len(data)
        if not data:
            self.selector.unregister(wire.sock)

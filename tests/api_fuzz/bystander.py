"""An MQTT client with nothing to do with the API, on whom it must not weigh: it publishes to itself
the whole time, and nothing may be lost, late for ever or out of order."""

import threading
import time

import mqtt_wire as mqtt

ANSWER_TIMEOUT_S = 20.0
PAUSE_S = 0.004
TOPIC = "bystander/own"


class Bystander:
    """A thread from start() to stop()."""

    def __init__(self, address):
        self.count, self.worst_s, self.fault = 0, 0.0, None
        self.is_ending = threading.Event()
        self.wire = mqtt.Wire(address, 5, ANSWER_TIMEOUT_S)
        self.wire.send(mqtt.connect("bystander", 5))
        assert self.wire.receive().kind == mqtt.CONNACK
        self.wire.send(mqtt.subscribe(1, [(TOPIC, 1)]))
        assert self.wire.receive().kind == mqtt.SUBACK
        self.thread = threading.Thread(target=self.run)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        """What went wrong, or None."""
        self.is_ending.set()
        self.thread.join()
        self.wire.close()
        return self.fault

    def run(self):
        try:
            while not self.is_ending.is_set():
                self.publish_and_receive()
                time.sleep(PAUSE_S)
        except (mqtt.Closed, mqtt.Timeout, mqtt.BadPacket, OSError, ValueError) as error:
            self.fault = "after %d messages: %s: %s" % (self.count, type(error).__name__, error)

    def publish_and_receive(self):
        start = time.monotonic()
        payload = b"%d" % self.count
        self.wire.send(mqtt.publish(TOPIC, payload, qos=1, packet_id=self.count % 65535 + 1))
        missing = {"message", "acknowledgement"}
        while missing:
            got = self.wire.receive()
            if got.kind == mqtt.PUBACK:
                missing.discard("acknowledgement")
                continue
            if got.kind != mqtt.PUBLISH:
                raise ValueError("got %r" % got)
            if got.qos == 1:
                self.wire.send(mqtt.ack(mqtt.PUBACK, got.packet_id))
            # Others may publish, or tell everybody something.
            if got.topic == TOPIC and got.payload.isdigit():
                if got.payload != payload:
                    raise ValueError("wanted %r, got %r" % (payload, got.payload))
                missing.discard("message")
        self.count += 1
        self.worst_s = max(self.worst_s, time.monotonic() - start)

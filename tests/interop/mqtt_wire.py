"""MQTT 3.1.1 and 5.0 packets as bytes, and a client that sends and receives them one by one.

Unlike a client library it does nothing by itself: it never acknowledges, pings or reconnects, and
it sends any bytes that a test asks for. So a test sees exactly what the broker said, in order.
Packets are built and read here from the OASIS documents alone; nothing is shared with the broker.
"""

import select
import socket
import struct
import time

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)
NAMES = ("reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
         "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT",
         "AUTH")

# MQTT 5.0, 2.2.2.2: identifier and type of every property.
PROPERTIES = {
    "payload_format": (0x01, "byte"), "message_expiry": (0x02, "u32"),
    "content_type": (0x03, "text"), "response_topic": (0x08, "text"),
    "correlation_data": (0x09, "binary"), "subscription_id": (0x0b, "varint"),
    "session_expiry": (0x11, "u32"), "assigned_client_id": (0x12, "text"),
    "server_keep_alive": (0x13, "u16"), "authentication_method": (0x15, "text"),
    "authentication_data": (0x16, "binary"), "request_problem_information": (0x17, "byte"),
    "will_delay": (0x18, "u32"), "request_response_information": (0x19, "byte"),
    "response_information": (0x1a, "text"), "server_reference": (0x1c, "text"),
    "reason_string": (0x1f, "text"), "receive_maximum": (0x21, "u16"),
    "topic_alias_maximum": (0x22, "u16"), "topic_alias": (0x23, "u16"),
    "maximum_qos": (0x24, "byte"), "retain_available": (0x25, "byte"),
    "user": (0x26, "pair"), "maximum_packet_size": (0x27, "u32"),
    "wildcard_available": (0x28, "byte"), "subscription_ids_available": (0x29, "byte"),
    "shared_available": (0x2a, "byte"),
}
BY_ID = {number: (name, kind) for name, (number, kind) in PROPERTIES.items()}
REPEATABLE = ("user", "subscription_id")

DEFAULT_TIMEOUT_S = 10.0


class Closed(Exception):
    """The broker closed the connection (or reset it) where a packet was wanted."""


class Timeout(Exception):
    """Nothing came in time."""


class BadPacket(Exception):
    """What the broker sent is not a legal packet."""


# ---- building -----------------------------------------------------------------------------------

def varint(value):
    out = bytearray()
    while True:
        byte, value = value & 0x7f, value >> 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("!H", len(raw)) + raw


def property_bytes(name, value):
    number, kind = PROPERTIES[name]
    head = bytes([number])
    if kind == "byte":
        return head + bytes([value])
    if kind == "u16":
        return head + struct.pack("!H", value)
    if kind == "u32":
        return head + struct.pack("!I", value)
    if kind == "varint":
        return head + varint(value)
    if kind == "pair":
        return head + text(value[0]) + text(value[1])
    return head + text(value)


def properties(values):
    """A property section with its length. `values`: dict (lists where repeatable) or bytes."""
    if isinstance(values, bytes):
        return varint(len(values)) + values
    body = b""
    for name, value in (values or {}).items():
        several = name in REPEATABLE and isinstance(value, list)
        for one in value if several else [value]:
            body += property_bytes(name, one)
    return varint(len(body)) + body


def packet(kind, body=b"", flags=0):
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def connect(client_id="", version=5, clean=True, keep_alive=0, props=None, will=None,
            user_name=None, password=None, name="MQTT", level=None, flags=None):
    """`will`: dict of topic, payload, qos, retain, props. `flags` overrides the computed byte."""
    computed = 0x02 if clean else 0
    payload = text(client_id)
    if will:
        computed |= 0x04 | will.get("qos", 0) << 3 | (0x20 if will.get("retain") else 0)
        if version == 5:
            payload += properties(will.get("props"))
        payload += text(will["topic"]) + text(will.get("payload", b""))
    if user_name is not None:
        computed |= 0x80
        payload += text(user_name)
    if password is not None:
        computed |= 0x40
        payload += text(password)
    body = text(name) + bytes([version if level is None else level])
    body += bytes([computed if flags is None else flags]) + struct.pack("!H", keep_alive)
    if version == 5:
        body += properties(props)
    return packet(CONNECT, body + payload)


def publish(topic, payload=b"", qos=0, packet_id=None, retain=False, dup=False, version=5,
            props=None):
    body = text(topic)
    if qos:
        body += struct.pack("!H", packet_id)
    if version == 5:
        body += properties(props)
    raw = payload if isinstance(payload, bytes) else payload.encode()
    return packet(PUBLISH, body + raw, (8 if dup else 0) | qos << 1 | (1 if retain else 0))


def ack(kind, packet_id, reason=None, version=5, props=None):
    body = struct.pack("!H", packet_id)
    if version == 5 and (reason is not None or props):
        body += bytes([reason or 0])
        if props:
            body += properties(props)
    return packet(kind, body, 2 if kind == PUBREL else 0)


def options(qos=0, no_local=False, retain_as_published=False, retain_handling=0):
    return qos | (4 if no_local else 0) | (8 if retain_as_published else 0) | retain_handling << 4


def subscribe(packet_id, filters, version=5, props=None):
    """`filters`: list of (filter, options byte)."""
    body = struct.pack("!H", packet_id)
    if version == 5:
        body += properties(props)
    return packet(SUBSCRIBE, body + b"".join(text(topic_filter) + bytes([option])
                                             for topic_filter, option in filters), 2)


def unsubscribe(packet_id, filters, version=5, props=None):
    body = struct.pack("!H", packet_id)
    if version == 5:
        body += properties(props)
    return packet(UNSUBSCRIBE, body + b"".join(text(one) for one in filters), 2)


def disconnect(reason=None, version=5, props=None):
    body = b""
    if version == 5 and (reason is not None or props):
        body = bytes([reason or 0]) + (properties(props) if props else b"")
    return packet(DISCONNECT, body)


# ---- reading ------------------------------------------------------------------------------------

class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise BadPacket("packet ends inside a field: %s" % self.data.hex())
        out = self.data[self.at:self.at + count]
        self.at += count
        return out

    def left(self):
        return len(self.data) - self.at

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return struct.unpack("!H", self.take(2))[0]

    def u32(self):
        return struct.unpack("!I", self.take(4))[0]

    def varint(self):
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.u8()
            value |= (byte & 0x7f) << shift
            if not byte & 0x80:
                return value
        raise BadPacket("variable byte integer of five bytes")

    def binary(self):
        return self.take(self.u16())

    def text(self):
        try:
            return self.binary().decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadPacket(str(error))

    def properties(self):
        inner, out = Reader(self.take(self.varint())), {}
        while inner.left():
            number = inner.u8()
            if number not in BY_ID:
                raise BadPacket("unknown property 0x%02x" % number)
            name, kind = BY_ID[number]
            if kind == "byte":
                value = inner.u8()
            elif kind == "pair":
                value = (inner.text(), inner.text())
            else:
                value = getattr(inner, kind)()
            if name in REPEATABLE:
                out.setdefault(name, []).append(value)
            elif name in out:
                raise BadPacket("property %s stands twice" % name)
            else:
                out[name] = value
        return out


class Packet:
    """A received packet: `kind`, `flags`, `raw`, `props` and what its kind has beside these."""

    def __init__(self, first, body, version):
        self.kind, self.flags, self.body, self.version = first >> 4, first & 15, body, version
        self.props, self.reason, self.packet_id = {}, None, None
        self.total_bytes = 1 + len(varint(len(body))) + len(body)
        reader = Reader(body)
        parse = {CONNACK: self._connack, PUBLISH: self._publish, SUBACK: self._suback,
                 UNSUBACK: self._suback, DISCONNECT: self._reason_only, AUTH: self._reason_only}
        for kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
            parse[kind] = self._ack
        if self.kind == PINGRESP:
            if body:
                raise BadPacket("PINGRESP with a body")
        elif self.kind in parse:
            parse[self.kind](reader)
        else:
            raise BadPacket("a server never sends type %d" % self.kind)
        if self.kind != PUBLISH and self.flags != (2 if self.kind == PUBREL else 0):
            raise BadPacket("reserved flags of %s: %d" % (NAMES[self.kind], self.flags))
        if reader.left():
            raise BadPacket("%d bytes too many in %s" % (reader.left(), NAMES[self.kind]))

    def _connack(self, reader):
        acknowledge = reader.u8()
        if acknowledge > 1:
            raise BadPacket("CONNACK flags 0x%02x" % acknowledge)
        self.session_present, self.reason = bool(acknowledge), reader.u8()
        if self.version == 5:
            self.props = reader.properties()

    def _publish(self, reader):
        self.qos, self.retain = self.flags >> 1 & 3, bool(self.flags & 1)
        self.dup = bool(self.flags & 8)
        if self.qos == 3 or (self.dup and self.qos == 0):
            raise BadPacket("PUBLISH flags %d" % self.flags)
        self.topic = reader.text()
        if self.qos:
            self.packet_id = reader.u16()
            if self.packet_id == 0:
                raise BadPacket("packet identifier 0")
        if self.version == 5:
            self.props = reader.properties()
        self.payload = reader.take(reader.left())

    def _ack(self, reader):
        self.packet_id, self.reason = reader.u16(), 0
        if self.version == 5 and reader.left():
            self.reason = reader.u8()
            if reader.left():
                self.props = reader.properties()

    def _suback(self, reader):
        self.packet_id = reader.u16()
        if self.version == 5:
            self.props = reader.properties()
        self.reasons = list(reader.take(reader.left()))

    def _reason_only(self, reader):
        if self.version != 5:
            raise BadPacket("%s from a 3.1.1 server" % NAMES[self.kind])
        self.reason = reader.u8() if reader.left() else 0
        if reader.left():
            self.props = reader.properties()

    def __repr__(self):
        extra = "".join(" %s=%r" % (name, getattr(self, name)) for name in
                        ("topic", "payload", "qos", "retain", "dup", "session_present", "reasons")
                        if hasattr(self, name))
        reason = "" if self.reason is None else " reason=0x%02x" % self.reason
        number = "" if self.packet_id is None else " id=%d" % self.packet_id
        return "<%s%s%s%s %r>" % (NAMES[self.kind], number, reason, extra[:300], self.props)


# ---- a connection -------------------------------------------------------------------------------

class Wire:
    """One TCP connection to the broker, at (host, port). Every wait ends by DEFAULT_TIMEOUT_S or the one given."""

    def __init__(self, address, version=5, timeout=DEFAULT_TIMEOUT_S, receive_buffer=None):
        self.version, self.timeout, self.buffer = version, timeout, b""
        self.next_id, self.connack, self.client_id = 1, None, None
        self.pending = []  # packets read ahead by a barrier, handed out first
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        self.poller = select.poll()  # select() ends at 1,024 descriptors
        self.poller.register(self.sock, select.POLLIN)

    def fileno(self):
        return self.sock.fileno()

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed(str(error))

    def close(self):
        """FIN without DISCONNECT: an abnormal end in MQTT's sense."""
        self.sock.close()

    def reset(self):
        """RST."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.sock.close()

    def take_packet(self):
        """One whole packet of what was read so far, or None."""
        if len(self.buffer) < 2:
            return None
        value, at = 0, 1
        for shift in (0, 7, 14, 21):
            if at >= len(self.buffer):
                return None
            byte = self.buffer[at]
            value |= (byte & 0x7f) << shift
            at += 1
            if not byte & 0x80:
                break
        else:
            raise BadPacket("packet length of five bytes")
        if len(self.buffer) < at + value:
            return None
        first, body = self.buffer[0], self.buffer[at:at + value]
        self.buffer = self.buffer[at + value:]
        return Packet(first, body, self.version)

    def receive(self, timeout=None):
        if self.pending:
            return self.pending.pop(0)
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            got = self.take_packet()
            if got is not None:
                return got
            left = max(0.0, deadline - time.monotonic())
            if not self.poller.poll(left * 1000):  # what is there already is never missed
                raise Timeout("no packet in time")
            try:
                data = self.sock.recv(1 << 16)
            except (ConnectionResetError, BrokenPipeError) as error:
                raise Closed(str(error))
            if not data:
                raise Closed("closed by the broker")
            self.buffer += data

    def next_packet_id(self):
        out = self.next_id
        self.next_id = out % 65535 + 1
        return out

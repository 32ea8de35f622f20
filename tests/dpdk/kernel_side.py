"""The kernel's end: sockets with the same congestion control as ours, streams of pseudo-random bytes
and their hash. The hash is that of stack_peer (XXH3, 64 bits)."""

import ctypes
import random
import socket
import struct
import threading

TIMEOUT_S = 25.0
PIECE_BYTES = 256 * 1024
PATTERN_BYTES = 4 * 1024 * 1024 + 8191

_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_createState.restype = ctypes.c_void_p
_xxhash.XXH3_freeState.argtypes = [ctypes.c_void_p]
_xxhash.XXH3_64bits_reset.argtypes = [ctypes.c_void_p]
_xxhash.XXH3_64bits_update.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
_xxhash.XXH3_64bits_digest.argtypes = [ctypes.c_void_p]
_xxhash.XXH3_64bits_digest.restype = ctypes.c_uint64

_pattern = bytearray(random.Random(4711).randbytes(PATTERN_BYTES))


class Digest:
    """Bytes of a stream in order: how many, and their hash."""

    def __init__(self):
        self.bytes = 0
        self._state = _xxhash.XXH3_createState()
        _xxhash.XXH3_64bits_reset(self._state)

    def __del__(self):
        _xxhash.XXH3_freeState(self._state)

    def add(self, data, count=None):
        """The first `count` bytes of a bytearray, or of bytes."""
        count = len(data) if count is None else count
        if count == 0:
            return
        if isinstance(data, bytes):
            place = data
        else:
            place = ctypes.addressof((ctypes.c_char * count).from_buffer(data))
        _xxhash.XXH3_64bits_update(self._state, place, count)
        self.bytes += count

    @property
    def hash(self):
        return "%016x" % _xxhash.XXH3_64bits_digest(self._state)


def new_socket(family=4):
    made = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
    made.settimeout(TIMEOUT_S)
    # The default here is bbr, which takes loss for no sign of anything.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    return made


def listen(address, port, backlog=1024, receive_buffer=None, mss=None):
    listener = new_socket(6 if ":" in address else 4)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if receive_buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if mss:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
    listener.bind((address, port))
    listener.listen(backlog)
    return listener


def accept(listener):
    accepted, _ = listener.accept()
    accepted.settimeout(TIMEOUT_S)
    return accepted


def send_stream(to, count):
    """Sends `count` bytes; returns their digest."""
    digest = Digest()
    place = 0
    while digest.bytes < count:
        piece = min(PIECE_BYTES, count - digest.bytes, PATTERN_BYTES - place)
        view = memoryview(_pattern)[place:place + piece]
        to.sendall(view)
        digest.add(view)
        place += piece
        if place == PATTERN_BYTES:
            place = digest.bytes % 8191  # each round begins elsewhere
    return digest


def receive_stream(source, digest=None, count=None):
    """Everything until the peer's end (or `count` bytes); returns the digest."""
    digest = digest or Digest()
    room = bytearray(PIECE_BYTES)
    while count is None or digest.bytes < count:
        got = source.recv_into(room)
        if got == 0:
            break
        digest.add(room, got)
    return digest


class Task(threading.Thread):
    """Runs a function beside the test; result() gives its value, or raises what it raised."""

    def __init__(self, function, *arguments):
        super().__init__(daemon=True)
        self._call, self._value, self._error = (function, arguments), None, None
        self.start()

    def run(self):
        function, arguments = self._call
        try:
            self._value = function(*arguments)
        except BaseException as error:  # the test's thread is to see it, whatever it is
            self._error = error

    def result(self, timeout=TIMEOUT_S):
        self.join(timeout)
        if self.is_alive():
            raise TimeoutError("still running after %d s: %s" % (timeout, self._call[0].__name__))
        if self._error:
            raise self._error
        return self._value


def close_with_reset(victim):
    victim.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    victim.close()


def forget(victim):
    """Ends a connection without telling its peer, as a crash of the machine would."""
    victim.setsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_REPAIR", 19), 1)
    victim.close()


def keep_alive(which, idle_s, interval_s, probes):
    which.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    which.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
    which.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval_s)
    which.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, probes)


# ---- ping ---------------------------------------------------------------------------------------

def _internet_checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ping(address, payload_bytes=56, timeout_s=5.0):
    """One echo request; returns whether its answer came back with the same payload."""
    is_ipv6 = ":" in address
    family, protocol = ((socket.AF_INET6, socket.IPPROTO_ICMPV6) if is_ipv6
                        else (socket.AF_INET, socket.IPPROTO_ICMP))
    request, answer = (128, 129) if is_ipv6 else (8, 0)
    payload = random.randbytes(payload_bytes)
    head = struct.pack("!HH", random.randrange(65536), 1)
    checksum = 0 if is_ipv6 else _internet_checksum(
        struct.pack("!BBH", request, 0, 0) + head + payload)  # for IPv6 the kernel fills it in
    with socket.socket(family, socket.SOCK_RAW, protocol) as raw:
        raw.settimeout(timeout_s)
        raw.sendto(struct.pack("!BBH", request, 0, checksum) + head + payload, (address, 0))
        try:
            while True:
                got = raw.recv(65536)
                if not is_ipv6:
                    got = got[(got[0] & 15) * 4:]
                if got[0] == answer and got[4:8] == head:
                    return got[8:] == payload
        except TimeoutError:
            return False

"""A request as bytes, so that it may be wrong in every way, and the answer to it."""

import json
import shlex
import socket
import time
import urllib.parse

ANSWER_TIMEOUT_S = 15.0   # more than a server may take: who waits longer has found a hang
ANSWER_BYTES_MAX = 64 << 20


class Broken(Exception):
    """No HTTP answer came: closed, or not HTTP."""


class Hang(Exception):
    """Nothing more came in time."""


def percent(text, safe=""):
    """Percent-encoded; `text` may be bytes, which needn't be UTF-8."""
    return urllib.parse.quote(text, safe=safe)


class Request:
    """`query`: pairs of texts or bytes, in order. `body`: bytes, or None."""

    def __init__(self, method, path, query=(), body=None, headers=(), declared_bytes=None):
        self.method, self.path, self.query, self.body = method, path, list(query), body
        self.headers = list(headers)
        self.declared_bytes = declared_bytes  # Content-Length, when it's not the body's

    def target(self):
        words = ["%s=%s" % (percent(name), percent(value)) for name, value in self.query]
        return self.path + ("?" + "&".join(words) if words else "")

    def wire(self, host):
        names = {name.lower() for name, _ in self.headers}
        lines = ["%s %s HTTP/1.1" % (self.method, self.target())]
        if "host" not in names:
            lines.append("Host: " + host)
        lines += ["%s: %s" % pair for pair in self.headers]
        count = len(self.body or b"") if self.declared_bytes is None else self.declared_bytes
        if self.body is not None or self.declared_bytes is not None:
            lines.append("Content-Length: %d" % count)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (self.body or b"")

    def command(self, host):
        """What repeats it by hand."""
        words = ["curl", "-i", "--path-as-is", "-X", self.method]
        for pair in self.headers:
            words += ["-H", "%s: %s" % pair]
        if self.body is not None:
            body = self.body if len(self.body) < 4000 else self.body[:200] + b"..."
            words += ["--data-binary", body.decode("utf-8", "backslashreplace")]
        return " ".join(map(shlex.quote, words + ["http://%s%s" % (host, self.target())]))


class Answer:
    def __init__(self, status, headers, body, seconds):
        self.status, self.headers, self.body, self.seconds = status, headers, body, seconds

    def json(self):
        return json.loads(self.body.decode())

    def media_type(self):
        return self.headers.get("content-type", "")


def parse(data, method, seconds):
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator or not head.startswith(b"HTTP/1."):
        raise Broken("no answer, but %r" % data[:100])
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    wanted = int(headers.get("content-length", len(body)))
    if method != "HEAD" and len(body) != wanted:
        raise Broken("%d bytes of a body of %d" % (len(body), wanted))
    return Answer(int(lines[0].split()[1]), headers, body, seconds)


class Client:
    """Asks a server. Each request has a connection of its own, as the listener wants it."""

    def __init__(self, port, host="127.0.0.1", headers=()):
        self.host, self.port, self.headers = host, port, list(headers)
        self.count = 0

    @property
    def address(self):
        return "%s:%d" % (self.host, self.port)

    def ask(self, request, timeout=ANSWER_TIMEOUT_S):
        wanted = {name.lower() for name, _ in request.headers}
        request.headers += [pair for pair in self.headers if pair[0].lower() not in wanted]
        return self.send(request.wire(self.address), request.method, timeout)

    def get(self, path, **query):
        return self.ask(Request("GET", path, query.items()))

    def send(self, data, method="GET", timeout=ANSWER_TIMEOUT_S):
        self.count += 1
        start = time.monotonic()
        with socket.create_connection((self.host, self.port), timeout) as wire:
            try:
                wire.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it may have answered before it read all
            got = b""
            try:
                while more := wire.recv(1 << 16):
                    got += more
                    if len(got) > ANSWER_BYTES_MAX or time.monotonic() - start > timeout:
                        raise Hang("an answer that doesn't end")
            except TimeoutError:
                raise Hang("no whole answer within %d s" % timeout)
            except ConnectionResetError:
                if not got:
                    raise Broken("reset without an answer")
        return parse(got, method, time.monotonic() - start)

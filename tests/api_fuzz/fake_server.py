"""A server that answers as the document says, from the document alone, and with one fault on demand:
what the tests of the tests ask. It knows nothing of MQTT."""

import http.server
import json
import re
import threading
import time
import urllib.parse

import jsonschema

import document as documents
from judge import REFUSALS


def example(document, schema):
    """The smallest value that a schema allows, for answers."""
    schema = document.follow(schema)
    if schema.get("nullable"):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if "allOf" in schema:
        return example(document, schema["allOf"][0])
    kind = schema.get("type")
    if kind == "object":
        return {name: example(document, one) for name, one in schema.get("properties", {}).items()
                if name in schema.get("required", ())}
    simple = {"string": "20261130T120000Z" if "Z" in schema.get("pattern", "") else "1",
              "integer": schema.get("minimum", 0), "number": schema.get("minimum", 0),
              "boolean": False, "array": [example(document, schema["items"])] *
              schema.get("minItems", 0) if kind == "array" else []}
    value = simple[kind]
    return "1 of 1" if schema.get("pattern", "").startswith("^1 of") else value


class Refusal(Exception):
    def __init__(self, status, where, allow=None):
        super().__init__(status)
        self.status, self.where, self.allow = status, where, allow


class FakeServer:
    """At `port`, until close(). `fault`: what it does wrong, a key of FAULTS."""

    def __init__(self, document):
        self.document, self.fault = document, None
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                self.raw_requestline = self.rfile.readline(1 << 16)
                if self.raw_requestline and self.parse_request():
                    owner.answer(self)
                    self.wfile.flush()
                self.close_connection = True

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who asks may go before the answer
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, handler):
        status, allow = 0, None
        try:
            operation, query, values = self.find(handler)
            self.check(operation, query, values)
            self.check_body(operation, handler)
            status = int(next(one for one in operation.responses if one.startswith("2")))
            kind, schema = next(iter(operation.content(status).items()))
            body = example(self.document, schema)
            if operation.id == "getDocument":
                body = self.document.root
            data = json.dumps(body).encode() if kind == documents.JSON else b"data"
        except Refusal as refusal:
            status, kind, allow = refusal.status, documents.JSON, refusal.allow
            data = json.dumps({"error": {"code": self.document.error_code(status), "message": "no",
                                         "where": refusal.where}}).encode()
        if self.fault:
            status, data = FAULTS[self.fault](status, data)
        handler.send_response(status)
        for name, value in (("Content-Type", kind.replace("*/*", "text/css")),
                            ("Cache-Control", "no-store"), ("Content-Length", str(len(data)))):
            handler.send_header(name, value)
        if allow:
            handler.send_header("Allow", allow)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(data)

    def find(self, handler):
        """(operation, query pairs, {name: value of the path})"""
        target, _, query = handler.path.partition("?")
        host = handler.headers.get("Host", "")
        origin = handler.headers.get("Origin")
        if host != "127.0.0.1:%d" % self.port or origin not in (None, "http://" + host):
            raise Refusal(403, "header Host")
        # A path in words is found before one with a parameter in their place.
        for path in sorted(self.document.root["paths"], key=lambda one: ("{" in one, one)):
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", re.sub(r"[.]", r"\\.", path))
            match = re.fullmatch(pattern, target)
            if not match:
                continue
            allowed = self.document.allowed_methods(path)
            if handler.command not in allowed:
                raise Refusal(405, "method", ", ".join(sorted(allowed)))
            method = "GET" if handler.command == "HEAD" else handler.command
            operation = next(one for one in self.document.operations
                             if (one.path, one.method) == (path, method))
            return operation, [pair.partition("=")[::2] for pair in query.split("&") if query], {
                name: self.text(value, "path " + name) for name, value in match.groupdict().items()}
        raise Refusal(404, "path")

    @staticmethod
    def text(encoded, where):
        try:
            text = urllib.parse.unquote_to_bytes(encoded).decode()
        except UnicodeDecodeError:
            raise Refusal(400, where)
        if "\0" in text:
            raise Refusal(400, where)
        return text

    def check(self, operation, query, values):
        known = {one["name"]: one for one in operation.parameters_in("query")}
        seen = set()
        for name, value in query:
            name = self.text(name, "query")
            if name not in known and operation.path.startswith("/api/") or name in seen:
                raise Refusal(400, "query " + name)
            if name in known:
                self.check_word(known[name]["schema"], self.text(value, "query " + name),
                                "query " + name)
            seen.add(name)
        for name, one in known.items():
            if one.get("required") and name not in seen:
                raise Refusal(400, "query " + name)
        for one in operation.parameters_in("path"):
            self.check_word(one["schema"], values[one["name"]], "path " + one["name"])

    def check_word(self, schema, word, where):
        kind = self.document.follow(schema)["type"]
        value = word
        if kind == "integer":
            if not re.fullmatch(r"-?[0-9]+", word, re.ASCII):
                raise Refusal(400, where)
            value = int(word)
        elif kind == "boolean":
            value = {"true": True, "false": False}.get(word, word)
        if not jsonschema.Draft4Validator(self.document.json_schema(schema)).is_valid(value):
            raise Refusal(400, where)

    def check_body(self, operation, handler):
        count = int(handler.headers.get("Content-Length", "0"))
        schema = operation.body_schema()
        if schema is None:
            if count:
                raise Refusal(413, "body")
            return
        if handler.headers.get("Content-Type") != documents.JSON:
            raise Refusal(415, "header Content-Type")
        if count > 1 << 20:
            raise Refusal(413, "body")

        def no_constants(word):
            raise ValueError(word)

        def once(pairs):
            if len(dict(pairs)) != len(pairs):
                raise ValueError("twice")
            return dict(pairs)
        try:
            value = json.loads(handler.rfile.read(count).decode(), parse_constant=no_constants,
                               object_pairs_hook=once)
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise Refusal(400, "body")
        for error in jsonschema.Draft4Validator(
                self.document.json_schema(schema)).iter_errors(value):
            raise Refusal(400, " ".join(["body", *map(str, error.absolute_path)]))
        if any("\0" in one for one in value.values() if isinstance(one, str)):
            raise Refusal(400, "body")


def accepts_all(status, data):
    return (200, b"{}") if status in REFUSALS else (status, data)


def fails(status, data):
    return (500, data) if status in REFUSALS else (status, data)


def hangs(status, data):
    time.sleep(3)
    return status, data


def says_more(status, data):
    return status, data.replace(b'{"', b'{"surprise": 1, "', 1)


def says_no_place(status, data):
    return status, re.sub(rb'"where": "[^"]*"', b'"where": "somewhere"', data)


def refuses(status, data):
    return (400, b'{"error": {"code": "invalid_argument", "message": "no", "where": "query"}}') \
        if status < 300 else (status, data)


def says_half(status, data):
    return status, data[:-1]


FAULTS = {"accepts_all": accepts_all, "fails": fails, "hangs": hangs, "says_more": says_more,
          "says_no_place": says_no_place, "refuses": refuses, "says_half": says_half}

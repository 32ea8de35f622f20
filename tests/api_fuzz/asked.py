"""Requests made from the document: those it allows, and those it forbids, each with what must come."""

import json

from hypothesis import strategies as st

import document as documents
import values
from http_requests import Request, percent

# A profile takes the time it's asked for.
PINNED = {("takePprofProfile", "seconds"): 1, ("takeProfile", "seconds"): 1}
FOREIGN_ORIGINS = ("http://evil.example", "null", "https://127.0.0.1.evil.example")
FOREIGN_HOSTS = ("evil.example", "evil.example:%d", "127.0.0.1.evil.example:%d", "a b", "@")
BODY_BYTES_TOO_MANY = 64 << 20
NESTING = 100_000


class Parts:
    """A request before it is text: values by name."""

    def __init__(self, operation, path, query, body):
        self.operation, self.path, self.query, self.body = operation, path, query, body

    def target(self):
        path = self.operation.path
        for name, value in self.path.items():
            path = path.replace("{%s}" % name, percent(value))
        return path

    def request(self, query=None, body=None, headers=None, method=None):
        """With some parts in other words than those that are right."""
        pairs = [(name, word(value)) for name, value in self.query.items()] \
            if query is None else query
        if body is None and self.body is not None:
            body = json.dumps(self.body).encode()
        if headers is None:
            headers = [("Content-Type", documents.JSON)] if body is not None else []
        return Request(method or self.operation.method, self.target(), pairs, body, headers)

    def words_with(self, name, value):
        """The query with this one in the place of its own."""
        rest = [(key, word(one)) for key, one in self.query.items() if key != name]
        return rest + ([] if value is None else [(name, value)])

    def __repr__(self):
        return repr(self.request().command("HOST"))


def word(value):
    """As it stands in a query."""
    return json.dumps(value) if isinstance(value, (bool, int, float)) else value


@st.composite
def parts(draw, operation, known):
    """A request that the document allows. Cursors come from answers alone."""
    document = operation.document

    def value_of(parameter):
        pinned = PINNED.get((operation.id, parameter["name"]))
        return pinned or draw(values.allowed(document, parameter["schema"], known))
    path = {one["name"]: value_of(one) for one in operation.parameters_in("path")}
    query = {one["name"]: value_of(one) for one in operation.parameters_in("query")
             if one["name"] != "cursor" and (
                 one.get("required") or (operation.id, one["name"]) in PINNED or
                 draw(st.booleans()))}
    body = None
    if operation.body_schema() is not None:
        body = draw(values.allowed(document, operation.body_schema(), known))
        body.update({name: value for (of, name), value in PINNED.items() if of == operation.id})
    return Parts(operation, path, query, body)


class Wrong:
    """A request that must be refused: with one of `statuses`, and where it says."""

    def __init__(self, why, request, statuses, where=None):
        self.why, self.request, self.statuses, self.where = why, request, set(statuses), where


def wrong_queries(right):
    operation = right.operation
    # Of two records the other one may be missing, which may be noticed first.
    statuses = [400, 404] if {"from", "to"} <= set(right.query) else [400]
    for one in operation.parameters_in("query"):
        name, place = one["name"], ("query " + one["name"],)
        for value in values.forbidden_words(operation.document, one["schema"]):
            yield Wrong("%s=%r" % (name, value), right.request(right.words_with(name, value)),
                        statuses, place)
        if one.get("required"):
            yield Wrong("no " + name, right.request(right.words_with(name, None)), statuses, place)
        value = word(right.query.get(name, "1"))
        yield Wrong("twice " + name,
                    right.request(right.words_with(name, value) + [(name, value)]), [400], place)
    # What isn't of the API stays open for what a scraper may add.
    if operation.path.startswith("/api/"):
        rest = right.words_with("", None)
        for name in ("no_such", "Limit", "limit ", "", b"\xff", "x" * 500, "a\0"):
            yield Wrong("unknown parameter %r" % name, right.request(rest + [(name, "1")]),
                        [400], ("query",))


def wrong_paths(right):
    operation = right.operation
    for one in operation.parameters_in("path"):
        for value in values.BAD_UTF8 + ["a\0b"]:
            request = right.request()
            request.path = operation.path.replace("{%s}" % one["name"], percent(value))
            yield Wrong("path %s: %r" % (one["name"], value), request, [400, 404], ("path",))


def wrong_bodies(right):
    operation, schema = right.operation, right.operation.body_schema()
    if schema is None:
        yield Wrong("a body", right.request(body=b"{}", headers=[("Content-Type", "text/plain")]),
                    [400, 413])
        return
    yield from wrong_forms(right)
    schema = operation.document.follow(schema)
    for name, one in schema["properties"].items():
        for value in values.wrong_values(one, operation.document):
            body = dict(right.body, **{name: value})
            # The other ones of a choice would be a fault too.
            others = {other for each in schema.get("oneOf", ()) for other in each["required"]}
            if name in others:
                body = {key: kept for key, kept in body.items() if key == name or key not in others}
            # What no integer of 64 bits holds, a parser may refuse before it knows whose it is.
            is_huge = isinstance(value, int) and abs(value) >= 1 << 63
            yield Wrong(("%s: %r" % (name, value))[:80],
                        right.request(body=json.dumps(body).encode()), [400, 413],
                        ("body",) if is_huge else ("body %s" % name,))
    for name in schema.get("required", ()):
        body = {key: value for key, value in right.body.items() if key != name}
        yield Wrong("no " + name, right.request(body=json.dumps(body).encode()), [400], ("body",))
    if "oneOf" in schema:
        names = [name for one in schema["oneOf"] for name in one["required"]]
        none = {key: value for key, value in right.body.items() if key not in names}
        yield Wrong("none of " + " ".join(names), right.request(body=json.dumps(none).encode()),
                    [400], ("body",))
        both = dict(none, **{name: "YQ==" for name in names})
        yield Wrong("all of " + " ".join(names), right.request(body=json.dumps(both).encode()),
                    [400], ("body",))


def wrong_forms(right):
    """Bodies that aren't the JSON object that is wanted."""
    text = json.dumps(right.body)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "",
                 "multipart/form-data; boundary=x", "application/json/x"):
        yield Wrong("Content-Type %r" % kind, right.request(headers=[("Content-Type", kind)]), [415])
    yield Wrong("no Content-Type", right.request(headers=[("X-Nothing", "1")]), [415])
    forms = {
        "nothing": b"", "a space": b" ", "null": b"null", "a list": b"[]", "a text": b'"a"',
        "a number": b"1", "cut": text.encode()[:-1], "no JSON": b"topic=a", "twice": b"{}{}",
        "more behind": text.encode() + b"x", "single quotes": b"{'topic':'a'}",
        "a comma": text.encode()[:-1] + b",}", "a byte 0": text.encode() + b"\0",
        "bad UTF-8": b'{"topic":"\xff"}', "bad UTF-8 in a name": b'{"\xc0\x80":1}',
        "half a surrogate": b'{"topic":"\\ud800","payload":""}', "UTF-16": text.encode("utf-16"),
        "NaN": b'{"seconds":NaN}', "a huge number": b'{"qos":1e999}',
        "a long number": b'{"qos":' + b"9" * 5000 + b"}",
        "deep lists": b"[" * NESTING, "deep objects": b'{"a":' * NESTING,
        "deep and closed": b'{"topic":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "unknown member": json.dumps(dict(right.body, no_such=1)).encode(),
        "unknown member, empty name": json.dumps(dict(right.body, **{"": 1})).encode(),
        "a name in capitals": json.dumps(dict(right.body, QOS=0)).encode(),
    }
    if right.body:
        name = next(iter(right.body))
        forms["a name twice"] = (text[:-1] + ", %s: %s}" % (
            json.dumps(name), json.dumps(right.body[name]))).encode()
    for why, body in forms.items():
        yield Wrong("body: " + why, right.request(body=body), [400, 413], ("body",))
    large = right.request()
    large.declared_bytes = BODY_BYTES_TOO_MANY
    yield Wrong("Content-Length of %d" % BODY_BYTES_TOO_MANY, large, [413])


def wrong_methods(right, allowed):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "NOSUCH"):
        if method not in allowed:
            body = b"{}" if method in ("POST", "PUT", "PATCH") else None
            yield Wrong("method " + method, right.request([], body, method=method), [405])


def wrong_hosts(right, port):
    for host in FOREIGN_HOSTS:
        name = host % port if "%" in host else host
        request = right.request()
        request.headers.append(("Host", name))
        yield Wrong("Host " + name, request, [403])
    # A page from elsewhere can't read what it gets: there's no Access-Control-Allow-Origin.
    for origin in FOREIGN_ORIGINS if right.operation.method != "GET" else ():
        request = right.request()
        request.headers.append(("Origin", origin))
        yield Wrong("Origin " + origin, request, [403])

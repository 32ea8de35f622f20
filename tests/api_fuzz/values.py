"""What to send: values that a schema allows, and such that it forbids, each with why.

A schema says less than a server knows (that a topic filter has its wildcards at the right places), so
what has a name of its own in the document, like TopicFilter, has a maker of its own here.
"""

import datetime
import re

from hypothesis import strategies as st

from document import python_pattern

# Of what is put into a path or a query: the whole head of a request has 16 KiB.
TEXT_MAX = 300
INTEGER_MAX = (1 << 53) - 1

WORD = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cn"), blacklist_characters="+#/$"),
               min_size=1, max_size=12)
TOPIC = st.lists(WORD, min_size=1, max_size=5).map("/".join)
FILTER = st.one_of(
    TOPIC, TOPIC.map(lambda text: text + "/#"), TOPIC.map(lambda text: "+/" + text),
    st.just("#"), st.just("+"), TOPIC.map(lambda text: "$share/group/" + text))


class Known:
    """What is there to be asked for: {name of a schema: values}."""

    def __init__(self, **values):
        self.values = values

    def __getitem__(self, name):
        return self.values.get(name, [])


def sometimes(known, others):
    """What is there, more often than not."""
    return st.one_of(st.sampled_from(known), others) if known else others


# A record's id, which is the moment when it was taken: a pattern knows no calendar.
MOMENT = st.builds(lambda moment, number: moment.strftime("%Y%m%dT%H%M%SZ") + number,
                   st.datetimes(datetime.datetime(2020, 1, 1), datetime.datetime(2030, 1, 1)),
                   st.sampled_from(["", "-2", "-99"]))


def text_of(schema):
    if "T[0-9]{6}Z" in schema.get("pattern", ""):
        return MOMENT
    if "pattern" in schema:
        return st.from_regex(re.compile(python_pattern(schema["pattern"])))
    low, high = schema.get("minLength", 0), min(schema.get("maxLength", TEXT_MAX), TEXT_MAX)
    return st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"),
                   min_size=low, max_size=high)


def number_of(schema):
    low, high = schema.get("minimum"), schema.get("maximum", INTEGER_MAX)
    if schema["type"] == "integer":
        return st.one_of(st.integers(low, high),
                         st.sampled_from([one for one in (low, high) if one is not None]))
    return st.floats(low, high, allow_nan=False, allow_infinity=False)


def allowed(document, schema, known):
    """A strategy of JSON values that the schema allows."""
    name = schema.get("$ref", "").rpartition("/")[2]
    schema = document.follow(schema)
    if name == "TopicName":
        return sometimes(known[name], TOPIC)
    if name == "TopicFilter":
        return sometimes(known[name], FILTER)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema["type"]
    if kind == "boolean":
        return st.booleans()
    if kind in ("integer", "number"):
        return number_of(schema)
    if kind == "string":
        plain = st.binary(max_size=200).map(base64_text) if schema.get("format") == "byte" \
            else text_of(schema)
        return sometimes(known[name], plain)
    if kind == "array":
        return st.lists(allowed(document, schema["items"], known), max_size=3)
    assert kind == "object", kind
    return objects(document, schema, known)


def base64_text(data):
    import base64
    return base64.b64encode(data).decode()


@st.composite
def objects(draw, document, schema, known):
    properties = schema.get("properties", {})
    names = set(schema.get("required", ()))
    alternatives = schema.get("oneOf", ())
    excluded = {name for one in alternatives for name in one["required"]}
    names |= {name for name in properties
              if name not in names and name not in excluded and draw(st.booleans())}
    if alternatives:
        names |= set(draw(st.sampled_from(alternatives))["required"])
    return {name: draw(allowed(document, one, known)) for name, one in properties.items()
            if name in names}


# ---- what is forbidden --------------------------------------------------------------------------

BAD_UTF8 = [b"\xff", b"a\xc0\x80", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"abc\xe2\x82"]


def forbidden_words(document, schema):
    """What no value of a parameter may be: texts, or bytes that are no text."""
    schema = document.follow(schema)
    kind = schema["type"]
    if "enum" in schema:
        return ["", "x", str(schema["enum"][0]).upper(), str(schema["enum"][0]) + "\0", b"\xff"]
    if kind == "boolean":
        return ["", "1", "yes", "TRUE", "tru", "true ", b"true\xff"]
    if kind == "integer":
        low, high = schema["minimum"], schema.get("maximum")
        words = [str(low - 1), "", "x", "1.5", "1e2", "0x10", " 1", "1 ", "--1", "1\0", "\uff11",
                 "9" * 20, "9" * 400, "-" + "9" * 30, "NaN", "true", "null", b"1\xff"]
        return words + ([] if high is None else [str(high + 1), str((1 << 64) + low),
                                                 str((1 << 32) + low)])
    words = list(BAD_UTF8)
    if schema.get("minLength", 0) > 0:
        words.append("")
    if "pattern" in schema:
        words += [word for word in ("a/#", "+", "a\0b", "x" * 65, "../x", "20261130T120000Z/..")
                  if not re.search(schema["pattern"], word)]
    return words


def wrong_values(schema, document):
    """JSON values of a member that its schema forbids."""
    schema = document.follow(schema)
    kind = schema["type"]
    every = {"string": "text", "integer": 1, "boolean": True, "object": {"a": 1}, "array": [1],
             "null": None, "number": 0.5}
    same = {kind} | ({"integer"} if kind == "number" else set())
    wrong = [value for name, value in every.items() if name not in same]
    if kind == "integer":
        wrong += [schema["minimum"] - 1, 10 ** 30, -10 ** 30, 1e300]
        wrong += [schema["maximum"] + 1, (1 << 32) + schema["minimum"],
                  (1 << 64) + schema["minimum"]] if "maximum" in schema else []
    if "enum" in schema:
        wrong.append("x")
    if kind == "string" and schema.get("minLength", 0) > 0:
        wrong.append("")
    if kind == "string" and schema.get("format") == "byte":
        wrong += ["a", "====", "YQ", "YQ=", "Y Q==", "YQ==x", "\u00e9", "YQ==\n"]
    if kind == "string" and "maxLength" in schema and "enum" not in schema:
        wrong.append("x" * (schema["maxLength"] + 1))
    if kind == "string" and "pattern" in schema and schema.get("format") != "byte":
        wrong += [word for word in ("a/#", "+", "a\0b") if not re.search(schema["pattern"], word)]
    return wrong

"""The API's document (src/admin/openapi.json), read: its operations, and its schemas in the form that
jsonschema checks."""

import copy
import json
import os
import re

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "admin",
                    "openapi.json")
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
JSON = "application/json"
# What OpenAPI 3.0.3 adds to JSON Schema; jsonschema needn't see it.
ANNOTATIONS = ("nullable", "description", "example", "deprecated", "readOnly", "writeOnly")


def load(path=PATH):
    with open(path, encoding="utf-8") as text:
        return Document(json.load(text))


def references(value):
    """Every $ref below `value`."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def as_json_schema(schema):
    """A schema of OpenAPI 3.0 in the words of JSON Schema draft 4: it has no `nullable`."""
    if isinstance(schema, list):
        return [as_json_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    out = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: as_json_schema(one) for name, one in value.items()}
        elif key in ("enum", "default", "required"):
            out[key] = value
        elif key == "pattern":
            out[key] = python_pattern(value)
        elif key not in ANNOTATIONS:
            out[key] = as_json_schema(value)
    return {"anyOf": [{"type": "null"}, out]} if schema.get("nullable") is True else out


def python_pattern(pattern):
    """ECMA's $ is the end; Python's may have a line's end behind it."""
    return pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern


class Operation:
    def __init__(self, document, path, method, entry):
        self.document, self.path, self.method, self.entry = document, path, method.upper(), entry
        self.id = entry.get("operationId", "%s %s" % (self.method, path))
        self.parameters = [document.follow(one) for one in entry.get("parameters", ())]
        self.responses = {status: document.follow(one)
                          for status, one in entry.get("responses", {}).items()}

    def __repr__(self):
        return "%s (%s %s)" % (self.id, self.method, self.path)

    def parameters_in(self, place):
        return [one for one in self.parameters if one["in"] == place]

    def body_schema(self):
        """Of what it takes; None: no body."""
        if "requestBody" not in self.entry:
            return None
        return self.entry["requestBody"]["content"][JSON]["schema"]

    def content(self, status):
        """{media type: schema} of a documented status; else None."""
        response = self.responses.get(str(status))
        return None if response is None else {
            kind: one["schema"] for kind, one in response.get("content", {}).items()}


class Document:
    def __init__(self, root):
        self.root = root
        self.operations = [Operation(self, path, method, entry)
                           for path, methods in root["paths"].items()
                           for method, entry in methods.items() if method in METHODS]

    def without(self, operations, members):
        """What a server has that lacks some operations, by id, and members: (place, name)."""
        out = Document(copy.deepcopy(self.root))
        out.operations = [one for one in out.operations if one.id not in operations]
        for place, name in members:
            schema = out.root["components"]["schemas"]
            for key, part in enumerate(place.split(".")):
                schema = schema[part] if key == 0 else schema["properties"][part]
            schema["required"].remove(name)
        return out

    def paths(self):
        return list(dict.fromkeys(one.path for one in self.operations))

    def resolve(self, reference):
        """What a $ref means; KeyError when nothing does."""
        if not reference.startswith("#/"):
            raise KeyError(reference)
        value = self.root
        for part in reference[2:].split("/"):
            value = value[part.replace("~1", "/").replace("~0", "~")]
        return value

    def follow(self, value):
        """`value`, or what it refers to, until it's no reference."""
        while "$ref" in value:
            value = self.resolve(value["$ref"])
        return value

    def json_schema(self, schema):
        """Complete: it carries what it refers to."""
        out = as_json_schema(schema)
        components = self.root.get("components", {}).get("schemas", {})
        out["components"] = {"schemas": {name: as_json_schema(one)
                                         for name, one in components.items()}}
        return out

    def allowed_methods(self, path):
        """As the header Allow has them: who answers GET answers HEAD."""
        methods = {one.method for one in self.operations if one.path == path}
        return methods | ({"HEAD"} if "GET" in methods else set())

    def error_code(self, status):
        """The only value of `error.code` in answers of that status; None: it isn't told so."""
        for response in self.root["components"]["responses"].values():
            schema = self.follow(response["content"][JSON]["schema"])
            code = self.follow(schema["properties"]["error"])["properties"]["code"]["enum"][0]
            if CODES.get(code) == status:
                return code
        return None


CODES = {"invalid_argument": 400, "unauthorized": 401, "forbidden": 403, "not_found": 404,
         "method_not_allowed": 405, "conflict": 409, "too_large": 413,
         "unsupported_media_type": 415, "too_many": 429, "unavailable": 503}


def template_names(path):
    return re.findall(r"\{([^}]*)\}", path)

"""The document is what OpenAPI 3.0.3 and our conventions say, before any server is asked."""

import re
import unittest

import jsonschema

import document as documents

# Schema Object of OpenAPI 3.0.3 (4.7.24), as far as it's used.
SCHEMA_KEYWORDS = {
    "type", "format", "description", "nullable", "enum", "default", "minimum", "maximum", "minLength",
    "maxLength", "pattern", "items", "minItems", "maxItems", "properties", "required",
    "additionalProperties", "oneOf", "allOf", "$ref"}
TYPES = {"string", "integer", "number", "boolean", "array", "object"}
OPERATION_FIELDS = {"operationId", "tags", "summary", "description", "parameters", "requestBody",
                    "responses", "security"}


def schemas_below(value, where):
    """(where, schema) for `value`, a schema, and every one inside it."""
    yield where, value
    for name, one in value.get("properties", {}).items():
        yield from schemas_below(one, "%s.%s" % (where, name))
    for key in ("items", "additionalProperties"):
        if isinstance(value.get(key), dict):
            yield from schemas_below(value[key], "%s[%s]" % (where, key))
    for key in ("oneOf", "allOf"):
        for index, one in enumerate(value.get(key, ())):
            yield from schemas_below(one, "%s.%s[%d]" % (where, key, index))


def every_schema(value, where=""):
    """(where, schema) for all that stand in the document, found by the key that holds them."""
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from every_schema(one, "%s[%d]" % (where, index))
    elif isinstance(value, dict):
        for key, one in value.items():
            here = "%s/%s" % (where, key)
            if key == "schema":
                yield from schemas_below(one, here)
            elif key == "schemas":
                for name, schema in one.items():
                    yield from schemas_below(schema, "%s/%s" % (here, name))
            else:
                yield from every_schema(one, here)


class DocumentTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = documents.load()
        cls.root = cls.document.root

    def test_it_has_what_openapi_asks_for(self):
        self.assertEqual(self.root["openapi"], "3.0.3")
        self.assertLessEqual({"title", "version"}, set(self.root["info"]))
        self.assertGreater(len(self.document.operations), 30)
        tags = {one["name"] for one in self.root["tags"]}
        used = {tag for one in self.document.operations for tag in one.entry["tags"]}
        self.assertEqual(tags, used)

    def test_every_reference_means_something_and_every_component_is_used(self):
        used = set(documents.references(self.root))
        for reference in used:
            self.assertIsInstance(self.document.resolve(reference), dict, reference)
        there = {"#/components/%s/%s" % (kind, name)
                 for kind in ("schemas", "parameters", "responses")
                 for name in self.root["components"][kind]}
        self.assertEqual(there - used, set())

    def test_every_operation_is_named_once_and_described(self):
        ids = [one.id for one in self.document.operations]
        self.assertEqual(sorted(ids), sorted(set(ids)))
        for one in self.document.operations:
            with self.subTest(operation=one):
                self.assertRegex(one.id, r"^[a-z][A-Za-z]+$")
                self.assertLessEqual(set(one.entry), OPERATION_FIELDS)
                self.assertTrue(one.entry["summary"])
                self.assertFalse(one.entry["summary"].endswith("."), "a title")
                self.assertTrue(any(status.startswith("2") for status in one.responses))
                for status, response in one.responses.items():
                    self.assertRegex(status, r"^[2-5][0-9][0-9]$")
                    self.assertTrue(response["description"])
                    self.assertEqual("content" in response, status != "304", status)

    def test_parameters_are_those_of_the_path_and_have_ranges(self):
        for one in self.document.operations:
            with self.subTest(operation=one):
                names = [(each["in"], each["name"]) for each in one.parameters]
                self.assertEqual(len(names), len(set(names)))
                self.assertEqual(sorted(documents.template_names(one.path)),
                                 sorted(name for place, name in names if place == "path"))
                for each in one.parameters:
                    self.assertTrue(each["description"], each["name"])
                    self.assertIn(each["in"], ("path", "query"))
                    self.assertTrue(each["in"] == "query" or each["required"])
                    self.check_range(self.document.follow(each["schema"]), each["name"])

    def check_range(self, schema, name):
        kind = schema["type"]
        self.assertIn(kind, ("string", "integer", "boolean"), name)
        if kind == "integer":
            self.assertIn("minimum", schema, name)
        if kind == "string" and "enum" not in schema:
            self.assertIn("maxLength", schema, name)

    def test_paths_of_one_form_are_told_apart_by_their_words(self):
        forms = [re.sub(r"\{[^}]*\}", "{}", path) for path in self.root["paths"]]
        self.assertEqual(len(forms), len(set(forms)))

    def test_every_schema_is_one(self):
        count = 0
        for where, schema in every_schema(self.root):
            count += 1
            with self.subTest(where=where):
                self.assertLessEqual(set(schema), SCHEMA_KEYWORDS)
                if "$ref" in schema:
                    self.assertEqual(set(schema), {"$ref"}, "its neighbours are ignored")
                    continue
                if "type" in schema:
                    self.assertIn(schema["type"], TYPES)
                plain = self.document.json_schema(schema)
                jsonschema.Draft4Validator.check_schema(plain)
                validator = jsonschema.Draft4Validator(plain)
                for value in schema.get("enum", []) + [schema[key] for key in ("default",)
                                                       if key in schema]:
                    validator.validate(value)
                if "pattern" in schema:
                    re.compile(schema["pattern"])
                self.assertEqual(schema.get("type") == "array", "items" in schema)
        self.assertGreater(count, 300)

    def test_objects_are_closed_so_that_tests_notice_what_is_not_told(self):
        for where, schema in every_schema(self.root):
            if schema.get("type") == "object" and "getDocument" != self.owner(where):
                with self.subTest(where=where):
                    self.assertIn("additionalProperties", schema)
                    self.assertIsNot(schema["additionalProperties"], True)
                    if "properties" in schema:
                        self.assertLessEqual(set(schema.get("required", ())),
                                             set(schema["properties"]))

    def owner(self, where):
        """The id of the operation that a place belongs to; else None."""
        for one in self.document.operations:
            if where.startswith("/paths/%s/%s/" % (one.path, one.method.lower())):
                return one.id
        return None

    def test_every_error_has_the_code_of_its_status(self):
        for one in self.document.operations:
            with self.subTest(operation=one):
                for status in one.responses:
                    if int(status) >= 400 and one.path not in ("/healthz", "/readyz"):
                        content = one.content(status)
                        self.assertEqual(set(content), {documents.JSON})
                        error = self.document.follow(content[documents.JSON])["properties"]["error"]
                        code = error["properties"]["code"]["enum"]
                        self.assertEqual([documents.CODES[each] for each in code], [int(status)])

    def test_who_takes_a_body_says_what_else_can_be_wrong_with_it(self):
        for one in self.document.operations:
            self.assertEqual("requestBody" in one.entry, one.method == "POST", one)
            self.assertEqual("415" in one.responses, one.method == "POST", one)

    def test_the_check_sees_faults(self):
        """Each is put into a document that is right."""
        schema = {"type": "object", "properties": {"a": {"type": "integer", "nullable": True}}}
        plain = documents.as_json_schema(schema)
        jsonschema.validate({"a": None}, plain, jsonschema.Draft4Validator)
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate({"a": "b"}, plain, jsonschema.Draft4Validator)
        with self.assertRaises(KeyError):
            self.document.resolve("#/components/schemas/NoSuch")
        with self.assertRaises(jsonschema.SchemaError):
            jsonschema.Draft4Validator.check_schema({"type": "text"})
        self.assertEqual(list(documents.references([{"a": {"$ref": "#/b"}}])), ["#/b"])

"""Whether an answer is what the document says of it."""

import jsonschema

import document as documents

# What says that the request was wrong in itself, whatever is there.
REFUSALS = {400, 401, 403, 405, 413, 415}


class Judge:
    def __init__(self, document):
        self.document = document
        self.validators = {}

    def validator(self, operation, status, kind):
        key = (operation.id, status, kind)
        if key not in self.validators:
            schema = self.document.json_schema(operation.content(status)[kind])
            self.validators[key] = jsonschema.Draft4Validator(schema)
        return self.validators[key]

    def faults(self, operation, answer, method=None):
        """What is wrong with an answer, by the document alone: a list of texts."""
        content = operation.content(answer.status)
        if content is None:
            return ["the status %d isn't documented: %r" % (answer.status, answer.body[:500])]
        kind = answer.media_type()
        if kind not in content and "*/*" not in content:
            return ["the media type %r isn't documented for %d" % (kind, answer.status)]
        if "access-control-allow-origin" in answer.headers:
            return ["pages from elsewhere may read it"]
        if answer.headers.get("cache-control") != "no-store" and operation.path.startswith("/api/"):
            return ["an answer that may be kept: Cache-Control isn't no-store"]
        if (method or operation.method) == "HEAD" or kind != documents.JSON:
            return []
        try:
            body = answer.json()
        except ValueError as error:
            return ["no JSON: %s in %r" % (error, answer.body[:500])]
        if not isinstance(body, dict):
            return ["no object: %r" % answer.body[:500]]
        return ["%s: %s" % ("/".join(map(str, error.absolute_path)), error.message[:500])
                for error in self.validator(operation, answer.status, kind).iter_errors(body)]

    def faults_of_served(self, operation, answer, method=None):
        """Of an answer to a request that is right."""
        if answer.status in REFUSALS:
            return ["refused, though the document allows it: %d %r"
                    % (answer.status, answer.body[:500])]
        return self.faults(operation, answer, method)

    def faults_of_refused(self, operation, answer, statuses, where=None):
        """Of an answer to a request that is wrong: one of `statuses`, and the place begins with one
        of `where`, a tuple."""
        if answer.status not in statuses:
            return ["wanted %s, got %d %r" % (sorted(statuses), answer.status, answer.body[:500])]
        found = self.faults(operation, answer)
        if not found and where and answer.status == 400:
            place = answer.json()["error"]["where"]
            if not place.startswith(where):
                found = ["the fault is at %s, and it says: %r" % (" or ".join(where), place)]
        return found

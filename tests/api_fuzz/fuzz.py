"""Asks a server what its API's document allows and forbids, and says what is wrong with the answers."""

import zlib

import hypothesis

import asked
from http_requests import Broken, Hang, Request
from judge import Judge

FAULTS_SHOWN_MAX = 5     # of one operation and way of asking


class Options:
    """What run.py was asked for."""
    seed = 4711
    examples = 8         # requests that are right, an operation
    operation = ""       # only those whose id contains it


options = Options()


def each_example(strategy, count, name, visit):
    """Calls visit(value) for `count` values, the same ones for the same seed."""
    @hypothesis.seed(options.seed ^ zlib.crc32(name.encode()))
    @hypothesis.settings(max_examples=count, deadline=None, database=None, print_blob=False,
                         phases=[hypothesis.Phase.generate],
                         suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(strategy)
    def run(value):
        visit(value)
    run()


class Fuzz:
    """`known(operation)`: a values.Known, what is there to be asked for now."""

    def __init__(self, document, client, known):
        self.document, self.client, self.known = document, client, known
        self.judge = Judge(document)
        self.answered = {}  # {(id of the operation, status): how often}

    def operations(self):
        return [one for one in self.document.operations if options.operation in one.id]

    def try_one(self, operation, why, request, judged):
        """The fault with its request, or None."""
        try:
            answer = self.client.ask(request)
            key = (operation.id, answer.status)
            self.answered[key] = self.answered.get(key, 0) + 1
            found = judged(answer)
        except (Broken, Hang, ConnectionError) as error:
            found = ["%s: %s" % (type(error).__name__, error)]
        if not found:
            return None
        return "%s, %s: %s\n    %s" % (operation, why, "; ".join(found[:3]),
                                       request.command(self.client.address)[:2000])

    def faults_of_right(self, operation):
        """Of requests that the document allows."""
        found = []

        def visit(right):
            if len(found) < FAULTS_SHOWN_MAX:
                fault = self.try_one(operation, "right", right.request(), lambda answer:
                                     self.judge.faults_of_served(operation, answer))
                found.extend([fault] if fault else [])
        is_pinned = any(name == operation.id for name, _ in asked.PINNED)
        each_example(asked.parts(operation, self.known(operation)),
                     1 if is_pinned else options.examples, operation.id, visit)
        return found

    def one_right(self, operation):
        """A request that is right, to spoil: the last of some, since the first ones are simple."""
        rights = []
        each_example(asked.parts(operation, self.known(operation)), 4, operation.id, rights.append)
        return rights[-1]

    def faults_of_wrong(self, operation):
        """Of requests that the document forbids."""
        right = self.one_right(operation)
        wrongs = [*asked.wrong_paths(right), *asked.wrong_queries(right),
                  *asked.wrong_bodies(right)]
        if operation.path.startswith("/api/"):
            wrongs += asked.wrong_hosts(right, self.client.port)
        return self.faults_of(operation, wrongs)

    def faults_of_methods(self, path):
        """Of methods that the path hasn't, and of HEAD if it has that."""
        operation = next(one for one in self.document.operations if one.path == path)
        right, allowed = self.one_right(operation), self.document.allowed_methods(path)
        found = self.faults_of(operation, asked.wrong_methods(right, allowed), allowed)
        if "HEAD" in allowed and operation.id not in {name for name, _ in asked.PINNED}:
            request = right.request(method="HEAD")
            fault = self.try_one(operation, "HEAD", request, lambda answer: (
                ["a body: %r" % answer.body[:100]] if answer.body else
                self.judge.faults(operation, answer, "HEAD")))
            found += [fault] if fault else []
        return found

    def faults_of(self, operation, wrongs, allowed=None):
        found = []
        for wrong in wrongs:
            def judged(answer, wrong=wrong):
                if wrong.request.method == "HEAD":
                    return [] if answer.status in wrong.statuses else [
                        "wanted %s, got %d" % (sorted(wrong.statuses), answer.status)]
                told = self.judge.faults_of_refused(operation, answer, wrong.statuses, wrong.where)
                named = {one.strip() for one in answer.headers.get("allow", "").split(",")}
                if not told and allowed and answer.status == 405 and named != allowed:
                    told = ["Allow says %s, and the document %s" % (sorted(named), sorted(allowed))]
                return told
            fault = self.try_one(operation, wrong.why, wrong.request, judged)
            found += [fault] if fault else []
            if len(found) >= FAULTS_SHOWN_MAX:
                break
        return found

    def faults_of_unknown_paths(self):
        """Where the document has nothing, there is nothing; and what is no path isn't one."""
        operation = next(one for one in self.document.operations if "404" in one.responses)
        paths = ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/server", "/api/v1/no_such",
                 "/api/v1/clients/", "/api/v1/clients/a/b", "/api/v1//clients", "/API/v1/server",
                 "/api/v1/server/", "/api/v1/server/x", "/api/v1/traces/1", "/debug", "/debug/pprof",
                 "/debug/pprof/", "/assets/../admin", "/assets/%2e%2e/%2e%2e/etc/passwd",
                 "/assets/..%2f..%2fetc/passwd", "//etc/passwd", "/%00", "/api/v1/server%00",
                 "/api/v1/" + "x/" * 1000, "/" + "a" * 4000, "/%ff%fe", "/%", "/%zz", "/metrics/",
                 "/api/v1/memory/snapshots/..%2f..%2f..%2fetc%2fpasswd",
                 "/api/v1/profiles/..%2f..%2fetc%2fpasswd/flame"]
        wrongs = [asked.Wrong("path", Request("GET", path), [400, 404, 405, 403]) for path in paths]
        return self.faults_of(operation, wrongs)

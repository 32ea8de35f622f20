"""The tests of a server are tested: on one that is right, and on one with a fault of each kind."""

import unittest

import document as documents
import fake_server
import fuzz
import http_requests
import values


class FakeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = documents.load()
        cls.server = fake_server.FakeServer(cls.document)
        cls.fuzz = fuzz.Fuzz(cls.document, http_requests.Client(cls.server.port),
                             lambda _: values.Known(ClientId=["a", "b/c"]))
        cls.by_id = {one.id: one for one in cls.document.operations}

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.server.fault = None

    def test_a_server_that_is_right_has_no_faults(self):
        for one in self.document.operations:
            with self.subTest(operation=one):
                if one.id not in ("getDashboard", "getMetrics", "getDashboardFile"):
                    self.assertEqual(self.fuzz.faults_of_right(one), [])
        for name in ("listClients", "publish", "startTrace", "diffMemory", "disconnectClient"):
            self.assertEqual(self.fuzz.faults_of_wrong(self.by_id[name]), [])
        for path in ("/api/v1/clients/{client_id}", "/api/v1/publish", "/api/v1/traces"):
            self.assertEqual(self.fuzz.faults_of_methods(path), [])
        self.assertEqual(self.fuzz.faults_of_unknown_paths(), [])

    def faults(self, fault, faults_of, name="listClients"):
        self.server.fault = fault
        return "\n".join(faults_of(self.by_id[name]))

    def test_each_fault_is_found(self):
        right, wrong = self.fuzz.faults_of_right, self.fuzz.faults_of_wrong
        self.assertIn("surprise", self.faults("says_more", right))
        self.assertIn("no JSON", self.faults("says_half", right))
        self.assertIn("refused, though", self.faults("refuses", right))
        self.assertIn("got 200", self.faults("accepts_all", wrong))
        self.assertIn("got 500", self.faults("fails", wrong))
        self.assertIn("'somewhere'", self.faults("says_no_place", wrong))
        self.assertIn("got 200", self.faults("accepts_all", wrong, "publish"))
        self.server.fault = "accepts_all"
        self.assertIn("got 200", "\n".join(self.fuzz.faults_of_methods("/api/v1/publish")))

    def test_a_hang_is_found(self):
        self.server.fault = "hangs"
        with self.assertRaises(http_requests.Hang):
            self.fuzz.client.ask(http_requests.Request("GET", "/api/v1/server"), timeout=0.5)

    def test_the_same_seed_asks_the_same(self):
        def asked_with(seed):
            told = []
            fuzz.options.seed, kept = seed, fuzz.options.seed
            fuzz.each_example(fuzz.asked.parts(self.by_id["publish"], values.Known()), 5, "x",
                              lambda one: told.append(repr(one)))
            fuzz.options.seed = kept
            return told
        self.assertEqual(asked_with(1), asked_with(1))
        self.assertNotEqual(asked_with(1), asked_with(2))

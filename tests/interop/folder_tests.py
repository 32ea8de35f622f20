"""Runs the tests of one folder: what the run.py of several folders have in common."""

import os
import sys
import unittest

SKIPPED = 77  # what meson takes for it


def add_arguments(parser):
    parser.add_argument("-k", dest="patterns", action="append", metavar="PATTERN",
                        help="only tests whose name contains this")
    parser.add_argument("-v", "--verbose", action="store_true", help="name every test")
    parser.add_argument("modules", nargs="*", help="test files without .py; none: all")


def run(folder, options, failfast=False):
    """Ends the process: with SKIPPED when all of the tests that ran were."""
    loader = unittest.TestLoader()
    if options.patterns:
        loader.testNamePatterns = ["*%s*" % one for one in options.patterns]
    names = options.modules or sorted(name[:-3] for name in os.listdir(folder)
                                      if name.startswith("test_") and name.endswith(".py"))
    suite = unittest.TestSuite(loader.loadTestsFromName(name) for name in names)
    runner = unittest.TextTestRunner(verbosity=2 if options.verbose else 1, failfast=failfast)
    result = runner.run(suite)
    if result.testsRun == 0 and not result.errors and not result.skipped:
        sys.exit("run.py: no test matches")
    for test, reason in result.skipped:
        print("skipped: %s: %s" % (test, reason))
    if result.wasSuccessful() and len(result.skipped) >= max(result.testsRun, 1):
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() else 1)

#!/usr/bin/python3
"""Runs the tests of scripts/tuning: on copies of /proc and /sys, and in a network namespace.

run.py [-k pattern] [-v] [test_shapes ...]        without names: all

Ends with status 77 (skipped) when all of the tests that ran were.
"""

import argparse
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(os.path.dirname(HERE), "interop"))  # own_namespace
sys.dont_write_bytecode = True
SKIPPED = 77


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", dest="patterns", action="append", metavar="PATTERN")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("modules", nargs="*")
    options = parser.parse_args()
    loader = unittest.TestLoader()
    if options.patterns:
        loader.testNamePatterns = ["*%s*" % one for one in options.patterns]
    names = options.modules or sorted(name[:-3] for name in os.listdir(HERE)
                                      if name.startswith("test_") and name.endswith(".py"))
    suite = unittest.TestSuite(loader.loadTestsFromName(name) for name in names)
    result = unittest.TextTestRunner(verbosity=2 if options.verbose else 1).run(suite)
    if result.testsRun == 0 and not result.errors and not result.skipped:
        sys.exit("run.py: no test matches")
    for test, reason in result.skipped:
        print("skipped: %s: %s" % (test, reason))
    if result.wasSuccessful() and len(result.skipped) >= max(result.testsRun, 1):
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Runs the tests that have the Linux kernel talk to our TCP, in a network namespace of their own.

run.py --stack-peer build/tests/dpdk/stack_peer [-k pattern] [--full] [test_transfer ...]

Needs root, ip, ethtool, nft, tcpdump and tshark; ends with status 77 (skipped) without them.
MILLRACE_KERNEL_PEER_FULL=1 is the same as --full.
"""

import argparse
import faulthandler
import os
import resource
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import wire  # noqa: E402 (needs the path above)
from case import read_environment  # noqa: E402
from peer_process import executable_is_usable, settings  # noqa: E402

HANG_S = 115
HANG_FULL_S = 3000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack-peer", metavar="PATH", required=True)
    parser.add_argument("-k", dest="patterns", action="append", metavar="PATTERN",
                        help="only tests whose name contains this")
    parser.add_argument("-f", "--failfast", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true", help="name every test")
    parser.add_argument("--full", action="store_true", help="1 GB each way, and so on")
    parser.add_argument("modules", nargs="*", help="test files without .py; none: all")
    return parser.parse_args()


def prepare(options):
    wire.enter_or_skip()
    settings.executable = os.path.abspath(options.stack_peer)
    if not executable_is_usable():
        sys.exit("run.py: %s is not an executable" % settings.executable)
    read_environment()
    settings.full = settings.full or options.full
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    faulthandler.dump_traceback_later(HANG_FULL_S if settings.full else HANG_S, exit=True)


def main():
    options = arguments()
    prepare(options)
    loader = unittest.TestLoader()
    if options.patterns:
        loader.testNamePatterns = ["*%s*" % one for one in options.patterns]
    names = options.modules or sorted(name[:-3] for name in os.listdir(HERE)
                                      if name.startswith("test_") and name.endswith(".py"))
    suite = unittest.TestSuite(loader.loadTestsFromName(name) for name in names)
    result = unittest.TextTestRunner(verbosity=2 if options.verbose else 1,
                                     failfast=options.failfast).run(suite)
    if result.testsRun == 0 and not result.errors:
        sys.exit("run.py: no test matches")
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()

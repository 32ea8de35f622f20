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

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import wire  # noqa: E402 (needs the path above, and adds that of interop)
import folder_tests  # noqa: E402
from case import read_environment  # noqa: E402
from peer_process import executable_is_usable, settings  # noqa: E402

HANG_S = 115
HANG_FULL_S = 3000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack-peer", metavar="PATH", required=True)
    folder_tests.add_arguments(parser)
    parser.add_argument("-f", "--failfast", action="store_true")
    parser.add_argument("--full", action="store_true", help="1 GB each way, and so on")
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
    folder_tests.run(HERE, options, options.failfast)


if __name__ == "__main__":
    main()

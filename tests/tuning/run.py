#!/usr/bin/python3
"""Runs the tests of scripts/tuning: on copies of /proc and /sys, and in a network namespace.

run.py [-k pattern] [-v] [test_shapes ...]        without names: all

Ends with status 77 (skipped) when all of the tests that ran were.
"""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(os.path.dirname(HERE), "interop"))  # own_namespace
sys.dont_write_bytecode = True
import folder_tests  # noqa: E402  (needs the path above)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    folder_tests.add_arguments(parser)
    options = parser.parse_args()
    folder_tests.run(HERE, options)


if __name__ == "__main__":
    main()

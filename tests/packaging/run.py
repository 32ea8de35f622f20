#!/usr/bin/python3
"""Runs the tests of scripts/packaging: the package is built, looked at, installed and removed.

run.py --build-dir DIR [-k pattern] [-v] [test_life ...]        without names: all

Ends with status 77 (skipped) when all of the tests that ran were.
"""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(os.path.dirname(HERE), "interop"))  # own_namespace, mqtt_wire
sys.dont_write_bytecode = True
import case  # noqa: E402  (needs the path above)
import folder_tests  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", required=True, metavar="DIR",
                        help="a build folder with the program in it: it's packaged as it is")
    parser.add_argument("--package", metavar="FILE", help="test this one, and build none")
    folder_tests.add_arguments(parser)
    options = parser.parse_args()
    case.build_folder = os.path.realpath(options.build_dir)
    case.package_given = options.package and os.path.realpath(options.package)
    folder_tests.run(HERE, options)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Checks the API's document, and with it a real server.

run.py [--millrace build/millrace] [--seconds 20] [--seed N] [-k pattern] [test_document ...]

Without --millrace the document alone. Ends with status 77 (skipped) when all of the tests that ran
were, or when the Debian packages python3-hypothesis or python3-jsonschema aren't installed.
"""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(os.path.dirname(HERE), "interop"))  # broker_process, folder_tests
sys.dont_write_bytecode = True
import folder_tests  # noqa: E402  (needs the path above)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    folder_tests.add_arguments(parser)
    options = parser.parse_args()
    try:
        import hypothesis  # noqa: F401
        import jsonschema  # noqa: F401
    except ImportError as error:
        print("skipped: Debian package python3-%s isn't installed" % error.name)
        sys.exit(folder_tests.SKIPPED)
    folder_tests.run(HERE, options)


if __name__ == "__main__":
    main()

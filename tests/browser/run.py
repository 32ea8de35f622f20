#!/usr/bin/python3
"""Runs the dashboard's tests: a real broker under load, and a real browser that looks at it.

run.py --millrace build/millrace [--screenshots FOLDER] [-v] [-k pattern] [test_dashboard ...]
"""

import argparse
import faulthandler
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "interop")]
sys.dont_write_bytecode = True

import folder_tests  # noqa: E402 (needs the path above)
import page  # noqa: E402
from broker_process import settings  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", metavar="PATH", required=True, help="the millrace executable")
    parser.add_argument("--screenshots", metavar="FOLDER", help="where they go; else none are made")
    folder_tests.add_arguments(parser)
    return parser.parse_args()


def main():
    options = arguments()
    settings.executable, settings.shards = os.path.abspath(options.millrace), 2
    if not os.access(settings.executable, os.X_OK):
        sys.exit("run.py: %s is no executable" % options.millrace)
    if options.screenshots:
        page.settings.screenshots = os.path.abspath(options.screenshots)
    reason = page.missing()
    if reason:
        print("skipped: " + reason)
        sys.exit(folder_tests.SKIPPED)
    # A hang shows where it hangs. Whoever ends this process then ends its group: the browser and the
    # broker are in it.
    faulthandler.dump_traceback_later(200)
    folder_tests.run(HERE, options)


if __name__ == "__main__":
    main()

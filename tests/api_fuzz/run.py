#!/usr/bin/python3
"""Checks the API's document, and with it a real server.

run.py [--millrace build/millrace] [--shards 2] [-k pattern] [-v] [test_document ...]
run.py --millrace ... --seed 7 --examples 500 --operation listClients test_server

Without --millrace the document alone, and a server made up from it. The same seed asks the same. Ends with status 77 (skipped) when all of the tests that ran
were, or when the Debian packages python3-hypothesis or python3-jsonschema aren't installed.
"""

import argparse
import faulthandler
import os
import random
import resource
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.append(os.path.join(os.path.dirname(HERE), "interop"))  # broker_process, folder_tests
sys.dont_write_bytecode = True
import folder_tests  # noqa: E402  (needs the path above)

HANG_S = 1800


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", metavar="PATH", help="the millrace executable")
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--seed", type=int, help="default: another one each time")
    parser.add_argument("--examples", type=int, metavar="COUNT",
                        help="requests that are right, an operation")
    parser.add_argument("--operation", default="", metavar="TEXT",
                        help="only operations whose id contains it")
    folder_tests.add_arguments(parser)
    options = parser.parse_args()
    try:
        import hypothesis  # noqa: F401
        import jsonschema  # noqa: F401
    except ImportError as error:
        print("skipped: Debian package python3-%s isn't installed" % error.name)
        sys.exit(folder_tests.SKIPPED)
    take(options)
    folder_tests.run(HERE, options)


def take(options):
    import fuzz
    from broker_process import settings
    if options.millrace:
        settings.executable = os.path.abspath(options.millrace)
        if not os.access(settings.executable, os.X_OK):
            sys.exit("run.py: --millrace: %s is no executable" % options.millrace)
    settings.shards = options.shards
    fuzz.options.seed = random.randrange(1 << 31) if options.seed is None else options.seed
    fuzz.options.examples = options.examples or fuzz.options.examples
    fuzz.options.operation = options.operation
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for the broker
    faulthandler.dump_traceback_later(HANG_S, exit=True)      # a hang shows where it hangs
    print("seed %d: repeat with --seed %d" % (fuzz.options.seed, fuzz.options.seed), flush=True)


if __name__ == "__main__":
    main()

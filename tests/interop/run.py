#!/usr/bin/python3
"""Runs the interop tests against a real broker process over loopback, or over a wire of its own.

run.py --millrace build/millrace [--shards 3] [--net dpdk] [-k pattern] [test_connect ...]
run.py --broker mosquitto ...     the same tests against mosquitto, for comparison
"""

import argparse
import faulthandler
import os
import resource
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import dpdk_wire  # noqa: E402 (needs the path above)
import folder_tests  # noqa: E402
import own_namespace  # noqa: E402
from broker_process import settings  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", metavar="PATH", help="the millrace executable")
    parser.add_argument("--broker", choices=("millrace", "mosquitto"), default="millrace")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--net", choices=("uring", "dpdk"), default="uring",
                        help="dpdk: over a veth pair in a network namespace of this process")
    parser.add_argument("-f", "--failfast", action="store_true")
    parser.add_argument("--soak-seconds", type=float, default=settings.soak_seconds)
    parser.add_argument("--soak-seed", type=int, default=settings.soak_seed)
    parser.add_argument("--drain-connections", type=int, default=settings.drain_connections)
    folder_tests.add_arguments(parser)
    return parser.parse_args()


def main():
    options = arguments()
    settings.broker, settings.shards = options.broker, options.shards
    settings.soak_seconds, settings.soak_seed = options.soak_seconds, options.soak_seed
    settings.drain_connections = options.drain_connections
    if options.broker == "mosquitto":
        settings.executable = shutil.which(
            "mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
    elif options.millrace:
        settings.executable = os.path.abspath(options.millrace)
    if not settings.executable or not os.access(settings.executable, os.X_OK):
        sys.exit("run.py: no executable broker; say --millrace PATH or --broker mosquitto")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for the broker, and for the flood
    settings.net = options.net
    if options.net == "dpdk":
        own_namespace.enter_or_skip(dpdk_wire.TOOLS)
    faulthandler.dump_traceback_later(900, exit=True)  # a hang shows where it hangs

    folder_tests.run(HERE, options, options.failfast)


if __name__ == "__main__":
    main()

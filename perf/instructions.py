#!/usr/bin/python3
"""Has a message become dearer? Instructions by callgrind, beside those that were recorded.

    instructions.py             compare with instructions_baseline.json; fails above +10 %
    instructions.py --record    write that file anew, from a release build by g++ 12

A figure is the difference of two runs that differ in the count of operations alone, so start-up
isn't in it. The string functions of the C library are pinned to those that every x86-64 has, so
that other processors count the same. The compiler must be the baseline's: otherwise there is
nothing to compare (exit status 77, as without valgrind: skipped).
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import tempfile

import harness
from harness import say

BASELINE = os.path.join(harness.FOLDER, "instructions_baseline.json")
ENGINE = os.path.join(harness.FOLDER, "..", "build", "perf", "instructions")
RECORD = "perf/instructions.py --record"
SKIPPED = 77
CHANGE_MAX = 0.10
# How often each does its work in the shorter run; the longer does it three times as often.
COUNTS = {"codec_publish": 3000, "codec_connect": 3000, "match": 5000, "fanout": 30,
          "fanout_qos1": 10, "tcp_receive": 30, "tcp_send": 30}
# What the C library is told that the processor lacks.
WITHOUT = ("AVX2", "AVX512F", "AVX512VL", "AVX512BW", "BMI2", "ERMS", "FSRM", "MOVBE", "RTM",
           "SSSE3", "SSE4_1", "SSE4_2", "AVX_Fast_Unaligned_Load", "Fast_Copy_Backward",
           "Fast_Unaligned_Copy")
TUNABLES = "glibc.cpu.hwcaps=" + ",".join("-" + one for one in WITHOUT)


def instruction_count(engine, arguments):
    """Instructions and operations of a run."""
    with tempfile.TemporaryDirectory(prefix="millrace-perf-") as folder:
        command = ["valgrind", "--tool=callgrind",
                   "--callgrind-out-file=" + os.path.join(folder, "out"), engine]
        done = subprocess.run(command + [str(one) for one in arguments], capture_output=True,
                              text=True, timeout=600, check=False,
                              env={**os.environ, "GLIBC_TUNABLES": TUNABLES})
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise harness.Failure("callgrind of %s failed:\n%s" % (engine, done.stderr[-2000:]))
    return int(found.group(1)), int(done.stdout.split()[0])


def instructions_an_operation(engine, subject, count, arguments=()):
    first, first_done = instruction_count(engine, [subject, count, *arguments])
    second, second_done = instruction_count(engine, [subject, 3 * count, *arguments])
    return (second - first) / (second_done - first_done)


def measure(engine):
    """{subject: instructions an operation}; other work on the machine changes nothing."""
    with concurrent.futures.ThreadPoolExecutor(len(harness.allowed_cores)) as pool:
        waiting = {subject: pool.submit(instructions_an_operation, engine, subject, count)
                   for subject, count in COUNTS.items()}
        return {subject: round(one.result(), 1) for subject, one in waiting.items()}


def conditions(engine):
    processor = harness.first_line_of(["sed", "-n", "s/^model name.*: //p", "/proc/cpuinfo"])
    return {"compiler": harness.first_line_of([engine, "--compiler"]),
            "valgrind": harness.first_line_of(["valgrind", "--version"]),
            "libc": os.confstr("CS_GNU_LIBC_VERSION"),
            "machine": "%s, Linux %s" % (processor, os.uname().release)}


def record(engine):
    figures = measure(engine)
    with open(BASELINE, "w", encoding="utf-8") as out:
        json.dump({"recorded_with": conditions(engine), "instructions_an_operation": figures}, out,
                  indent=4)
        out.write("\n")
    harness.table(["subject", "instructions an operation"],
                  [[subject, "%.1f" % figure] for subject, figure in figures.items()])
    say("Recorded in %s." % os.path.relpath(BASELINE))
    return 0


def skip(reason):
    say("Skipped: " + reason)
    return SKIPPED


def judge(before, figures):
    """Prints the comparison; whether nothing has become dearer."""
    rows, verdicts, good = [], [], True
    for subject, figure in figures.items():
        if subject not in before:
            rows.append([subject, "none", "%.1f" % figure, ""])
            verdicts.append("FAILED: %s has no baseline. Record it: %s" % (subject, RECORD))
            good = False
            continue
        change = figure / before[subject] - 1
        rows.append([subject, "%.1f" % before[subject], "%.1f" % figure,
                     "%+.1f %%" % (100 * change)])
        text = "%s takes %.1f instructions an operation, %.1f %% %s than its baseline of %.1f."
        if change > CHANGE_MAX:
            verdicts.append("FAILED: " + text % (subject, figure, 100 * change, "more",
                                                 before[subject]) +
                            " When that is meant, record anew: " + RECORD)
            good = False
        elif change < -CHANGE_MAX:
            verdicts.append("The baseline is stale: " + text % (
                subject, figure, -100 * change, "less", before[subject]) +
                            " Record anew: " + RECORD)
    harness.table(["subject", "baseline", "now", "change"], rows)
    for line in verdicts:
        say(line)
    return good


def compare(engine):
    if not os.path.exists(BASELINE):
        raise harness.Failure("there is no %s. Record it: %s" % (BASELINE, RECORD))
    with open(BASELINE, encoding="utf-8") as lines:
        baseline = json.load(lines)
    then, now = baseline["recorded_with"], conditions(engine)
    if then["compiler"] != now["compiler"]:
        return skip("built by %s, but the baseline is by %s. To change that for good: %s" % (
            now["compiler"], then["compiler"], RECORD))
    good = judge(baseline["instructions_an_operation"], measure(engine))
    for key in ("valgrind", "libc", "machine"):
        if then[key] != now[key]:
            say("The %s is %s; the baseline was recorded with %s." % (key, now[key], then[key]))
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default=ENGINE, help="build/perf/instructions")
    parser.add_argument("--record", action="store_true", help="write the baseline anew")
    options = parser.parse_args()
    engine = os.path.abspath(options.engine)
    if not os.access(engine, os.X_OK):
        parser.error("%s is not an executable; see --engine" % engine)
    if not shutil.which("valgrind"):
        return skip("valgrind is not installed (Debian package valgrind)")
    return record(engine) if options.record else compare(engine)


if __name__ == "__main__":
    harness.run(main)

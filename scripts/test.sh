#!/usr/bin/env bash
# Builds twice (as released, and with sanitizers), runs every test suite, and ends with one line:
#   N passed, N failed, N skipped
# The status is 0 when something ran and nothing failed.
#   test.sh [--no-install]     don't look for missing packages
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

case "${1:-}" in
    --no-install) ;;
    "")
        scripts/install_packages.sh test || exit 1
        ;;
    *)
        echo "test.sh: \"$1\": accepted is --no-install" >&2
        exit 2
        ;;
esac

export ASAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_summary=1
export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_summary=1:print_stacktrace=1

logs=()
failed_builds=0

say() { printf '\n== %s\n' "$*"; }

# build_in FOLDER MESON-OPTION...: configures it when new, and builds everything.
build_in() {
    local folder=$1
    shift
    if [[ -f $folder/build.ninja ]]; then
        meson configure "$folder" "$@" || return 1
    else
        meson setup "$folder" "$@" || return 1
    fi
    meson compile -C "$folder"
}

# test_in FOLDER TEST-OPTION...: runs its tests; their results go into the sum at the end.
test_in() {
    local folder=$1
    shift
    local log=$folder/meson-logs/testlog.json
    rm -f "$log"
    meson test -C "$folder" --no-rebuild --print-errorlogs "$@" || true  # the log tells
    logs+=("$log")
}

# clang compiles sanitized code a third faster, and so both compilers are tried. Some files at a time
# take a third off again; the release build keeps each by itself, with what it includes.
build_sanitized() {
    CXX=clang++-14 build_in build-sanitize --buildtype=debugoptimized -Doptimization=1 \
        -Ddebug=false -Dcpp_args=-g1 -Db_sanitize=address,undefined -Dunity=on -Db_lundef=false \
        -Dverify=true
}

# Without debugging information, or with lines alone, a build takes a quarter less time.
say "Release build, in build/"
if build_in build --buildtype=release -Ddebug=false; then
    release_built=yes
else
    release_built=no
    failed_builds=$((failed_builds + 1))
fi

# The tests mostly wait, so the other build goes on beside them, with what they leave.
say "Build with the address and undefined behaviour sanitizers, by clang, in build-sanitize/"
sanitize_log=$(mktemp)
trap 'rm -f "$sanitize_log"' EXIT
build_sanitized >"$sanitize_log" 2>&1 &
sanitized_build=$!
renice -n 15 -p "$sanitized_build" >/dev/null

if [[ $release_built == yes ]]; then
    say "Tests of the release build"
    test_in build
fi

say "Tests of the sanitized build"
if wait "$sanitized_build"; then
    # Benchmarks say nothing under sanitizers, and take long.
    test_in build-sanitize --no-suite perf --timeout-multiplier 4
else
    cat "$sanitize_log"
    failed_builds=$((failed_builds + 1))
fi

say "Sum"
python3 - "$failed_builds" "${logs[@]}" <<'PYTHON'
import json
import os
import sys

passed, failed, skipped = 0, int(sys.argv[1]), 0
if failed:
    print(f"{failed} build(s) failed: each counts as one failure")
for path in sys.argv[2:]:
    if not os.path.exists(path):
        print(f"{path}: the tests left no log: counts as one failure")
        failed += 1
        continue
    folder = path.split("/")[0]
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            test = json.loads(line)
            if test["result"] in ("OK", "EXPECTEDFAIL"):
                passed += 1
            elif test["result"] == "SKIP":
                skipped += 1
                print(f"skipped: {test['name']} ({folder})")
            else:
                failed += 1
                print(f"{test['result'].lower()}: {test['name']} ({folder})")
if passed + failed == 0:
    print("nothing ran")
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(0 if passed > 0 and failed == 0 else 1)
PYTHON

#!/usr/bin/env bash
# The benchmark suite: installs what is missing, builds, runs scenarios in turns, and writes raw
# figures, a report and plots into perf/results/<date>-<host>/.
#   perf/run.sh                          all scenarios
#   perf/run.sh fan-out latency          these
#   perf/run.sh --smoke                  as small as it gets: only shows that it works
#   perf/run.sh --help                   scenarios and options
# Load goes over loopback, and network namespaces and memif devices of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install_packages.sh perf
[[ -f build/build.ninja ]] || meson setup build --buildtype=release -Ddebug=false
meson compile -C build millrace perf/floors
exec /usr/bin/python3 perf/suite.py "$@"

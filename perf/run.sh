#!/usr/bin/env bash
# The benchmark suite: installs what is missing, builds, runs scenarios in turns, and writes raw
# figures, a report and plots into perf/results/<date>-<host>/.
#   perf/run.sh                          all scenarios
#   perf/run.sh fan-out latency          these
#   perf/run.sh --smoke                  as small as it gets: only shows that it works
#   perf/run.sh --host NAME unshaped     the load comes from another machine, by ssh
#   perf/run.sh --profile fan-out        also says where millrace's time goes
#   perf/run.sh --help                   scenarios and options
# Without --host load goes over network namespaces (as root) and memif devices of its own, and
# changes nothing on the host.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install_packages.sh perf
[[ -f build/build.ninja ]] || meson setup build --buildtype=release -Ddebug=false
meson compile -C build millrace perf/floors
exec /usr/bin/python3 perf/suite.py "$@"

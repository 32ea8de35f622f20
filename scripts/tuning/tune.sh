#!/usr/bin/env bash
# Shows, sets, takes back and keeps what a host needs to carry very many connections.
#   tune.sh check      what is found, what is wanted, why, and what it costs; changes nothing
#   tune.sh apply      sets it until the next boot, and records how it was
#   tune.sh revert     brings back what was there before, and removes what persist wrote
#   tune.sh persist    writes what sets it again at each boot
# `tune.sh --help` has the options, README.md all settings. Each subject is a file in subjects/,
# which only declares; how a value is read, written, recorded and shown is in lib/.
# shellcheck source-path=SCRIPTDIR
set -uo pipefail
export LC_ALL=C  # what tools say is parsed

tuning_folder=$(readlink -f "${BASH_SOURCE[0]}")
readonly tuning_folder=${tuning_folder%/*}

# Their order is the order of apply: what makes queues goes before what is set on each of them.
readonly subjects=(
    dpdk queues rings coalescing offloads interrupts steering
    backlogs ports tcp_memory buffers time_wait conntrack busy_polling files
    huge_pages governor c_states isolation numa systemd
)

# One by one, so that shellcheck can follow.
# shellcheck source=lib/options.sh
source "$tuning_folder/lib/options.sh" || exit 1
# shellcheck source=lib/host.sh
source "$tuning_folder/lib/host.sh" || exit 1
# shellcheck source=lib/cpus.sh
source "$tuning_folder/lib/cpus.sh" || exit 1
# shellcheck source=lib/nic.sh
source "$tuning_folder/lib/nic.sh" || exit 1
# shellcheck source=lib/channels.sh
source "$tuning_folder/lib/channels.sh" || exit 1
# shellcheck source=lib/journal.sh
source "$tuning_folder/lib/journal.sh" || exit 1
# shellcheck source=lib/settings.sh
source "$tuning_folder/lib/settings.sh" || exit 1
# shellcheck source=lib/report.sh
source "$tuning_folder/lib/report.sh" || exit 1
# shellcheck source=lib/changes.sh
source "$tuning_folder/lib/changes.sh" || exit 1
# shellcheck source=lib/revert.sh
source "$tuning_folder/lib/revert.sh" || exit 1
# shellcheck source=lib/persist.sh
source "$tuning_folder/lib/persist.sh" || exit 1
# shellcheck source=subjects/dpdk.sh
source "$tuning_folder/subjects/dpdk.sh" || exit 1
# shellcheck source=subjects/queues.sh
source "$tuning_folder/subjects/queues.sh" || exit 1
# shellcheck source=subjects/rings.sh
source "$tuning_folder/subjects/rings.sh" || exit 1
# shellcheck source=subjects/coalescing.sh
source "$tuning_folder/subjects/coalescing.sh" || exit 1
# shellcheck source=subjects/offloads.sh
source "$tuning_folder/subjects/offloads.sh" || exit 1
# shellcheck source=subjects/interrupts.sh
source "$tuning_folder/subjects/interrupts.sh" || exit 1
# shellcheck source=subjects/steering.sh
source "$tuning_folder/subjects/steering.sh" || exit 1
# shellcheck source=subjects/backlogs.sh
source "$tuning_folder/subjects/backlogs.sh" || exit 1
# shellcheck source=subjects/ports.sh
source "$tuning_folder/subjects/ports.sh" || exit 1
# shellcheck source=subjects/tcp_memory.sh
source "$tuning_folder/subjects/tcp_memory.sh" || exit 1
# shellcheck source=subjects/buffers.sh
source "$tuning_folder/subjects/buffers.sh" || exit 1
# shellcheck source=subjects/time_wait.sh
source "$tuning_folder/subjects/time_wait.sh" || exit 1
# shellcheck source=subjects/conntrack.sh
source "$tuning_folder/subjects/conntrack.sh" || exit 1
# shellcheck source=subjects/busy_polling.sh
source "$tuning_folder/subjects/busy_polling.sh" || exit 1
# shellcheck source=subjects/files.sh
source "$tuning_folder/subjects/files.sh" || exit 1
# shellcheck source=subjects/huge_pages.sh
source "$tuning_folder/subjects/huge_pages.sh" || exit 1
# shellcheck source=subjects/governor.sh
source "$tuning_folder/subjects/governor.sh" || exit 1
# shellcheck source=subjects/c_states.sh
source "$tuning_folder/subjects/c_states.sh" || exit 1
# shellcheck source=subjects/isolation.sh
source "$tuning_folder/subjects/isolation.sh" || exit 1
# shellcheck source=subjects/numa.sh
source "$tuning_folder/subjects/numa.sh" || exit 1
# shellcheck source=subjects/systemd.sh
source "$tuning_folder/subjects/systemd.sh" || exit 1

# run_subjects: declares the settings of all subjects that were asked for.
run_subjects() {
    local subject
    for subject in "${subjects[@]}"; do
        is_wanted_subject "$subject" || continue
        subject_name=$subject
        "subject_$subject"
    done
}

check() {
    report_begin
    [[ ! -e $state/applied/unfinished ]] ||
        say "The last apply was cut short: apply goes on with it, revert takes it back."
    run_subjects
    report_end
    [[ $((counts[change] + counts[blocked])) -eq 0 ]] || exit 3
}

apply() {
    changes_begin applied
    report_begin
    run_subjects
    changes_end
    report_end
    [[ ${counts[blocked]} -eq 0 ]] || exit 3
}

parse_options "$@"
find_host
case $action in
    check) check ;;
    apply) apply ;;
    revert) revert ;;
    persist) persist ;;
esac

# shellcheck shell=bash
# The command line. After parse_options the variables below hold what was asked for; a fault ends
# the program with status 2 and says what is accepted.

action=
profile=io_uring
nic_asked=
cpus_asked=
connections=1000000
huge_page_mib=          # empty: computed (subjects/huge_pages.sh)
busy_poll=no
dry_run=no
json=no
brief=no
edit_command_line=no
root=                   # empty: the host itself
state=
only=
skip=

usage() {
    cat <<'TEXT'
tune.sh check|apply|revert|persist [options]
  --profile io_uring|dpdk   how millrace reaches the network (io_uring)
  --nic DEV                 the network card; without it the only physical one there is
  --cpus LIST               the cores of the shards, as in shards.cpus: 2-9,12
                            (all of the card's NUMA node, or all)
  --connections N           make room for that many (1000000)
  --huge-page-mib N         on each NUMA node with shards (a GiB a shard, half the node at most)
  --busy-poll               also what uring.napi_busy_poll_us > 0 needs from the card
  --only A,B  --skip A,B    subjects by name, as they stand in subjects/
  --dry-run                 say what would be done, and do nothing
  --json                    one JSON object in place of the table
  --brief                   a line a setting, without reasons and costs
  --kernel-command-line     persist: also write the isolation of cores for GRUB
  --root DIR                read and write below DIR; tools are taken from DIR/bin alone
  --state DIR               where old values are kept (/var/lib/millrace-tuning)
Status: 0 as wanted; 1 failed, and what this run had changed is as before; 2 wrong arguments;
3 something differs (check), or couldn't be set here (apply, persist).
TEXT
}

usage_fault() {
    printf 'tune.sh: %s\n' "$1" >&2
    exit 2
}

require_one_of() {
    local option=$1 value=$2 accepted
    shift 2
    for accepted in "$@"; do
        [[ $value != "$accepted" ]] || return 0
    done
    usage_fault "$option \"$value\": accepted are $(printf '%s ' "$@")"
}

require_count() {
    [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || usage_fault "$1 \"$2\": accepted are 1 to 999999999"
}

# The folder of scripts is the list of subjects.
require_subjects() {
    local names name
    [[ $2 =~ ^[^[:space:],]+(,[^[:space:],]+)*$ ]] ||
        usage_fault "$1 \"$2\": accepted are subjects with commas between, such as rings,files"
    IFS=, read -ra names <<<"$2"
    for name in "${names[@]}"; do
        require_one_of "$1" "$name" "${subjects[@]}"
    done
}

is_wanted_subject() {
    [[ -z $only || ,$only, == *,$1,* ]] && [[ ,$skip, != *,$1,* ]]
}

take_flag() {
    case $1 in
        --busy-poll) busy_poll=yes ;;
        --dry-run) dry_run=yes ;;
        --json) json=yes ;;
        --brief) brief=yes ;;
        --kernel-command-line) edit_command_line=yes ;;
        *) return 1 ;;
    esac
}

take_value() {
    case $1 in
        --profile) require_one_of "$1" "$2" io_uring dpdk && profile=$2 ;;
        --nic)
            # It becomes a part of paths.
            [[ $2 =~ ^[A-Za-z0-9_.:@-]+$ && $2 != . && $2 != .. ]] ||
                usage_fault "--nic \"$2\" is no name of a network card: ls /sys/class/net"
            nic_asked=$2
            ;;
        --cpus) cpus_asked=$2 ;;
        --connections) require_count "$1" "$2" && connections=$2 ;;
        --huge-page-mib) require_count "$1" "$2" && huge_page_mib=$2 ;;
        --only) require_subjects "$1" "$2" && only=$2 ;;
        --skip) require_subjects "$1" "$2" && skip=$2 ;;
        --root)
            [[ -d $2 ]] || usage_fault "--root \"$2\" is no folder"
            root=$(readlink -f "$2")
            [[ $root != / ]] || root=
            ;;
        --state)
            # It becomes a line of a unit.
            [[ $2 != *[[:cntrl:]]* ]] || usage_fault "--state: a name without control characters"
            state=$(readlink -m "$2")
            ;;
        *) return 1 ;;
    esac
}

parse_options() {
    while [[ $# -gt 0 ]]; do
        case $1 in
            -h | --help)
                usage
                exit 0
                ;;
            check | apply | revert | persist)
                [[ -z $action ]] || usage_fault "\"$action\" and \"$1\": one at a time"
                action=$1
                shift
                ;;
            --profile | --nic | --cpus | --connections | --huge-page-mib | --only | --skip | \
                --root | --state)
                [[ $# -gt 1 && -n $2 && $2 != --* ]] || usage_fault "$1 needs a value"
                take_value "$1" "$2" || usage_fault "$1 \"$2\" can't be used"
                shift 2
                ;;
            *)
                take_flag "$1" || usage_fault "\"$1\" is not known: tune.sh --help"
                shift
                ;;
        esac
    done
    [[ -n $action ]] || usage_fault "what to do? check, apply, revert or persist: tune.sh --help"
    [[ $edit_command_line == no || $action == persist ]] ||
        usage_fault "--kernel-command-line is for persist alone"
    state=${state:-$root/var/lib/millrace-tuning}
}

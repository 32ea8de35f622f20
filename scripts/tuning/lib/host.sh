# shellcheck shell=bash
# What the host is: its tools, memory, cores and NUMA nodes. All paths begin with $root, so that
# everything works on a copy of /proc and /sys.

online_cpus=()
shard_cpus=()

say() { [[ $json == yes ]] || printf '%s\n' "$*"; }

# Messages of faults: what, where and how to mend it.
complain() { printf 'tune.sh: %s\n' "$*" >&2; }

declare -A tool_paths=()
# What tools said that only read, and why they failed; forgotten when one writes.
declare -A tool_outputs=() tool_reasons=()

# find_tool NAME: sets `tool` to its path, or fails. With --root only DIR/bin counts: the host's own
# tools would change the host, not the copy.
find_tool() {
    if [[ -n $root ]]; then
        tool=$root/bin/$1
        [[ -x $tool ]]
    else
        [[ -v tool_paths[$1] ]] || tool_paths[$1]=$(PATH=$PATH:/usr/sbin:/sbin type -P "$1")
        tool=${tool_paths[$1]}
        [[ -n $tool ]]
    fi
}

# require_tool NAME: fails with `tool_reason`.
require_tool() {
    tool_reason="$1 is not installed${root:+ in $root/bin}"
    find_tool "$1"
}

# run_tool NAME ARGUMENT...: its output; its last line of complaint in `tool_reason` when it fails.
run_tool() {
    local name=$1
    shift
    require_tool "$name" || return 1
    if ! tool_output=$("$tool" "$@" 2>&1); then
        tool_reason="\"$name $*\" said: ${tool_output##*$'\n'}"
        return 1
    fi
}

# ask_tool NAME ARGUMENT...: the same for what changes nothing, asked once.
ask_tool() {
    if [[ -v tool_outputs[$*] ]]; then
        tool_output=${tool_outputs[$*]} tool_reason=${tool_reasons[$*]:-}
    else
        run_tool "$@" || tool_reasons[$*]=$tool_reason
        tool_outputs[$*]=${tool_output:-}
    fi
    [[ ! -v tool_reasons[$*] ]]
}

# read_bytes FILE: sets `bytes` to what is in it, newlines at its end included. It fails where there
# is nothing to read: some files of sysfs exist and refuse. Without a process of its own, since it
# is called for each value of each core. (No file here has a zero byte.)
read_bytes() {
    bytes=
    { IFS= read -r -d '' bytes <"$1"; } 2>/dev/null
    [[ -n $bytes ]]
}

# read_text PATH: sets `text` to what stands there, without newlines at its end.
read_text() {
    local bytes
    read_bytes "$root$1" || return 1
    text=${bytes%"${bytes##*[!$'\n']}"}
}

# memory_kib PATH KEY: sets `kib` from a file of the form of /proc/meminfo.
memory_kib() {
    local text
    kib=
    read_text "$1" && [[ $text =~ (^|[[:space:]])"$2":[[:space:]]+([0-9]+) ]] || return 1
    kib=${BASH_REMATCH[2]}
}

node_of_cpu() {
    local path
    for path in "$root/sys/devices/system/cpu/cpu$1"/node[0-9]*; do
        [[ -e $path ]] || continue
        node=${path##*/node}
        return 0
    done
    node=0
}

# Which cores the shards have, and which card: the base of most settings.
find_host() {
    # What was recorded is brought back whatever there is now.
    [[ $action != revert ]] || return 0
    find_online_cpus
    find_nic
    choose_shard_cpus
}

# A copy may lack the list, and a container all of sysfs.
find_online_cpus() {
    local path list=''
    if ! read_text /sys/devices/system/cpu/online || ! parse_cpu_list "$text"; then
        for path in "$root"/sys/devices/system/cpu/cpu[0-9]*; do
            list+=${list:+,}${path##*/cpu}
        done
        if ! parse_cpu_list "$list"; then
            complain "$root/sys/devices/system/cpu tells no cores: --cpus counts, or core 0 alone"
            parse_cpu_list "$cpus_asked" || parsed_cpus=(0)
        fi
    fi
    online_cpus=("${parsed_cpus[@]}")
}

choose_shard_cpus() {
    local cpu
    shard_cpus=("${online_cpus[@]}")
    if [[ -n $cpus_asked ]]; then
        parse_cpu_list "$cpus_asked" ||
            usage_fault "--cpus \"$cpus_asked\": accepted are cores and ranges, such as 2-9,12"
        for cpu in "${parsed_cpus[@]}"; do
            contains_cpu "$cpu" "${online_cpus[@]}" || {
                format_cpu_list "${online_cpus[@]}"
                usage_fault "--cpus \"$cpus_asked\": core $cpu is not online: $cpu_list are"
            }
        done
        shard_cpus=("${parsed_cpus[@]}")
    elif [[ -n $nic_node ]] && read_text "/sys/devices/system/node/node$nic_node/cpulist" &&
        parse_cpu_list "$text"; then
        shard_cpus=("${parsed_cpus[@]}")
    fi
}

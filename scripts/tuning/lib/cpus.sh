# shellcheck shell=bash
# Lists of cores ("0-3,8") and masks of them as the kernel writes them: hexadecimal words of 32
# cores, the highest first, with commas between them (Documentation/core-api/irq/irq-affinity.rst).
# Results are in variables rather than printed, since a subshell for each would be slow.

readonly cpu_index_max=8191  # NR_CPUS of the largest kernels

# parse_cpu_list LIST: sets `parsed_cpus`, in order and without repetition; fails on anything else.
parse_cpu_list() {
    local -A seen=()
    local parts part cpu first last highest=0
    parsed_cpus=()
    [[ $1 =~ ^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$ ]] || return 1
    IFS=, read -ra parts <<<"$1"
    for part in "${parts[@]}"; do
        [[ ${#part} -le 9 ]] || return 1
        first=$((10#${part%-*})) last=$((10#${part#*-}))
        ((first <= last && last <= cpu_index_max)) || return 1
        ((last <= highest)) || highest=$last
        for ((cpu = first; cpu <= last; cpu++)); do
            seen[$cpu]=yes
        done
    done
    for ((cpu = 0; cpu <= highest; cpu++)); do
        [[ -z ${seen[$cpu]:-} ]] || parsed_cpus+=("$cpu")
    done
}

# format_cpu_list CPU...: sets `cpu_list` to the shortest list; the cores come in ascending order.
format_cpu_list() {
    local cpu first='' last=''
    cpu_list=
    for cpu in "$@" ''; do
        if [[ -n $first && $cpu == $((last + 1)) ]]; then
            last=$cpu
            continue
        fi
        if [[ -n $first ]]; then
            cpu_list+=${cpu_list:+,}$first
            [[ $last == "$first" ]] || cpu_list+=-$last
        fi
        first=$cpu last=$cpu
    done
}

# cpus_to_mask CPU...: sets `mask`. No core at all is "0".
cpus_to_mask() {
    local -a words=(0)
    local cpu index
    for cpu in "$@"; do
        for ((index = ${#words[@]}; index <= cpu / 32; index++)); do
            words[index]=0
        done
        words[cpu / 32]=$((words[cpu / 32] | 1 << cpu % 32))
    done
    printf -v mask '%x' "${words[-1]}"
    for ((index = ${#words[@]} - 2; index >= 0; index--)); do
        printf -v mask '%s,%08x' "$mask" "${words[index]}"
    done
}

# plain_mask MASK: sets `plain` to its digits alone, so that "00000000,00000003" equals "3".
plain_mask() {
    local words word
    plain=
    IFS=, read -ra words <<<"${1,,}"
    for word in "${words[@]}"; do
        while [[ -n $plain && ${#word} -lt 8 ]]; do
            word=0$word
        done
        plain+=$word
        plain=${plain#"${plain%%[!0]*}"}
    done
    plain=${plain:-0}
}

contains_cpu() {
    local wanted=$1 cpu
    shift
    for cpu in "$@"; do
        [[ $cpu != "$wanted" ]] || return 0
    done
    return 1
}

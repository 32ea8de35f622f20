# shellcheck shell=bash
# What a person reads, or with --json a program: a row a setting, in the order of the subjects.

declare -A counts=([ok]=0 [change]=0 [changed]=0 [blocked]=0 [advice]=0 [n/a]=0)
report_title=
report_quiet=no
json_rows=()

# json_text TEXT: sets `quoted`.
json_text() {
    quoted=${1//\\/\\\\}
    quoted=${quoted//\"/\\\"}
    quoted=${quoted//$'\n'/\\n}
    quoted=${quoted//$'\t'/\\t}
    quoted=\"${quoted//[[:cntrl:]]/ }\"
}

report_begin() {
    format_cpu_list "${shard_cpus[@]}"
    local where=${nic_node:+ on NUMA node $nic_node}
    say "Profile $profile, shards on cores $cpu_list, card ${nic:-none}$where."
}

# report STATUS NAME FOR FOUND WANTED WHY COST REASON
report() {
    counts[$1]=$((counts[$1] + 1))
    # persist shows the files that it writes instead, and the advice on isolation once.
    [[ $report_quiet == no || $1 == blocked ]] || return 0
    if [[ $json == yes ]]; then
        report_json "$@"
    else
        report_text "$@"
    fi
}

report_json() {
    local names=(status name for found wanted why cost reason) index=0 row field
    json_text "$subject_name"
    row="{\"subject\": $quoted"
    for field in "$@"; do
        json_text "$field"
        row+=", \"${names[index]}\": $quoted"
        index=$((index + 1))
    done
    json_rows+=("$row}")
}

report_text() {
    local status=$1 name=$2 value_found=$4 value_wanted=$5
    [[ $status != change || $dry_run == no ]] || status="would change"
    if [[ $report_title != "$subject_title" ]]; then
        report_title=$subject_title
        printf '\n== %s\n' "$subject_title"
    fi
    case $1 in
        ok) printf '%-12s  %-42s  %s\n' "$status" "$name" "$value_found" ;;
        change | changed | advice)
            printf '%-12s  %-42s  %s -> %s\n' "$status" "$name" "${value_found:-nothing}" \
                "$value_wanted"
            ;;
        *) printf '%-12s  %-42s  %s\n' "$status" "$name" "$8" ;;
    esac
    [[ $1 != advice ]] || printf '%14sdo    %s\n' '' "$8"
    [[ $1 != blocked || -z $value_wanted ]] ||
        printf '%14sfound %s, wanted %s\n' '' "$value_found" "$value_wanted"
    [[ $brief == no && $action == check ]] || return 0
    printf '%14sfor   %s\n' '' "$3"
    [[ -z $6 ]] || printf '%14swhy   %s\n' '' "$6"
    [[ -z $7 ]] || printf '%14scost  %s\n' '' "$7"
}

report_end() {
    local change_count=${counts[change]} done_word="to change"
    if [[ $action != check && $dry_run == no ]]; then
        change_count=${counts[changed]} done_word=changed
    fi
    if [[ $json == yes ]]; then
        report_end_json
        return
    fi
    printf '\n%s %s, %s as wanted, %s not applicable, %s blocked, %s for a person to decide\n' \
        "$change_count" "$done_word" "${counts[ok]}" "${counts[n/a]}" "${counts[blocked]}" \
        "${counts[advice]}"
    [[ $dry_run == no ]] || printf 'Nothing was written: this was a dry run.\n'
}

report_end_json() {
    local row separator='' dry_json=false
    [[ $dry_run == no ]] || dry_json=true
    format_cpu_list "${shard_cpus[@]}"
    printf '{"action": "%s", "dry_run": %s, "profile": "%s", "nic": "%s", "cpus": "%s",\n' \
        "$action" "$dry_json" "$profile" "$nic" "$cpu_list"
    printf ' "counts": {"ok": %s, "change": %s, "changed": %s, "blocked": %s,' \
        "${counts[ok]}" "${counts[change]}" "${counts[changed]}" "${counts[blocked]}"
    printf ' "advice": %s, "n/a": %s},\n' "${counts[advice]}" "${counts[n/a]}"
    printf ' "settings": [\n'
    for row in "${json_rows[@]}"; do
        printf '%s  %s' "$separator" "$row"
        separator=$',\n'
    done
    printf '\n ]}\n'
}

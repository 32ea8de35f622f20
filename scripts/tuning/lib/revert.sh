# shellcheck shell=bash
# Brings back what the journals hold, the newest first, byte for byte. A journal goes when all of it
# is back; so a revert that was cut short is simply repeated. What fails stays recorded, and is
# named.

restored_count=0
unchanged_count=0
failed_count=0

revert() {
    if [[ ! -d $state ]]; then
        say "Nothing is recorded in $state: there is nothing to revert."
        [[ $json == no ]] || report_revert_json
        return
    fi
    if [[ $dry_run == no ]]; then
        if [[ -z $root && $EUID -ne 0 ]]; then
            complain "revert writes to /proc and /sys: run it as root"
            exit 1
        fi
        lock_state
    fi
    journal_drop_stale
    revert_journal applied
    revert_journal persisted
    [[ $dry_run == yes ]] || tell_programs
    report_revert
    [[ $failed_count -eq 0 ]] || exit 1
}

revert_journal() {
    local paths path lines index failed_before=$failed_count restored_numbers=() number
    [[ -d $state/$1 ]] || return 0
    journal_open "$1"
    paths=("$journal"/[0-9]*.entry)
    for ((index = ${#paths[@]} - 1; index >= 0; index--)); do
        path=${paths[index]}
        [[ -e $path ]] || continue
        mapfile -t lines <"$path"
        path=${path##*/}
        [[ ${#lines[@]} -eq 2 ]] || continue
        revert_entry "${path%.entry}" "${lines[0]}" "${lines[1]}"
    done
    [[ $dry_run == no ]] || return 0
    if [[ $failed_count -eq $failed_before ]]; then
        rm -rf "$journal"
        return
    fi
    for number in "${restored_numbers[@]}"; do
        forget_entry "$number"
    done
}

# revert_entry NUMBER CHANNEL TARGET
revert_entry() {
    if [[ $dry_run == yes ]]; then
        say "would restore  $2 $3"
        return
    fi
    if ! restore "$2" "$3" "$journal/$1.old"; then
        failed_count=$((failed_count + 1))
        complain "can't restore $2 $3: $channel_reason"
        return
    fi
    restored_numbers+=("$1")
    if [[ $restored == yes ]]; then
        restored_count=$((restored_count + 1))
        say "restored      $2 $3"
    else
        unchanged_count=$((unchanged_count + 1))
    fi
}

report_revert_json() {
    local dry_json=false
    [[ $dry_run == no ]] || dry_json=true
    printf '{"action": "revert", "dry_run": %s, "restored": %s, "as_before": %s, "failed": %s}\n' \
        "$dry_json" "$restored_count" "$unchanged_count" "$failed_count"
}

report_revert() {
    if [[ $dry_run == yes ]]; then
        say "Nothing was written: this was a dry run."
        [[ $json == no ]] || report_revert_json
        return
    fi
    if [[ $failed_count -gt 0 ]]; then
        complain "$failed_count values are still recorded in $state; that mended: tune.sh revert"
    else
        drop_state
        [[ ! -d $state ]] || complain "$state isn't empty: what else is in it isn't ours"
    fi
    if [[ $json == yes ]]; then
        report_revert_json
    else
        printf '%s restored, %s were as before already, %s failed\n' \
            "$restored_count" "$unchanged_count" "$failed_count"
    fi
}

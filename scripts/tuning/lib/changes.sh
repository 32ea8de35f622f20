# shellcheck shell=bash
# A run that writes. Each value's old bytes are recorded first. When a write fails, all that this
# run wrote is undone in reverse, and the error names the setting, the file, the reason and what to
# do. A run that is killed leaves the journal; `unfinished` in it tells the next one.

run_folder=          # values that were in the journal already, as this run found them
run_undo=()          # what this run wrote, oldest first: channel, target, number or empty
run_wrote=no

changes_begin() {
    local name=$1
    if [[ $dry_run == yes ]]; then
        return
    fi
    if [[ -z $root && $EUID -ne 0 ]]; then
        complain "$action writes to /proc and /sys: run it as root; --dry-run says what it would do"
        exit 1
    fi
    lock_state
    journal_drop_stale
    journal_open "$name"
    run_folder=$state/$name/run
    if [[ -e $journal/unfinished ]]; then
        say "The last run was cut short; what it had recorded is kept, and this one goes on."
        [[ ! -e $run_folder ]] || rm -rf "$run_folder"
    fi
    refuse_other_profile
    # PIPE: who reads the report has gone. EXIT: whatever else ends the run before its time.
    trap 'undo_run "it was interrupted"; exit 1' INT TERM HUP QUIT PIPE
    trap 'undo_run "it ended early"' EXIT
}

# Two profiles at once would leave settings of the first that the second doesn't show.
refuse_other_profile() {
    local bytes
    read_bytes "$journal/options" || return 0
    [[ $bytes != "$profile"$'\n' ]] || return 0
    complain "$state holds what was set for the profile ${bytes%$'\n'}: tune.sh revert, then $action again"
    drop_state
    exit 1
}

begin_writing() {
    [[ $run_wrote == no ]] || return 0
    run_wrote=yes
    journal_begin && printf '%s\n' "$profile" >"$journal/options" && return 0
    complain "nothing can be recorded in $journal: is the disk full? Nothing was changed"
    trap - EXIT
    exit 1
}

# keep CHANNEL TARGET: records a value that a later change takes along, such as what is set on each
# queue when the number of queues changes. Reverting comes to it after that change.
keep() {
    [[ -z ${journaled["$1 $2"]:-} ]] || return 0
    begin_writing
    journal_add "$1" "$2" && run_undo+=("$1" "$2" "$entry")
}

# change CHANNEL TARGET VALUE RULE: records, writes and reads again.
change() {
    local value goal=$3 known
    begin_writing
    known=${journaled["$1 $2"]:-}
    journal_add "$1" "$2" ||
        fail_run "$1" "$2" "its old value can't be recorded in $journal: is the disk full?"
    if [[ -n $known ]]; then
        if ! { [[ -d $run_folder ]] || mkdir "$run_folder"; } || ! save_old "$1" "$2" "$run_folder/$known.old"; then
            fail_run "$1" "$2" "its value can't be recorded in $run_folder: is the disk full?"
        fi
        entry=
    fi
    run_undo+=("$1" "$2" "$entry")
    write_channel "$1" "$2" "$goal" || fail_run "$1" "$2" "$channel_reason" "$goal"
    verify "$1" "$2" "$goal" "$4"
}

# The kernel may take less than was asked for (huge pages), more (it rounds the size of tables up),
# or another form of it (masks): what stands there has to be good enough by the same rule.
verify() {
    local value='' words
    read_channel "$1" "$2" || fail_run "$1" "$2" "it can't be read any more: $channel_reason" "$3"
    [[ $value != "$3" ]] || return 0
    target_value "$4" "$value" "$3"
    read -ra words <<<"$value"
    [[ $result == "${words[*]}" ]] || fail_run "$1" "$2" "the kernel made \"$value\" of it" "$3"
}

fail_run() {
    local where=$2
    case $1 in
        file | choice | document | link | directory) where=$root$2 ;;
    esac
    complain "$setting_name: ${4:+writing \"${4%%$'\n'*}\" to }$1 $where failed: $3"
    mend_hint "$3" "$2"
    undo_run "it failed"
    exit 1
}

mend_hint() {
    local hint="leave it out with --skip $subject_name"
    case $1 in
        *"Permission denied"* | *"not permitted"*)
            hint="run as root, in a container on its host; or $hint" ;;
        *"Read-only file system"*) hint="it's mounted read-only: set it on the host; or $hint" ;;
        *"Input/output error"*) hint="the driver keeps this to itself; $hint" ;;
        *"kernel made"*)
            [[ $2 != *hugepages* ]] || hint="memory is too fragmented: apply right after a boot,
or ask for fewer with --huge-page-mib; or $hint" ;;
        *"is not installed"*) hint="install it; or $hint" ;;
        *"disk full"*) hint="make room; or say --state DIR" ;;
        *) hint="this kernel or device doesn't accept it; $hint" ;;
    esac
    complain "to mend it: ${hint//$'\n'/ }"
}

# undo_run WHY: the newest first. What can't be undone stays in the journal for revert.
undo_run() {
    local index channel target number undone=0 kept=0 file
    trap - EXIT
    trap '' INT TERM HUP QUIT PIPE
    for ((index = ${#run_undo[@]} - 3; index >= 0; index -= 3)); do
        channel=${run_undo[index]} target=${run_undo[index + 1]} number=${run_undo[index + 2]}
        file=$journal/$number.old
        [[ -n $number ]] || file=$run_folder/${journaled["$channel $target"]}.old
        # What persist only recorded stays as apply made it.
        if [[ $channel == recorded ]] || restore "$channel" "$target" "$file"; then
            undone=$((undone + 1))
            [[ -z $number ]] || forget_entry "$number"
        else
            kept=$((kept + 1))
            complain "can't undo $channel $target: $channel_reason"
        fi
    done
    tell_programs
    rm -rf "$run_folder"
    if [[ $kept -eq 0 ]]; then
        rm -f "$journal/unfinished"
        complain "$1: rolled back, $undone values are as they were before this run"
    else
        complain "$1: $undone values are as before, $kept are not; that mended: tune.sh revert"
    fi
    drop_empty_journal
}

# changes_end: the run is whole.
changes_end() {
    [[ $dry_run == no ]] || return 0
    trap - INT TERM HUP QUIT PIPE EXIT
    [[ $run_wrote == no ]] || rm -rf "$run_folder" "$journal/unfinished"
    tell_programs
    drop_empty_journal
}

# tell_programs: who has read a file that was written or removed reads it again.
tell_programs() {
    if [[ $touched_documents == */systemd/* && -d $root/run/systemd/system ]]; then
        run_tool systemctl daemon-reload ||
            complain "systemd has to read its files again: systemctl daemon-reload ($tool_reason)"
    fi
    if [[ $touched_documents == */grub.d/* ]]; then
        run_tool update-grub ||
            complain "GRUB has to read its files again: update-grub ($tool_reason)"
    fi
    touched_documents=
}

drop_empty_journal() {
    local entries=("$journal"/*.entry)
    [[ ! -e ${entries[0]} ]] || return 0
    [[ ! -d $journal ]] || rm -rf "$journal"
    drop_state
}

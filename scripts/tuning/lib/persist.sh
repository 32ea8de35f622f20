# shellcheck shell=bash
# What a boot would forget is set again by three files, and a fourth by request:
#   /etc/sysctl.d/90-millrace.conf                            the values below /proc/sys
#   /etc/systemd/system/millrace-tuning.service               runs `tune.sh apply` for all the rest
#   /etc/systemd/system/millrace.service.d/50-tuning.conf     the server's limits
#   /etc/default/grub.d/millrace.cfg                          the kernel's command line
# All are new files of ours: nothing of the administrator's is edited. After a boot the values of
# /proc/sys are set before anything here runs, so what they were before is recorded now.

readonly unit_folder=/etc/systemd/system
sysctl_names=()
sysctl_values=()

# keep_for_boot: called for each setting that can be set here.
keep_for_boot() {
    [[ $action == persist ]] || return 0
    local index value
    for index in "${!item_channels[@]}"; do
        [[ ${item_channels[index]} == file && ${item_targets[index]} == /proc/sys/* ]] || continue
        read_channel file "${item_targets[index]}" || continue
        compare_item "$index"
        sysctl_names+=("${item_targets[index]#/proc/sys/}")
        sysctl_values+=("$result")
    done
}

persist() {
    changes_begin persisted
    report_begin
    report_quiet=yes
    run_subjects
    report_quiet=no
    counts[ok]=0 counts[change]=0 counts[n/a]=0
    subject_name=persist
    subject "Files that set it again at each boot"
    persist_sysctls
    persist_unit
    persist_limits
    persist_command_line
    changes_end
    report_end
    [[ ${counts[blocked]} -eq 0 ]] || exit 3
}

# place CHANNEL PATH CONTENT FOR COST
place() {
    local folder=${2%/*} missing=() index
    setting "$2" "$4" '' "$5"
    while [[ -n $folder && ! -d $root$folder ]]; do
        missing=("$folder" "${missing[@]}")
        folder=${folder%/*}
    done
    for index in "${!missing[@]}"; do
        item directory "${missing[index]}" exact present
    done
    item "$1" "$2" exact "$3"
    end_setting
    [[ $dry_run == no || $json == yes || $1 != document ]] || say "    | ${3//$'\n'/$'\n'    | }"
}

persist_sysctls() {
    local index content="# Written by millrace's tune.sh persist, removed by tune.sh revert."
    [[ ${#sysctl_names[@]} -gt 0 ]] || return 0
    for index in "${!sysctl_names[@]}"; do
        content+=$'\n'"${sysctl_names[index]//\//.} = ${sysctl_values[index]}"
        keep_original "/proc/sys/${sysctl_names[index]}"
    done
    place document /etc/sysctl.d/90-millrace.conf "$content" "values below /proc/sys" ''
}

# keep_original PATH: as it was before apply, where that has changed it already.
keep_original() {
    local applied=$state/applied path lines
    [[ $dry_run == no && -z ${journaled["file $1"]:-} ]] || return 0
    begin_writing
    journal_add file "$1" || {
        complain "the value of $1 can't be recorded in $journal: is the disk full?"
        undo_run "it failed"
        exit 1
    }
    run_undo+=(recorded "$1" "$entry")
    for path in "$applied"/[0-9]*.entry; do
        [[ -e $path ]] || continue
        mapfile -t lines <"$path"
        [[ ${lines[0]} != file || ${lines[1]} != "$1" ]] ||
            cp "${path%.entry}.old" "$journal/$entry.old"
    done
}

# unit_word TEXT: sets `word` to what systemd reads as one word (systemd.service, "Command lines").
unit_word() {
    word=${1//\\/\\\\}
    word=${word//\"/\\\"}
    word=${word//%/%%}
    [[ $word != *[[:space:]\"\']* ]] || word=\"$word\"
}

persist_unit() {
    local command word
    unit_word "$tuning_folder/tune.sh"
    command="$word apply --profile $profile --connections $connections"
    [[ -z $nic_asked ]] || command+=" --nic $nic_asked"
    [[ -z $cpus_asked ]] || command+=" --cpus $cpus_asked"
    [[ -z $huge_page_mib ]] || command+=" --huge-page-mib $huge_page_mib"
    [[ $busy_poll == no ]] || command+=" --busy-poll"
    [[ -z $only ]] || command+=" --only $only"
    [[ -z $skip ]] || command+=" --skip $skip"
    unit_word "$state"
    [[ $state == "$root/var/lib/millrace-tuning" ]] || command+=" --state $word"
    command+=" --brief"
    place document "$unit_folder/millrace-tuning.service" "$(unit_content "$command")" \
        "runs apply at boot, before millrace starts" "a boot takes a second longer; a card whose \
queues change loses its link for a moment"
    place link "$unit_folder/multi-user.target.wants/millrace-tuning.service" \
        "$unit_folder/millrace-tuning.service" "enables that unit" ''
}

# Status 3 says that something couldn't be set here, which the journal of the unit shows.
unit_content() {
    cat <<UNIT
# Written by millrace's tune.sh persist, removed by tune.sh revert.
[Unit]
Description=Host settings for millrace
After=network.target irqbalance.service systemd-sysctl.service
Before=millrace.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$1
SuccessExitStatus=3

[Install]
WantedBy=multi-user.target
UNIT
}

persist_limits() {
    limits_content
    place document "$unit_folder/millrace.service.d/50-tuning.conf" "$limits" "$limits_for" \
        "$limits_cost"
}

persist_command_line() {
    local for="keeps the kernel's other work off the shards' cores" words present text=
    isolation_words
    if [[ -z $isolation ]]; then
        inapplicable "kernel command line" "$for" "$isolation_reason"
    elif [[ $edit_command_line == no ]]; then
        read_text /proc/cmdline
        present_words "$text" "isolcpus|nohz_full|rcu_nocbs"
        advise "kernel command line" "$for" "$present" "$isolation" '' '' \
            "add these words in the boot loader, or persist --kernel-command-line for GRUB"
    elif [[ ! -f $root/etc/default/grub ]]; then
        blocked "kernel command line" "$for" \
            "$root/etc/default/grub isn't there; for another boot loader add: $isolation"
    else
        words="# Written by millrace's tune.sh persist, removed by tune.sh revert."
        # shellcheck disable=SC2016  # GRUB's shell expands it
        words+=$'\n''GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX '"$isolation\""
        place document /etc/default/grub.d/millrace.cfg "$words" "$for" \
            "the cores do nothing else, also when millrace isn't running"
    fi
}

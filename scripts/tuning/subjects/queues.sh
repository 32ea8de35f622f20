# shellcheck shell=bash
# How many queues the card has: one for each shard.

subject_queues() {
    local for="each queue has an interrupt, so its packets are processed on one core" kind found=no
    subject "Queues of the card"
    nic_is_tunable "queue count" "$for" || return 0
    for kind in combined rx tx; do
        want_queues "$kind" "$for" || continue
        found=yes
        # A card that has combined queues uses those.
        [[ $kind != combined ]] || break
    done
    [[ $found == yes ]] || without_value "queue count of $nic" "$for" "$tool_reason"
}

# want_queues KIND FOR: fails when the card has none of that kind.
want_queues() {
    local number label=${1^} wanted
    [[ $1 == combined ]] || label=${1^^}
    ethtool_number -l maximums "$label" && ((number > 0)) || return 1
    wanted=$((number < ${#shard_cpus[@]} ? number : ${#shard_cpus[@]}))
    setting "$1 queues of $nic" "$2" "one for each of ${#shard_cpus[@]} shards, $number at most: \
with more, cores without a shard take part; with fewer, cores share" \
        "the link is down for a moment while the number changes"
    item queues "$nic $1" exact "$wanted"
    ! read_channel queues "$nic $1" || [[ $value == "$wanted" ]] || keep_queues
    end_setting
    [[ $1 == tx ]] || queue_count=$wanted
}

# What is set on each queue is lost with it.
keep_queues() {
    local path line interrupts bytes
    [[ $action == apply && $dry_run == no ]] || return 0
    for path in "$root/sys/class/net/$nic/queues"/*/{rps_cpus,rps_flow_cnt,xps_cpus}; do
        ! read_bytes "$path" || keep file "${path#"$root"}"
    done
    list_interrupts
    for line in "${interrupts[@]}"; do
        keep file "/proc/irq/${line%% *}/smp_affinity"
    done
}

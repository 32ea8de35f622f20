# shellcheck shell=bash
# Which core processes a packet after the interrupt (RPS, RFS), and which queue a core sends by
# (XPS). Documentation/networking/scaling.rst.

readonly flow_entries=32768  # what scaling.rst proposes for a busy server

subject_steering() {
    subject "Steering of packets"
    nic_is_tunable "RPS, RFS, XPS" "which core processes a packet" || return 0
    if [[ $queue_count -eq 0 ]]; then
        inapplicable "RPS, RFS, XPS" "which core processes a packet" "$nic shows no queues"
        return
    fi
    want_rps
    want_rfs
    want_xps
}

# want_on_queues KIND FILE RULE VALUE: an item for each queue that there will be.
want_on_queues() {
    local queue
    for ((queue = 0; queue < queue_count; queue++)); do
        item file "/sys/class/net/$nic/queues/$1-$queue/$2" "$3" "$4"
    done
}

want_rps() {
    local for="RPS: spreads the packets of few queues over more cores" why
    if ((queue_count >= ${#shard_cpus[@]})); then
        mask=0 why="the card spreads already: each shard's core has a queue"
    else
        cpus_to_mask "${shard_cpus[@]}"
        why="queues: $queue_count, shards: ${#shard_cpus[@]}; the others would do nothing"
    fi
    setting "RPS of $nic" "$for" "$why" "an interrupt between cores for each batch that is moved"
    want_on_queues rx rps_cpus mask "$mask"
    end_setting
}

# The kernel picks the listening shard by a hash of its own (SO_REUSEPORT), the card picks the queue
# by another: so a connection's packets mostly arrive on the core of another shard.
want_rfs() {
    local for="RFS: processes a packet on the core whose shard reads its connection"
    if [[ ${#shard_cpus[@]} -eq 1 ]]; then
        inapplicable "RFS of $nic" "$for" "there is one shard"
        return
    fi
    local why="the kernel gives a connection to a shard by its own hash, not by the card's queue" \
        cost="an interrupt between cores for each batch that is moved, and 256 KiB"
    sysctl net.core.rps_sock_flow_entries at_least "$flow_entries" "$for" "$why" "$cost"
    setting "RFS of $nic" "$for" "$why" "$cost"
    want_on_queues rx rps_flow_cnt at_least $((flow_entries / queue_count))
    end_setting
}

want_xps() {
    local for="XPS: the queue that a core sends by" queue index cpus paths shards=${#shard_cpus[@]}
    paths=("$root/sys/class/net/$nic/queues"/tx-*)
    if [[ ${#paths[@]} -lt 2 ]]; then
        inapplicable "XPS of $nic" "$for" "there is one queue to send by"
        return
    fi
    for ((queue = 0; queue < queue_count && queue < ${#paths[@]}; queue++)); do
        cpus=()
        # Queues past the last shard belong to the first ones again.
        for ((index = queue % shards; index < shards; index += queue_count)); do
            cpus+=("${shard_cpus[index]}")
        done
        cpus_to_mask "${cpus[@]}"
        format_cpu_list "${cpus[@]}"
        setting "XPS of $nic, queue $queue, for core $cpu_list" "$for" \
            "a shard sends by a queue of its own, without waiting for others" \
            "cores without a shard share those queues"
        item file "/sys/class/net/$nic/queues/tx-$queue/xps_cpus" mask "$mask"
        end_setting
    done
}

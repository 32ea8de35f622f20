# shellcheck shell=bash
# Memory and cores that are near each other.

subject_numa() {
    local nodes=("$root"/sys/devices/system/node/node[0-9]*)
    subject "NUMA"
    sysctl kernel.numa_balancing exact 0 \
        "moves memory to the node of the core that uses it" \
        "shards take memory on their own node from the start; looking for what to move stops them" \
        "programs that aren't pinned lose by it"
    sysctl vm.zone_reclaim_mode exact 0 \
        "frees memory of a node before another's is used" \
        "freeing stops whoever asks; the other node is a hundred nanoseconds further" \
        "some memory may be on the other node"
    near_card "${#nodes[@]}"
}

# near_card NODES
near_card() {
    local for="shards on the NUMA node of the card" cpu node far=() near=
    if [[ $1 -lt 2 ]]; then
        inapplicable "NUMA placement" "$for" "there is one node"
        return
    fi
    if [[ -z $nic_node ]]; then
        inapplicable "NUMA placement" "$for" "${nic_reason:-the card tells no node}"
        return
    fi
    for cpu in "${shard_cpus[@]}"; do
        node_of_cpu "$cpu"
        [[ $node == "$nic_node" ]] || far+=("$cpu")
    done
    read_text "/sys/devices/system/node/node$nic_node/cpulist" && near=$text
    if [[ ${#far[@]} -eq 0 ]]; then
        report ok "NUMA placement" "$for" "node $nic_node" "node $nic_node" '' '' ''
        return
    fi
    format_cpu_list "${far[@]}"
    advise "NUMA placement" "$for" "cores $cpu_list are on another node" \
        "cores of node $nic_node: $near" \
        "every packet crosses the link between the nodes otherwise" \
        "the other node's cores have no shard" \
        "--cpus here, and shards.cpus in millrace's configuration"
}

# shellcheck shell=bash
# Which core takes the interrupts of which queue.

subject_interrupts() {
    local for="the core that a queue's packets are processed on" interrupts line
    subject "Interrupts"
    nic_is_tunable "interrupt affinity" "$for" || return 0
    list_interrupts
    if [[ ${#interrupts[@]} -eq 0 ]]; then
        inapplicable "interrupts of $nic" "$for" "it has no interrupts with a queue's number"
        return
    fi
    stop_irqbalance
    for line in "${interrupts[@]}"; do
        want_interrupt "$line" "$for"
    done
}

# First of all: it would move them again within ten seconds.
stop_irqbalance() {
    setting "irqbalance" "moves interrupts between cores as they get busy" \
        "it undoes what is set below, and a queue that moves makes latency jump" \
        "interrupts of other devices stay where they are"
    item service irqbalance.service exact inactive
    end_setting
}

# want_interrupt "IRQ QUEUE NAME" FOR: queue N belongs to shard N, beginning again past the last.
want_interrupt() {
    local irq queue name cpu
    read -r irq queue name <<<"$1"
    # What is past the number of queues goes with the queue (subjects/queues.sh).
    ((queue < queue_count)) || return 0
    cpu=${shard_cpus[queue % ${#shard_cpus[@]}]}
    cpus_to_mask "$cpu"
    setting "interrupt $irq ($name) to core $cpu" "$2" \
        "queue $queue is for the shard on core $cpu: each core takes as many packets as another" \
        "a connection that the kernel gave to another shard crosses cores, which RFS mends"
    item file "/proc/irq/$irq/smp_affinity" mask "$mask"
    end_setting
}

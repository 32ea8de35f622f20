# shellcheck shell=bash
# How long the card waits for more packets before it interrupts a core.

subject_coalescing() {
    local for="one interrupt for several packets"
    subject "Coalescing of interrupts"
    nic_is_tunable "coalescing" "$for" || return 0
    local why="a delay that adapts to the load differs from one broadcast to the next; a fixed \
short one is the same for all"
    coalesce adaptive-rx exact off "$for" "$why" "more interrupts under full load"
    coalesce adaptive-tx exact off "$for" "$why" "more interrupts under full load"
    coalesce rx-usecs exact 20 "$for" "20 us is below what a client notices, and some 25 \
full-sized packets of 10 Gbit/s" "up to 20 us for each packet that comes in"
    coalesce tx-usecs exact 50 "$for" "what was sent is only tidied up then: nobody waits for it" \
        "sent memory is given back up to 50 us later"
    subject_deferral
}

coalesce() {
    setting "$1 of $nic" "$4" "$5" "$6"
    item coalesce "$nic $1" "$2" "$3"
    end_setting
}

# Documentation/networking/napi.rst, "Software IRQ coalescing" and "Busy polling".
subject_deferral() {
    local for="leaves the card's queue to the shard that polls it" path=/sys/class/net/$nic
    if [[ $busy_poll == no ]]; then
        inapplicable "deferral of interrupts" "$for" \
            "only with --busy-poll, when uring.napi_busy_poll_us is set: else it delays packets"
        return
    fi
    setting "deferral of interrupts" "$for" \
        "an interrupt while the shard polls takes the same packets from under it" \
        "200 us for packets that come when the shard doesn't poll"
    item file "$path/napi_defer_hard_irqs" exact 2
    item file "$path/gro_flush_timeout" exact 200000
    end_setting
}

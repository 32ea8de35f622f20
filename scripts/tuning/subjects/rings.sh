# shellcheck shell=bash
# How many packets wait in the card for their core.

subject_rings() {
    local for="packets that wait between the card and a core" kind
    subject "Rings of the card"
    nic_is_tunable "ring sizes" "$for" || return 0
    for kind in rx tx; do
        want_ring "$kind" "$for"
    done
}

# 4096 is the most that common cards have. Out is half of in: the kernel has queues of its own
# there.
want_ring() {
    local number wanted=4096
    [[ $1 != tx ]] || wanted=2048
    if ! ethtool_number -g maximums "${1^^}"; then
        without_value "$1 ring of $nic" "$2" "$tool_reason"
        return
    fi
    ((wanted <= number)) || wanted=$number
    setting "$1 ring of $nic" "$2" "clients that come back all at once send faster than a core \
that is in the middle of a broadcast takes in; what doesn't fit is lost and sent again after 200 \
ms"         "memory of a buffer each, and a larger ring has less of itself in the core's cache"
    item ring "$nic $1" at_least "$wanted"
    end_setting
}

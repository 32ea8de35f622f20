# shellcheck shell=bash
# What the card does in place of a core.

subject_offloads() {
    local cost="none known"
    subject "Offloads of the card"
    nic_is_tunable "offloads" "what the card does in place of a core" || return 0
    offload rx on "checks checksums of what comes in" "a core would read every byte for it" "$cost"
    offload tx on "computes checksums of what goes out" \
        "a core would read every byte for it" "$cost"
    offload sg on "sends from several places in memory" \
        "a broadcast is sent from where it was encoded, once for all" "$cost"
    offload tso on "cuts up to 64 KiB into packets" "a burst of messages costs one way through the \
kernel" "a lost packet's neighbours were sent in one go"
    offload gso on "the same in software, as late as possible" "for what the card can't cut" "$cost"
    offload gro on "joins packets of one connection that come in together" \
        "one way through the kernel for several; replies stay right, unlike with LRO" "$cost"
    offload lro off "joins them in the card" "it loses the boundaries that acknowledgements and \
forwarding need; GRO does it rightly" "a little more work for a core"
    offload rxhash on "gives each packet its connection's hash" \
        "steering (RPS, RFS) would compute it again" "$cost"
}

# offload KEY WANTED FOR WHY COST
offload() {
    local value feature_is_fixed=no
    if read_channel feature "$nic $1" && [[ $feature_is_fixed == yes && $value != "$2" ]]; then
        inapplicable "$1 of $nic" "$3" "its driver has it fixed to $value"
        return
    fi
    setting "$1 of $nic" "$3" "$4" "$5"
    item feature "$nic $1" exact "$2"
    end_setting
}

# shellcheck shell=bash
# The card's driver under DPDK: vfio-pci hands it to a user-space program, through the IOMMU.

subject_dpdk() {
    local for="lets DPDK drive the card from user space"
    subject "Card for DPDK"
    if [[ $profile != dpdk ]]; then
        inapplicable "driver of the card" "$for" "the kernel keeps the card for io_uring"
    elif [[ -z $nic_asked ]]; then
        inapplicable "driver of the card" "$for" \
            "a card is taken from the kernel only by name: --nic DEV"
    elif [[ -z $nic_address ]]; then
        inapplicable "driver of the card" "$for" "$nic_asked is no PCI device"
    elif [[ $nic_driver == mlx[45]_core ]]; then
        inapplicable "driver of the card" "$for" \
            "DPDK shares the card with $nic_driver: it stays bound"
    else
        bind_card "$for"
    fi
}

bind_card() {
    local groups=("$root"/sys/kernel/iommu_groups/*)
    if [[ ! -e ${groups[0]} ]]; then
        blocked "driver of $nic_asked" "$1" "there is no IOMMU: boot with intel_iommu=on or \
amd_iommu=on iommu=pt; without one, and without its protection: \
echo 1 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode, and dpdk-devbind.py by hand"
        return
    fi
    if [[ -n $nic ]] && has_default_route; then
        blocked "driver of $nic_asked" "$1" \
            "the default route goes through it: this would cut the host off"
        return
    fi
    setting "module vfio-pci" "the driver that hands a device to a user-space program" \
        "DPDK maps the card's registers through it" "none"
    item module vfio-pci exact loaded
    end_setting
    setting "driver of $nic_asked" "$1" "a card has one driver at a time" \
        "the kernel loses the card with its addresses and routes; revert brings back the driver, \
and the network's own configuration has to bring back addresses"
    item driver "$nic_address" exact vfio-pci
    end_setting
    remember_card
}

# Its name goes with the kernel's driver, and a second apply is given the same name.
remember_card() {
    [[ $action == apply && $dry_run == no && -d $journal ]] || return 0
    [[ $nic_asked != "$nic_address" ]] || return 0
    printf '%s\n' "$nic_address" >"$journal/nic_$nic_asked"
}

# shellcheck shell=bash
# The network card: which one, its queues, its interrupts, and what ethtool says of it.

nic=            # empty: none; then nic_reason says why
nic_reason=
nic_node=       # its NUMA node; empty: none is told
nic_address=    # on the PCI bus; empty: not there
nic_driver=
queue_count=0   # as it is, or will be once subjects/queues.sh is applied

# A card of the machine has a device behind it; loopback, veth, bridges and tunnels have none.
find_nic() {
    local path cards=()
    nic_reason=
    if [[ -n $nic_asked ]]; then
        take_nic "$nic_asked"
        return
    fi
    for path in "$root"/sys/class/net/*; do
        [[ ! -e $path/device ]] || cards+=("${path##*/}")
    done
    case ${#cards[@]} in
        0) nic_reason="there's no network card here, only virtual devices; --nic names one" ;;
        1) take_nic "${cards[0]}" ;;
        *) nic_reason="there are several cards (${cards[*]}): name one with --nic" ;;
    esac
}

# A card that DPDK has is no network device any more. Its PCI address stays, and is kept by its
# name.
take_nic() {
    local device=$root/sys/class/net/$1/device name=$1
    if [[ ! -d $root/sys/class/net/$name ]]; then
        if [[ -d $root/sys/bus/pci/devices/$name ]]; then
            nic_address=$name
        elif [[ -r $state/applied/nic_$name ]]; then
            nic_address=$(<"$state/applied/nic_$name")
        else
            usage_fault "--nic \"$name\": no such card: ls $root/sys/class/net"
        fi
        nic_reason="$name isn't the kernel's: a user-space driver may have it"
        device=$root/sys/bus/pci/devices/$nic_address
    else
        nic=$name
        # For virtio the card is the parent of the device.
        [[ -e $device/msi_irqs || ! -e $device/../msi_irqs ]] || device=$device/..
        nic_address=$(readlink -f "$device" 2>/dev/null)
        nic_address=${nic_address##*/}
        [[ $nic_address =~ ^[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$ ]] || nic_address=
        count_queues
    fi
    nic_driver=$(readlink "$device/driver" 2>/dev/null)
    nic_driver=${nic_driver##*/}
    # -1 is the kernel's word for "not told".
    if read_text "${device#"$root"}/numa_node" && [[ $text =~ ^[0-9]+$ ]]; then
        nic_node=$text
    fi
}

count_queues() {
    local path
    queue_count=0
    for path in "$root/sys/class/net/$nic/queues"/rx-*; do
        [[ ! -e $path ]] || queue_count=$((queue_count + 1))
    done
}

# nic_is_tunable NAME FOR: true when the kernel drives a card. Otherwise NAME is reported
# inapplicable.
nic_is_tunable() {
    if [[ -z $nic ]]; then
        inapplicable "$1" "$2" "$nic_reason"
        return 1
    fi
    if [[ $profile == dpdk ]]; then
        inapplicable "$1" "$2" \
            "DPDK drives the card's queues itself (dpdk.* in millrace's configuration)"
        return 1
    fi
}

# output_field TEXT KEY INDEX: sets `field` to the word at INDEX of the first line that begins with
# the words KEY; empty when there's none.
output_field() {
    local line words
    field=
    while IFS= read -r line; do
        read -ra words <<<"$line"
        [[ "${words[*]} " == "$2 "* ]] || continue
        field=${words[$3]:-}
        return
    done <<<"$1"
}

# ethtool_number OPTION SECTION KEY [DEV]: sets `number` from `ethtool OPTION DEV`. SECTION is
# "maximums" or "Current". Fails, with tool_reason, when the card doesn't tell.
ethtool_number() {
    local device=${4:-$nic} field
    ask_tool ethtool "$1" "$device" || return 1
    # From the section's title on.
    output_field "${tool_output#*"$2"}" "$3:" 1
    number=$field
    tool_reason="its driver gives no number for \"$3\" (ethtool $1 $device)"
    [[ $number =~ ^[0-9]+$ ]]
}

# list_interrupts: fills `interrupts` with a line "IRQ QUEUE NAME" for each queue of the card.
# Drivers name them as they like; what has no queue number (management, link changes) is left alone.
list_interrupts() {
    local device=$root/sys/class/net/$nic/device own=' ' path line irq name words
    local pattern='(tx-?rx|rx-?tx|rx|tx|input|output|comp|fp|queue|q|ntfy-blk)[-._]?([0-9]+)$'
    local unnumbered=()
    interrupts=()
    [[ -d $device/msi_irqs ]] || device=$device/..
    for path in "$device"/msi_irqs/*; do
        [[ ! -e $path ]] || own+="${path##*/} "
    done
    [[ -r $root/proc/interrupts ]] || return 0
    while read -ra words; do
        [[ ${words[0]:-} =~ ^([0-9]+):$ ]] || continue
        irq=${BASH_REMATCH[1]} name=${words[-1]}
        [[ -d $root/proc/irq/$irq ]] || continue
        if [[ $own != ' ' ]]; then
            [[ $own == *" $irq "* ]] || continue
        else
            [[ $name =~ (^|[-_.])"$nic"($|[-_.@]) ]] || continue
        fi
        line=${name%%@*}
        if [[ ${line,,} =~ $pattern ]]; then
            interrupts+=("$irq $((10#${BASH_REMATCH[2]})) $name")
        else
            unnumbered+=("$irq 0 $name")
        fi
    done <"$root/proc/interrupts"
    # A card with one queue and one interrupt has no reason to number it.
    if [[ $queue_count -eq 1 && ${#interrupts[@]} -eq 0 && ${#unnumbered[@]} -eq 1 ]]; then
        interrupts=("${unnumbered[@]}")
    fi
}

# The default route's card is how most hosts are reached.
has_default_route() {
    awk -v nic="$nic" 'NR > 1 && $1 == nic && $2 == "00000000" { found = 1 } END { exit !found }' \
        "$root/proc/net/route" 2>/dev/null ||
        awk -v nic="$nic" \
            '$1 ~ /^0+$/ && $2 == "00" && $NF == nic { found = 1 } END { exit !found }' \
            "$root/proc/net/ipv6_route" 2>/dev/null
}

#!/bin/sh
# ethtool, systemctl and others, acting on a copy of a host (tree.py): ROOT/bin/TOOL leads here.
# What changes something is written to ROOT/calls.log. A line of ROOT/fail that stands in the
# command line makes it fail; one of ROOT/kill ends the tune.sh that called (SIGTERM for ethtool -K,
# else SIGKILL). "ring/rx 2048" in ROOT/clamp is what the card makes of any new value (512 is the
# old one). In sh, since a run of tune.sh calls it some twenty times.
set -u
tool=${0##*/} root=${0%/bin/*}
line=$tool${*:+ $*}

# value_of FILE [OTHERWISE]: sets `value` to its first line.
value_of() {
    value=${2:-}
    [ ! -e "$root/$1" ] || IFS= read -r value <"$root/$1"
}

# put FILE VALUE
put() { printf '%s\n' "$2" >"$root/$1"; }

# is_listed FILE: true when one of its lines stands in the command line.
is_listed() {
    [ -e "$root/$1" ] || return 1
    while IFS= read -r listed; do
        case $line in *"$listed"*) return 0 ;; esac
    done <"$root/$1"
    return 1
}

# end_callers SIGNAL: the processes right above this one that run tune.sh.
end_callers() {
    process=$PPID callers=
    while grep -q 'tune\.sh' "/proc/$process/cmdline"; do
        callers="$callers $process"
        process=$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$process/stat")
    done
    for process in $callers; do
        kill -s "$1" "$process"
    done
}

record() {
    printf '%s\n' "$line" >>"$root/calls.log"
    if is_listed kill; then
        case $listed in
            "ethtool -K"*) end_callers TERM ;;
            *) end_callers KILL ;;
        esac
    fi
    if is_listed fail; then
        echo "netlink error: Invalid argument"
        exit 1
    fi
}

# set_queues DEVICE COUNT: as a driver does: all that was set on a queue goes with it.
set_queues() {
    queues=sys/class/net/$1/queues index=0
    for path in "$root/$queues"/*; do
        [ "${path##*-}" -lt "$2" ] || rm -r "$path"
    done
    while [ "$index" -lt "$2" ]; do
        if [ ! -d "$root/$queues/rx-$index" ]; then
            mkdir "$root/$queues/rx-$index" "$root/$queues/tx-$index"
            put "$queues/rx-$index/rps_cpus" 0
            put "$queues/rx-$index/rps_flow_cnt" 0
            put "$queues/tx-$index/xps_cpus" 0
        fi
        index=$((index + 1))
    done
}

# set_card KIND DEVICE KEY VALUE
set_card() {
    value_of clamp
    new=$4
    case $value in "$1/$3 "*) [ "$4" = 512 ] || new=${value#* } ;; esac
    put "card/$2/$1/$3" "$new"
    [ "$1" != queues ] || set_queues "$2" "$new"
}

# show_values DEVICE KIND MAXIMUMS: those of the card, or the most that it takes.
show_values() {
    for path in "$root/card/$1/$2"/*; do
        key=${path##*/}
        value_of "card/$1/$2$3/$key"
        case $key in
            combined) key=Combined ;;
            rx) key=RX ;;
            tx) key=TX ;;
        esac
        printf '%s:\t\t%s\n' "$key" "$value"
    done
}

show_features() {
    echo "Features for $1:"
    while read -r key name; do
        value_of "card/$1/feature/$key"
        echo "$name: $value"
    done <<NAMES
rx rx-checksumming
tx tx-checksumming
sg scatter-gather
tso tcp-segmentation-offload
gso generic-segmentation-offload
gro generic-receive-offload
lro large-receive-offload
rxhash receive-hashing
NAMES
}

show_coalescing() {
    value_of "card/$1/coalesce/adaptive-rx"
    echo "Coalesce parameters for $1:"
    printf 'Adaptive RX: %s' "$value"
    value_of "card/$1/coalesce/adaptive-tx"
    echo "  TX: $value"
    for key in rx-usecs tx-usecs; do
        value_of "card/$1/coalesce/$key"
        printf '%s:\t%s\n' "$key" "$value"
    done
    printf 'rx-frames:\tn/a\n'
}

ethtool() {
    case $1 in
        -[lL]) kind=queues ;;
        -[gG]) kind=ring ;;
        -[cC]) kind=coalesce ;;
        -[kK]) kind=feature ;;
        *) kind=nothing ;;
    esac
    if [ ! -d "$root/card/$2/$kind" ]; then
        echo "netlink error: Operation not supported"
        exit 1
    fi
    case $1 in
        -[LGCK])
            record
            set_card "$kind" "$2" "$3" "$4"
            ;;
        -k) show_features "$2" ;;
        -c) show_coalescing "$2" ;;
        *)
            printf 'Parameters for %s:\nPre-set maximums:\n' "$2"
            show_values "$2" "$kind" _max
            printf 'Other:\t\tn/a\nCurrent hardware settings:\n'
            show_values "$2" "$kind" ''
            ;;
    esac
}

systemctl() {
    if [ "$1" = is-active ]; then
        value_of "units/$2" inactive
        echo "$value"
        [ "$value" = active ] || exit 3
        return
    fi
    record
    case $1 in
        start) put "units/$2" active ;;
        stop) put "units/$2" inactive ;;
    esac
}

modprobe() {
    record
    if [ "$1" = -r ]; then
        rm -r "$root/sys/module/vfio_pci" "$root/sys/bus/pci/drivers/vfio-pci"
    else
        mkdir -p "$root/sys/module/vfio_pci" "$root/sys/bus/pci/drivers/vfio-pci"
    fi
}

# Bound to another driver, the card is no network device; bound back, it is one again.
devbind() {
    driver=${1#--bind=}
    record
    ln -sfn "../../drivers/$driver" "$root/sys/bus/pci/devices/$2/driver"
    mkdir -p "$root/hidden"
    if [ "$driver" != vfio-pci ]; then
        mv "$root/hidden"/* "$root/sys/class/net/"
        return
    fi
    for path in "$root/sys/class/net"/*; do
        case $(readlink "$path/device") in */"$2") mv "$path" "$root/hidden/" ;; esac
    done
}

case $tool in
    ethtool) ethtool "$@" ;;
    systemctl) systemctl "$@" ;;
    modprobe) modprobe "$@" ;;
    dpdk-devbind.py) devbind "$@" ;;
    update-grub) record ;;
esac

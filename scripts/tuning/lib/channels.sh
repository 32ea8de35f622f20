# shellcheck shell=bash
# A channel is a way to read and to write a value of the host. Its target names the value:
#   file PATH          a file of /proc or /sys
#   choice PATH        one that shows all values, the valid one in brackets
#   document PATH      a file of ours under /etc or /run, or "absent"
#   link PATH          a symbolic link; its value is where it leads, or "absent"
#   directory PATH     "present" or "absent"
#   queues DEV KIND    ethtool -L; KIND is combined, rx or tx
#   ring DEV KIND      ethtool -G; KIND is rx or tx
#   coalesce DEV KEY   ethtool -C
#   feature DEV KEY    ethtool -K
#   service UNIT       "active" or "inactive"
#   module NAME        "loaded" or "absent"
#   driver ADDRESS     the driver of a PCI device, or "none"

declare -rA feature_names=(
    [rx]=rx-checksumming [tx]=tx-checksumming [sg]=scatter-gather
    [tso]=tcp-segmentation-offload [gso]=generic-segmentation-offload
    [gro]=generic-receive-offload [lro]=large-receive-offload [rxhash]=receive-hashing
)

declare -A file_modes=()  # path below $root -> permissions, in octal
touched_documents=  # for tell_programs (lib/changes.sh)

# read_channel CHANNEL TARGET: sets `value`; fails, with `channel_reason`, when there is none.
read_channel() {
    local text number key
    channel_reason="$root$2 isn't there: this kernel or device doesn't have it"
    case $1 in
        file)
            read_text "$2" || return 1
            value=$text
            ;;
        document)
            value=absent
            ! read_text "$2" || value=$text
            ;;
        choice)
            read_text "$2" || return 1
            value=$text
            [[ ! $text =~ \[([^]]*)\] ]] || value=${BASH_REMATCH[1]}
            ;;
        link) value=$(readlink "$root$2") || value=absent ;;
        directory)
            value=absent
            [[ ! -d $root$2 ]] || value=present
            ;;
        queues) read_ethtool_number -l "$2" ;;
        ring) read_ethtool_number -g "$2" ;;
        coalesce) read_coalesce "$2" ;;
        feature) read_feature "$2" ;;
        service) read_service "$2" ;;
        module)
            value=absent
            [[ ! -d $root/sys/module/${2//-/_} ]] || value=loaded
            ;;
        driver)
            [[ -d $root/sys/bus/pci/devices/$2 ]] || return 1
            value=$(readlink "$root/sys/bus/pci/devices/$2/driver")
            value=${value##*/}
            value=${value:-none}
            ;;
        *)
            complain "no channel \"$1\""
            exit 1
            ;;
    esac
}

read_ethtool_number() {
    local device=${2% *} kind=${2#* }
    kind=${kind^}
    [[ $kind == Combined ]] || kind=${kind^^}
    ethtool_number "$1" Current "$kind" "$device" || { channel_reason=$tool_reason && return 1; }
    value=$number
}

read_coalesce() {
    local device=${1% *} key=${1#* } field
    ask_tool ethtool -c "$device" || { channel_reason=$tool_reason && return 1; }
    case $key in
        adaptive-rx) output_field "$tool_output" "Adaptive RX:" 2 ;;
        adaptive-tx) output_field "$tool_output" "Adaptive RX:" 4 ;;
        *) output_field "$tool_output" "$key:" 1 ;;
    esac
    value=$field
    channel_reason="its driver can't set $key (ethtool -c $device)"
    [[ -n $value && $value != n/a ]]
}

read_feature() {
    local device=${1% *} key=${1#* } field
    ask_tool ethtool -k "$device" || { channel_reason=$tool_reason && return 1; }
    output_field "$tool_output" "${feature_names[$key]}:" 1
    value=$field
    channel_reason="its driver doesn't have it (ethtool -k $device)"
    [[ -n $value ]] || return 1
    output_field "$tool_output" "${feature_names[$key]}:" 2
    feature_is_fixed=no
    [[ $field != "[fixed]" ]] || feature_is_fixed=yes
}

read_service() {
    channel_reason="systemd isn't running here"
    find_tool systemctl || return 1
    # is-active has a status of its own for inactive ones, and says "inactive" for unknown ones.
    value=$("$tool" is-active "$1" 2>/dev/null)
    case $value in
        active | reloading | activating) value=active ;;
        inactive | failed | deactivating) value=inactive ;;
        *) return 1 ;;
    esac
}

# file_mode PATH: sets `mode`, empty when it isn't known. A process for each file would be most of
# what a run costs: so one asks for all sysctls, or for the same file of all cores, queues or
# interrupts.
file_mode() {
    local paths=() lines line
    if [[ ! -v file_modes[$1] ]]; then
        if [[ $1 == /proc/sys/* ]]; then
            paths=("$root"/proc/sys/{fs,kernel,vm,net/*}/*)
        else
            # shellcheck disable=SC2206  # a pattern, and without spaces
            paths=("$root"${1//[0-9]/*})
        fi
        mapfile -d '' lines < <(stat --dereference --printf='%a %n\0' -- "${paths[@]}" 2>/dev/null)
        for line in "${lines[@]}"; do
            file_modes[${line#* "$root"}]=${line%% *}
        done
    fi
    mode=${file_modes[$1]:-}
}

# can_write CHANNEL TARGET: false, with `channel_reason`, when writing can't work.
can_write() {
    local tool_reason=''
    case $1 in
        file | choice) can_write_file "$2" && return ;;
        queues | ring | coalesce | feature) require_tool ethtool && return ;;
        service) require_tool systemctl && return ;;
        module) require_tool modprobe && return ;;
        driver) require_tool dpdk-devbind.py && return ;;
        *) return 0 ;;
    esac
    channel_reason=${tool_reason:-$channel_reason}
    return 1
}

# A file without any permission to write is refused even to root where the kernel made it so (a
# sysctl of another network namespace).
can_write_file() {
    local mode
    file_mode "$1"
    channel_reason="read-only here: $root$1 (mode ${mode:-unknown}); set it on the container's host"
    [[ -n $mode ]] && ((8#$mode & 8#222)) || return 1
    # Who isn't root is told what root would find: only check and --dry-run get here.
    [[ -n $root || $EUID -eq 0 ]] || return 0
    channel_reason="read-only here: $root$1 (mode $mode, mounted read-only or another user's); \
set it on the container's host"
    [[ -w $root$1 ]]
}

# write_channel CHANNEL TARGET VALUE: fails with `channel_reason`.
write_channel() {
    local device=${2% *} key=${2#* }
    case $1 in
        file | choice) write_text "$2" "$3"$'\n' ;;
        document)
            touched_documents+=" $2"
            write_text "$2" "$3"$'\n'
            ;;
        link) channel_reason=$(ln -s "$3" "$root$2" 2>&1) ;;
        directory) channel_reason=$(mkdir "$root$2" 2>&1) ;;
        queues) use_tool ethtool -L "$device" "$key" "$3" ;;
        ring) use_tool ethtool -G "$device" "$key" "$3" ;;
        coalesce) use_tool ethtool -C "$device" "$key" "$3" ;;
        feature) use_tool ethtool -K "$device" "$key" "$3" ;;
        service)
            if [[ $3 == active ]]; then
                use_tool systemctl start "$2"
            else
                use_tool systemctl stop "$2"
            fi
            ;;
        module)
            if [[ $3 == loaded ]]; then
                use_tool modprobe "$2"
            else
                use_tool modprobe -r "$2"
            fi
            ;;
        driver)
            if [[ $3 == none ]]; then
                use_tool dpdk-devbind.py --unbind "$2"
            else
                use_tool dpdk-devbind.py --bind="$3" "$2"
            fi
            ;;
    esac
}

# One write call: /proc and /sys take a value whole or not at all. A failed one is repeated for its
# reason.
write_text() {
    ! { printf '%s' "$2" >"$root$1"; } 2>/dev/null || return 0
    channel_reason=$({ printf '%s' "$2" >"$root$1"; } 2>&1) && return 0
    channel_reason=${channel_reason##*: }
    return 1
}

use_tool() {
    tool_outputs=() tool_reasons=()
    run_tool "$@" || { channel_reason=$tool_reason && return 1; }
}

# remove_target CHANNEL TARGET: what was absent before is absent again.
remove_target() {
    [[ $1 != document ]] || touched_documents+=" $2"
    case $1 in
        directory)
            [[ -d $root$2 ]] || return 0
            channel_reason=$(rmdir "$root$2" 2>&1)
            ;;
        *) channel_reason=$(rm -f "$root$2" 2>&1) ;;
    esac
}

# shellcheck shell=bash
# The way back. A journal is a folder below $state with, for each value that was changed, the bytes
# that were there before:
#   NNNNNN.old      them, byte for byte; no such file: there was nothing
#   NNNNNN.entry    the channel and the target, a line each, written at once and after the bytes
# An entry is there before its value is written. So whatever ends a run, revert finds what to undo.
#   applied       what lasts until the next boot; boot_id says which boot that was
#   persisted     what was written for later boots
# `made` names the folders above $state that were made for it, the deepest first.
# `options` says what it was applied with. `unfinished` is there while a run writes.

journal=              # the folder of the journal in use
journal_last=0           # the highest number given out
declare -A journaled=()  # "channel target" -> number

boot_id() {
    read_text /proc/sys/kernel/random/boot_id || text=unknown
}

# Another run at the same time would record what this one wrote. The folder itself is the lock, so
# that nothing of it stays.
lock_state() {
    local folder=${state%/*} made=()
    while [[ -n $folder && ! -d $folder ]]; do
        made+=("$folder")
        folder=${folder%/*}
    done
    mkdir -p "$state" 2>/dev/null || {
        complain "$state can't be made: run this as root, or say --state DIR"
        exit 1
    }
    [[ ${#made[@]} -eq 0 ]] || printf '%s\n' "${made[@]}" >"$state/made"
    exec {lock_descriptor}<"$state" || exit 1
    flock --nonblock "$lock_descriptor" || {
        complain "another tune.sh is at work with $state: wait for it"
        exit 1
    }
}

# drop_state: when there is nothing in it any more, $state goes, with the folders made for it.
drop_state() {
    local left=("$state"/*) made=()
    if [[ ${left[*]} == "$state/made" ]]; then
        mapfile -t made <"$state/made"
        rm "$state/made"
    fi
    rmdir "$state" "${made[@]}" 2>/dev/null
}

# journal_open NAME: reads what is there already.
journal_open() {
    local path lines
    journal=$state/$1
    journaled=() journal_last=0
    for path in "$journal"/[0-9]*.entry; do
        [[ -e $path ]] || continue
        mapfile -t lines <"$path"
        path=${path##*/}
        # Cut short before the value was touched.
        [[ ${#lines[@]} -eq 2 ]] || continue
        journaled["${lines[0]} ${lines[1]}"]=${path%.entry}
        journal_last=$((10#${path%.entry}))
    done
}

# A boot takes what was applied with it: old values of before belong to nothing any more.
journal_drop_stale() {
    [[ -d $state/applied ]] || return 0
    local text bytes
    boot_id
    read_bytes "$state/applied/boot_id"
    [[ $bytes != "$text"$'\n' ]] || return 0
    say "What was applied before the last boot went with it."
    [[ $dry_run == yes ]] || rm -rf "$state/applied"
}

journal_begin() {
    mkdir -p "$journal" || return 1
    boot_id
    printf '%s\n' "$text" >"$journal/boot_id" && : >"$journal/unfinished"
}

# journal_add CHANNEL TARGET: records the value that is there now, unless an older one is recorded.
# Sets `entry` to its number. Values that only a tool can read are stored as `read_channel` gives
# them.
journal_add() {
    entry=${journaled["$1 $2"]:-}
    [[ -z $entry ]] || return 0
    printf -v entry '%06d' $((journal_last + 1))
    save_old "$1" "$2" "$journal/$entry.old" &&
        printf '%s\n%s\n' "$1" "$2" >"$journal/$entry.entry" || return 1
    journal_last=$((journal_last + 1))
    journaled["$1 $2"]=$entry
}

# save_old CHANNEL TARGET FILE: no FILE is made where nothing is there.
save_old() {
    local value bytes
    [[ ! -e $3 ]] || rm "$3" || return 1
    case $1 in
        file | choice | document)
            [[ -e $root$2 ]] || return 0
            read_bytes "$root$2"
            printf '%s' "$bytes" >"$3"
            ;;
        *)
            read_channel "$1" "$2" || return 0
            [[ $value == absent && $1 != module ]] || printf '%s\n' "$value" >"$3"
            ;;
    esac
}

# restore CHANNEL TARGET FILE: brings back what save_old stored in FILE. Repeating it does no harm.
# Fails with `channel_reason`. Sets `restored` to "yes", or to "no" where nothing had to be done.
restore() {
    local value='' old bytes
    restored=no
    if [[ ! -e $3 ]]; then
        [[ -e $root$2 || -L $root$2 ]] || return 0
        remove_target "$1" "$2" && restored=yes
        return
    fi
    case $1 in
        file | choice | document)
            restore_bytes "$1" "$2" "$3"
            return
            ;;
        queues | ring | coalesce | feature)
            # A card that is gone took its values along.
            [[ -d $root/sys/class/net/${2% *} ]] || return 0
            ;;
    esac
    read_bytes "$3"
    old=${bytes%$'\n'}
    ! read_channel "$1" "$2" || [[ $value != "$old" ]] || return 0
    write_channel "$1" "$2" "$old" && restored=yes
}

# restore_bytes CHANNEL TARGET FILE
restore_bytes() {
    local bytes old
    # A queue or an interrupt that is gone took its value along.
    [[ $1 == document || -e $root$2 ]] || return 0
    read_bytes "$3"
    old=$bytes
    ! read_bytes "$root$2" || [[ $bytes != "$old" ]] || return 0
    [[ $1 != document ]] || touched_documents+=" $2"
    # The kernel marks the choice itself; in a copy of it the text is all there is.
    if [[ $1 == choice && -z $root && $old =~ \[([^]]*)\] ]]; then
        write_text "$2" "${BASH_REMATCH[1]}"$'\n' || return 1
    else
        write_text "$2" "$old" || return 1
    fi
    restored=yes
    ! read_bytes "$root$2" || [[ $bytes != "$old" ]] || return 0
    channel_reason="it was written, but \"${bytes%$'\n'}\" stands there now"
    return 1
}

forget_entry() {
    rm -f "$journal/$1.entry" "$journal/$1.old"
}

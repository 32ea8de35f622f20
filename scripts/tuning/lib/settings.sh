# shellcheck shell=bash
# How a subject declares what it wants:
#   subject TITLE
#   setting NAME FOR WHY COST         then for each value that it takes:
#       item CHANNEL TARGET RULE WANTED
#   end_setting                       compares, and under apply and persist does what is needed
#   inapplicable NAME FOR REASON      there is nothing of it here
#   blocked NAME FOR REASON           it's wanted, and can't be set from here
#   advise NAME FOR FOUND WANTED WHY COST HOW     a person has to do it
# RULE says which values found are good enough:
#   exact      WANTED alone
#   at_least   WANTED or more;  at_most: or less. Field by field where there are several
#   covers     a range: its first number no higher, its second no lower
#   mask       WANTED as a set of cores
# What is better than wanted stays as it is, field by field.

subject_name=
subject_title=
setting_name='' setting_for='' setting_why='' setting_cost=''
item_channels=() item_targets=() item_rules=() item_wanted=()

subject() { subject_title=$1; }

setting() {
    setting_name=$1 setting_for=$2 setting_why=$3 setting_cost=$4
    item_channels=() item_targets=() item_rules=() item_wanted=()
}

item() {
    item_channels+=("$1") item_targets+=("$2") item_rules+=("$3") item_wanted+=("$4")
}

# sysctl NAME RULE WANTED FOR WHY COST: one value of /proc/sys.
sysctl() {
    setting "$1" "$4" "$5" "$6"
    item file "/proc/sys/${1//.//}" "$2" "$3"
    end_setting
}

inapplicable() { report n/a "$1" "$2" '' '' '' '' "$3"; }

# without_value NAME FOR REASON: nothing could be read. Where a tool is missing it can be mended.
without_value() {
    case $3 in
        *" is not installed"*) blocked "$@" ;;
        *) inapplicable "$@" ;;
    esac
}

blocked() { report blocked "$1" "$2" '' '' '' '' "$3"; }

advise() { report advice "$1" "$2" "$3" "$4" "$5" "$6" "$7"; }

# target_value RULE FOUND WANTED: sets `result` to what should stand there. It equals what was
# found, but for spaces, where that is good enough.
target_value() {
    local found wanted index number
    read -ra found <<<"$2"
    read -ra wanted <<<"$3"
    case $1 in
        exact) ;;
        mask)
            plain_mask "$2"
            local before=$plain
            plain_mask "$3"
            [[ $before != "$plain" ]] || wanted=("${found[@]}")
            ;;
        at_least | at_most | covers)
            for index in "${!wanted[@]}"; do
                [[ ${found[index]:-} =~ ^[0-9]+$ ]] || continue
                plain_number "${found[index]}"
                keeps_field "$1" "$index" "$number" "${wanted[index]}" || continue
                wanted[index]=${found[index]}
            done
            ;;
    esac
    result=${wanted[*]}
}

# plain_number DIGITS: sets `number` to what the shell can compute with: no zeros in front, which
# would make it octal, and not above the most it knows.
plain_number() {
    number=${1#"${1%%[!0]*}"}
    number=${number:-0}
    [[ ${#number} -le 18 ]] || number=9223372036854775807
}

keeps_field() {
    case $1 in
        at_least) (($3 >= $4)) ;;
        at_most) (($3 <= $4)) ;;
        covers) if (($2 == 0)); then (($3 <= $4)); else (($3 >= $4)); fi ;;
    esac
}

# compare_item INDEX: after its value was read. Sets `result` to what should stand there,
# `is_as_wanted`, and how both are shown: the text of a whole file wouldn't fit.
compare_item() {
    local channel=${item_channels[$1]} found words
    found=$value result=${item_wanted[$1]}
    shown_found=$value shown_wanted=$result
    case $channel in
        document)
            shown_found="other contents" shown_wanted=written
            [[ $value != absent ]] || shown_found=absent
            [[ $value != "$result" ]] || shown_found=written
            ;;
        directory | link) ;;
        *)
            target_value "${item_rules[$1]}" "$value" "$result"
            read -ra words <<<"$value"
            found=${words[*]} shown_found=$found shown_wanted=$result
            ;;
    esac
    is_as_wanted=no
    [[ $found != "$result" ]] || is_as_wanted=yes
}

# end_setting: a setting is taken as a whole. When one of its values can't be written, none is.
end_setting() {
    local index value status=ok reason='' any=no founds=() wanteds=() to_change=()
    for index in "${!item_channels[@]}"; do
        if ! read_channel "${item_channels[index]}" "${item_targets[index]}"; then
            reason=${reason:-$channel_reason}
            continue
        fi
        any=yes
        compare_item "$index"
        founds+=("$shown_found") wanteds+=("$shown_wanted")
        [[ $is_as_wanted == no ]] || continue
        to_change+=("$index" "$result")
        if ! can_write "${item_channels[index]}" "${item_targets[index]}"; then
            status=blocked reason=$channel_reason
        elif [[ $status == ok ]]; then
            status=change
        fi
    done
    if [[ $any == no ]]; then
        without_value "$setting_name" "$setting_for" "$reason"
        return
    fi
    if [[ $status == change && $dry_run == no ]] &&
        [[ $action == apply || $subject_name == persist ]]; then
        for ((index = 0; index < ${#to_change[@]}; index += 2)); do
            change "${item_channels[to_change[index]]}" "${item_targets[to_change[index]]}" \
                "${to_change[index + 1]}" "${item_rules[to_change[index]]}"
        done
        status=changed
    fi
    if [[ $status == blocked ]]; then
        to_change=()
    else
        reason=
        keep_for_boot
    fi
    distinct "${founds[@]}"
    local found=$distinct_values
    distinct "${wanteds[@]}"
    report "$status" "$setting_name" "$setting_for" "$found" "$distinct_values" "$setting_why" \
        "$setting_cost" "$reason"
}

# distinct VALUE...: sets `distinct_values` to each value once, with commas between.
distinct() {
    local -A seen=()
    local word
    distinct_values=
    for word in "$@"; do
        [[ -z ${seen["$word."]:-} ]] || continue
        seen["$word."]=yes
        distinct_values+=${distinct_values:+, }$word
    done
}

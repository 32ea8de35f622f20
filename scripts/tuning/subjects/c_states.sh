# shellcheck shell=bash
# How deep the shards' cores sleep.

readonly wake_us_max=10  # shallow states wake within this

subject_c_states() {
    local cpu path found=no for="deep sleep of idle cores" text
    subject "Sleep of cores"
    setting "deep sleep (C-states) of shards' cores" "$for" \
        "a state that takes more than $wake_us_max us to wake from delays a packet after a pause" \
        "power, and other cores have less room to clock up"
    for cpu in "${shard_cpus[@]}"; do
        for path in "$root/sys/devices/system/cpu/cpu$cpu/cpuidle"/state*; do
            read_text "${path#"$root"}/latency" || continue
            [[ -e $path/disable && $text =~ ^[0-9]{1,9}$ ]] || continue
            ((10#$text > wake_us_max)) || continue
            found=yes
            item file "${path#"$root"}/disable" exact 1
        done
    done
    if [[ $found == no ]]; then
        inapplicable "$setting_name" "$for" "no core has states that take long to wake from"
        return
    fi
    end_setting
}

# shellcheck shell=bash
# The clock rate of the shards' cores.

subject_governor() {
    subject "Clock rate of cores"
    want_for_shards "frequency governor" scaling_governor \
        "who picks a core's clock rate" \
        "a core that was idle before a broadcast starts at its lowest rate otherwise"
    want_for_shards "energy preference" energy_performance_preference \
        "the same for cores that pick their rate themselves" \
        "it is the default of servers to save power"
}

# want_for_shards NAME FILE FOR WHY: "performance" on each shard's core that has it.
want_for_shards() {
    local cpu path found=no text
    setting "$1" "$3" "$4" "power, and heat that may cost the highest rate"
    for cpu in "${shard_cpus[@]}"; do
        path=/sys/devices/system/cpu/cpu$cpu/cpufreq
        [[ -e $root$path/$2 ]] || continue
        if read_text "$path/${2/%_governor/_available_governors}" || read_text "$path/${2}s"; then
            [[ " $text " == *" performance "* || $2 != scaling_governor ]] || continue
        fi
        found=yes
        item file "$path/$2" exact performance
    done
    if [[ $found == no ]]; then
        inapplicable "$1" "$3" "the clock rate isn't the kernel's to set here (a virtual machine?)"
        return
    fi
    end_setting
}

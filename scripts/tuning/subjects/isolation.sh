# shellcheck shell=bash
# Cores that the kernel leaves to the shards. It's the boot loader's to say, so it's only printed;
# `persist --kernel-command-line` writes it for GRUB.
# Documentation/admin-guide/kernel-parameters.rst.

# isolation_words: sets `isolation` to the words that are wanted, or leaves it empty and says why in
# `isolation_reason`. Core 0 does what no other can.
isolation_words() {
    local cpu cpus=()
    isolation=
    for cpu in "${shard_cpus[@]}"; do
        [[ $cpu -eq 0 ]] || cpus+=("$cpu")
    done
    if [[ ${#shard_cpus[@]} -ge ${#online_cpus[@]} || ${#cpus[@]} -eq 0 ]]; then
        isolation_reason="every core would have a shard: leave some to the system with --cpus"
        return
    fi
    format_cpu_list "${cpus[@]}"
    isolation="isolcpus=managed_irq,domain,$cpu_list rcu_nocbs=$cpu_list"
    [[ $profile != dpdk ]] || isolation+=" nohz_full=$cpu_list"
}

# present_words COMMAND-LINE KEYS: sets `present` to the words of it that set one of KEYS.
present_words() {
    local words word
    present=
    read -ra words <<<"$1"
    for word in "${words[@]}"; do
        [[ ! $word =~ ^($2)= ]] || present+=${present:+ }$word
    done
}

subject_isolation() {
    local isolation isolation_reason word text=''
    subject "Isolation of cores"
    isolation_words
    if [[ -z $isolation ]]; then
        inapplicable "isolcpus, nohz_full, rcu_nocbs" "leaves cores to the shards alone" \
            "$isolation_reason"
        return
    fi
    read_text /proc/cmdline
    for word in $isolation; do
        advise_word "$word" " $text "
    done
    [[ $profile == dpdk ]] || inapplicable nohz_full \
        "stops the timer tick on cores with one thread" \
        "it makes every system call dearer, and io_uring is system calls"
}

advise_word() {
    local key=${1%%=*} for why cost present
    case $key in
        isolcpus)
            for="keeps other programs and movable interrupts off the shards' cores"
            why="a program that runs there for one time slice holds a shard up for milliseconds"
            cost="those cores stay idle when millrace doesn't run"
            ;;
        rcu_nocbs)
            for="moves the kernel's deferred work off the shards' cores"
            why="it comes in bursts, after many connections have closed"
            cost="other cores do it"
            ;;
        nohz_full)
            for="stops the timer tick on cores with one thread"
            why="a polling shard is interrupted 250 to 1000 times a second otherwise"
            cost="every system call on those cores is dearer"
            ;;
    esac
    if [[ $2 == *" $1 "* ]]; then
        report ok "$key" "$for" "${1#*=}" "${1#*=}" "$why" "$cost" ''
        return
    fi
    present_words "$2" "$key"
    advise "$key" "$for" "$present" "${1#*=}" "$why" "$cost" \
        "add $1 to the kernel's command line (tune.sh persist --kernel-command-line for GRUB)"
}

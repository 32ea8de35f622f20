# shellcheck shell=bash
# Pages of 2 MiB, on the NUMA nodes that have shards.

readonly huge_page_kib=2048
readonly shard_mib=1024  # shards.memory_bytes_max, unless it's configured

subject_huge_pages() {
    local cpu node shards=()
    subject "Huge pages"
    for cpu in "${shard_cpus[@]}"; do
        node_of_cpu "$cpu"
        shards[node]=$((${shards[node]:-0} + 1))
    done
    for node in "${!shards[@]}"; do
        want_huge_pages "$node" "${shards[$node]}"
    done
    want_madvise
}

# want_huge_pages NODE SHARDS
want_huge_pages() {
    local mib=$(($2 * shard_mib)) kib pages memory pool
    local node_path=/sys/devices/system/node/node$1 folder=hugepages/hugepages-${huge_page_kib}kB
    memory=$node_path/meminfo pool=$node_path/$folder/nr_hugepages
    # A kernel without NUMA has one pool for all.
    [[ -d $root/sys/devices/system/node ]] ||
        memory=/proc/meminfo pool=/sys/kernel/mm/$folder/nr_hugepages
    [[ $profile != dpdk ]] || mib=$((mib + 1024))
    # More than half would leave sockets without memory.
    if memory_kib "$memory" MemTotal && ((mib > kib / 2048)); then
        mib=$((kib / 2048))
    fi
    mib=${huge_page_mib:-$mib}
    pages=$((mib * 1024 / huge_page_kib))
    setting "huge pages on NUMA node $1" "memory of shards (and of DPDK) in pages of 2 MiB" \
        "$2 shards there, a GiB each (shards.memory_bytes_max), half the node at most: a core's \
table of translations holds a gigabyte instead of megabytes" \
        "$mib MiB that nothing else can use, whether millrace runs or not"
    item file "$pool" at_least "$pages"
    end_setting
}

want_madvise() {
    local wanted=madvise
    # Off is as good: millrace takes its pages from the pool above.
    ! read_channel choice /sys/kernel/mm/transparent_hugepage/enabled || [[ $value != never ]] ||
        wanted=never
    setting "transparent huge pages" "huge pages that programs get without asking" \
        "joining pages stops a shard for milliseconds, and small things take 2 MiB each" \
        "programs that don't ask get none"
    item choice /sys/kernel/mm/transparent_hugepage/enabled exact "$wanted"
    end_setting
}

# shellcheck shell=bash
# How much memory all sockets together may hold.

subject_tcp_memory() {
    local for="memory of all TCP sockets together: relaxed, pressed, refused past it (pages)"
    local kib page_bytes pages
    subject "TCP memory"
    kernel_tcp net.ipv4.tcp_mem "$for" || return 0
    page_bytes=$(getconf PAGESIZE 2>/dev/null) || page_bytes=4096
    if ! memory_kib /proc/meminfo MemTotal; then
        inapplicable net.ipv4.tcp_mem "$for" \
            "$root/proc/meminfo doesn't tell how much memory there is"
        return
    fi
    pages=$((kib * 1024 / page_bytes))
    sysctl net.ipv4.tcp_mem at_least "$((pages / 8)) $((pages * 3 / 16)) $((pages / 4))" "$for" \
        "the default ends at a tenth of memory: a broadcast to slow clients would reach it, and \
then every connection's window shrinks" \
        "up to a quarter of memory may be in sockets"
}

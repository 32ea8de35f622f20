# shellcheck shell=bash
# Connections that have ended.

subject_time_wait() {
    subject "Connections that have ended"
    kernel_tcp "TIME_WAIT" "what the kernel keeps of connections that have ended" || return 0
    sysctl net.ipv4.tcp_max_tw_buckets at_least 262144 \
        "ended connections that are remembered for a minute" \
        "past it they are forgotten at once, and a late packet may end a new connection" \
        "some 250 bytes each while it's used: 64 MB"
    sysctl net.ipv4.tcp_tw_reuse exact 1 \
        "lets connections that this host opens use the ports of ended ones after a second" \
        "the load generator and proxies run out of ports otherwise" \
        "none with timestamps, which tell old packets from new (RFC 6191)"
    sysctl net.ipv4.tcp_fin_timeout at_most 15 \
        "seconds that a closed connection waits for the other side to close" \
        "a phone that has lost its network never closes" \
        "a slow client's last bytes may be answered with a reset"
}

# shellcheck shell=bash
# Queues of connections and packets that wait for us.

# kernel_tcp NAME FOR: true when the kernel's TCP carries the connections.
kernel_tcp() {
    [[ $profile == dpdk ]] || return 0
    inapplicable "$1" "$2" "millrace has its own TCP over DPDK"
    return 1
}

subject_backlogs() {
    subject "Backlogs"
    kernel_tcp "backlogs" "connections and packets that wait for the server" || return 0
    sysctl net.core.somaxconn at_least 65535 \
        "connections that TCP has accepted and a shard hasn't yet" \
        "it caps uring.listen_backlog; when it's full clients wait a second and try again" \
        "none until it's used"
    sysctl net.ipv4.tcp_max_syn_backlog at_least 65536 \
        "connections that are half open" \
        "when clients come back all at once, one round trip's worth of them waits here" \
        "some 300 bytes for each while it waits"
    sysctl net.ipv4.tcp_syncookies exact 1 \
        "connections past that backlog" \
        "a flood of forged SYNs would keep real clients out" \
        "connections made that way have no window scaling unless they send timestamps"
    sysctl net.core.netdev_max_backlog at_least 16384 \
        "packets on their way to another core (RPS, RFS) or over loopback" \
        "a core that is in the middle of a broadcast isn't there for a few milliseconds" \
        "a packet may wait longer instead of being lost"
}

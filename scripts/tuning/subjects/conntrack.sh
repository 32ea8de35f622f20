# shellcheck shell=bash
# The firewall's table of connections: best left out, else large enough.

subject_conntrack() {
    local for="connections that the firewall keeps track of" path=/proc/sys/net/netfilter why cost
    subject "Connection tracking"
    kernel_tcp "connection tracking" "$for" || return 0
    if [[ ! -e $root$path/nf_conntrack_max ]]; then
        inapplicable "connection tracking" "$for" "it isn't loaded, which is best"
        return
    fi
    why="when it's full new connections are dropped without a word but in dmesg; with room for \
twice $connections connections, those that have ended fit too"
    cost="some 300 bytes for each while it's used, and a look-up for each packet"
    sysctl net.netfilter.nf_conntrack_max at_least $((connections * 2)) "$for" "$why" "$cost"
    sysctl net.netfilter.nf_conntrack_buckets at_least $((connections / 2)) \
        "heads of its hash table's lists" "four connections a list at most" "8 bytes for each"
    read_text "$path/nf_conntrack_count" || text=unknown
    advise "no tracking of millrace's port" "spares each packet the look-up" "$text tracked now" \
        "the port isn't tracked" "a push server has nothing to gain from it" \
        "rules for that port can't ask for a connection's state" \
        "nft add table ip raw; nft 'add chain ip raw prerouting { type filter hook prerouting \
priority raw; }'; nft add rule ip raw prerouting tcp dport 1883 notrack; the same for output, sport"
}

#!/usr/bin/env bash
# millrace on DPDK, on any machine: a network namespace with a pair of virtual cards, the broker with
# its own TCP on one, and the kernel's clients on the other. Needs root; leaves nothing behind.
#   dpdk_demo.sh [--no-install]
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ${MILLRACE_DEMO_INSIDE:-} != yes ]]; then
    case "${1:-}" in
        --no-install) ;;
        "") scripts/install_packages.sh dpdk_demo ;;
        *)
            echo "dpdk_demo.sh: \"$1\": accepted is --no-install" >&2
            exit 2
            ;;
    esac
    if [[ $(id -u) -ne 0 ]]; then
        echo "dpdk_demo.sh: root is needed for a network namespace: run it with sudo" >&2
        exit 1
    fi
    [[ -f build/build.ninja ]] || meson setup build --buildtype=release
    meson compile -C build millrace:executable
    if ! build/millrace --version | grep -q 'dpdk [0-9]'; then
        echo "dpdk_demo.sh: build/ was made without DPDK: meson setup --wipe build, and again" >&2
        exit 1
    fi
    MILLRACE_DEMO_INSIDE=yes exec unshare --net "$0"
fi

# From here on in a namespace of our own; it goes when this script ends.
ip link set lo up
ip link add card type veth peer name kernel
for end in card kernel; do
    ethtool -K "$end" tx off tso off gso off gro off >/dev/null
    ip link set "$end" up
done
ip address add 10.77.0.1/24 dev kernel

output=$(mktemp)
broker=
finish() {
    if [[ -n $broker ]] && kill "$broker" 2>/dev/null; then
        wait "$broker" || true
    fi
    rm -f "$output"
}
trap finish EXIT

build/millrace serve --net dpdk --listen 10.77.0.2:1883 --shards 1 \
    --set dpdk.device=net_af_packet0,iface=card --set dpdk.addresses=10.77.0.2/24 \
    --set dpdk.mac=02:00:00:00:00:02 --set dpdk.huge_pages=false >"$output" 2>&1 &
broker=$!
for _ in $(seq 100); do
    grep -q 'listens on' "$output" && break
    kill -0 "$broker" 2>/dev/null || break
    sleep 0.1
done
cat "$output"
kill -0 "$broker"

echo; echo "== The kernel pings millrace"
ping -c 3 -i 0.2 10.77.0.2

echo; echo "== mosquitto's clients over our TCP"
mosquitto_sub -h 10.77.0.2 -t 'hello/#' -v -C 3 -W 10 &
subscriber=$!
sleep 0.5
for number in 1 2 3; do
    mosquitto_pub -h 10.77.0.2 -t hello/world -m "message $number over user-space TCP" -q 1
done
wait "$subscriber"

echo; echo "== 1,000 connections, a 1 to 1,000 fan-out of 64 bytes for two seconds"
build/millrace load fanout --host 10.77.0.2 --publishers 1 --subscribers 1000 --duration 2 \
    --server-pid "$broker"

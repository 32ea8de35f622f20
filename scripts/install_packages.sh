#!/usr/bin/env bash
# Installs the Debian 12 packages that are missing, the dashboard's from npm's registry, and nothing
# else. Without a network the latter fails with a warning: then the build leaves the dashboard out.
#   install_packages.sh build        what the build needs
#   install_packages.sh quickstart   the same, and command line clients to play with
#   install_packages.sh dpdk_demo    the same, and a pair of virtual cards
#   install_packages.sh package      what the build and the Debian package need
#   install_packages.sh perf         what perf/run.sh compares with, and draws with
#   install_packages.sh test         the same, and what the tests need (default)
# Works as root or with sudo, and asks no questions. A service that a package brings is not started.
set -euo pipefail

build_packages=(
    meson ninja-build g++ pkg-config
    liburing-dev libmimalloc-dev libfmt-dev libexpected-dev libcli11-dev libtomlplusplus-dev
    libxxhash-dev doctest-dev
    libmicrohttpd-dev libsimdjson-dev  # the admin listener; without them the build leaves it out
    libcurl4-openssl-dev  # commands that ask a running server; without it the build leaves them out
    zlib1g-dev
    libgoogle-perftools-dev libdw-dev  # CPU profiles; without them the build leaves those out
    libdpdk-dev  # the DPDK back end; without it the build leaves that out
    systemtap-sdt-dev  # static probes (sys/sdt.h); without it the build leaves those out
)
# The dashboard; without it the build leaves that out. Another npm than Debian's is as good.
command -v npm >/dev/null || build_packages+=(nodejs npm)
package_packages=(debhelper dpkg-dev)
quickstart_packages=(mosquitto-clients)
dpdk_demo_packages=(iproute2 ethtool iputils-ping)
test_packages=(
    python3 python3-paho-mqtt mosquitto
    python3-prometheus-client    # reads the metrics
    python3-hypothesis python3-jsonschema  # ask the API what its document says, and what it forbids
    python3-selenium chromium chromium-driver  # look at the dashboard
    clang-14 libclang-rt-14-dev  # fuzz targets
    libbenchmark-dev valgrind    # perf/
    shellcheck
    nftables tcpdump tshark      # the kernel as the peer of our TCP
    lintian systemd groff-base   # the package: looked at, and installed under a systemd of its own
)

perf_packages=(
    python3 python3-matplotlib mosquitto libbenchmark-dev valgrind
    nginx-light wrk iperf3 dpdk-dev  # peers and floors; dpdk-dev has dpdk-testpmd
    iproute2 ethtool linux-perf
)

case "${1:-test}" in
    build) wanted=("${build_packages[@]}") ;;
    quickstart) wanted=("${build_packages[@]}" "${quickstart_packages[@]}") ;;
    dpdk_demo)
        wanted=("${build_packages[@]}" "${quickstart_packages[@]}" "${dpdk_demo_packages[@]}")
        ;;
    test)
        wanted=("${build_packages[@]}" "${quickstart_packages[@]}" "${dpdk_demo_packages[@]}"
            "${package_packages[@]}" "${test_packages[@]}")
        ;;
    package) wanted=("${build_packages[@]}" "${package_packages[@]}") ;;
    perf) wanted=("${build_packages[@]}" "${perf_packages[@]}") ;;
    *)
        echo "install_packages.sh: \"$1\": accepted are build, quickstart, dpdk_demo, package," \
            "perf and test" \
            >&2
        exit 2
        ;;
esac

as_root=()
if [[ $(id -u) -ne 0 ]]; then
    as_root=(sudo)
fi

# Packages ask this file whether they may start their service; 101 is "no".
policy=/usr/sbin/policy-rc.d
made_policy=no
remove_policy() {
    if [[ $made_policy == yes ]]; then
        "${as_root[@]}" rm -f "$policy"
    fi
}

apt_get() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@"
}

install_from_debian() {
    local installed missing=() package
    installed=$(dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' \
        "${wanted[@]}" 2>/dev/null || true)
    for package in "${wanted[@]}"; do
        [[ $'\n'$installed$'\n' == *$'\n'"$package installed"$'\n'* ]] || missing+=("$package")
    done
    if [[ ${#missing[@]} -eq 0 ]]; then
        return
    fi
    echo "Installing: ${missing[*]}"
    if [[ ${#as_root[@]} -gt 0 ]] && ! command -v sudo >/dev/null; then
        echo "Root is needed: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    trap remove_policy EXIT
    if [[ ! -e $policy ]]; then
        made_policy=yes
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod 755 "$policy"
    fi
    apt_get update
    apt_get install --no-install-recommends "${missing[@]}"
    # Not at the next boot either. Only where this run brought the server in.
    for package in mosquitto nginx-light; do
        if [[ " ${missing[*]} " == *" $package "* ]] && [[ -d /run/systemd/system ]]; then
            "${as_root[@]}" systemctl disable --now "${package%-light}.service"
        fi
    done
}

# Again when the lock file has changed since. Nothing of it is run while it's installed (.npmrc).
install_dashboard_packages() {
    local folder stamp
    folder=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../src/admin/dashboard
    stamp=$folder/node_modules/.installed
    if cmp -s "$folder/package-lock.json" "$stamp"; then
        return
    fi
    echo "Installing the dashboard's packages: npm ci"
    if (cd "$folder" && npm ci --loglevel=error); then
        cp "$folder/package-lock.json" "$stamp"
    else
        echo "npm ci failed: the build goes on without the dashboard (-Ddashboard=auto)" >&2
    fi
}

install_from_debian
install_dashboard_packages

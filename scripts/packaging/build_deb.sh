#!/usr/bin/env bash
# Builds the Debian package, by debhelper and dpkg-buildpackage, on a copy of the sources.
set -euo pipefail

usage() {
    cat <<'TEXT'
build_deb.sh [options]
  --out DIR                the folder for the packages (build-deb/ in the tree)
  --install-dependencies   install first what the build needs (as root, or with sudo)
  --without-dpdk           leave the DPDK back end out; also done when libdpdk isn't found
  --build-dir DIR          take the program from this build folder (meson's) and compile nothing
  --revision N             the package's own revision of this version (1)
Status: 0 built; 1 failed; 2 wrong arguments.
TEXT
}

fault() {
    printf 'build_deb.sh: %s\n' "$1" >&2
    exit "${2:-2}"
}

tree=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../..
tree=$(readlink -f "$tree")
out=$tree/build-deb
install=no
dpdk=yes
build_folder=
revision=1

while [[ $# -gt 0 ]]; do
    case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --install-dependencies)
            install=yes
            shift
            ;;
        --without-dpdk)
            dpdk=no
            shift
            ;;
        --out | --build-dir | --revision)
            [[ $# -gt 1 && -n $2 ]] || fault "$1 needs a value"
            case $1 in
                --out) out=$(readlink -m "$2") ;;
                --build-dir)
                    [[ -x $2/millrace && -f $2/build.ninja ]] ||
                        fault "--build-dir \"$2\" is no build folder with a program in it"
                    build_folder=$(readlink -f "$2")
                    ;;
                --revision)
                    [[ $2 =~ ^[1-9][0-9]{0,5}$ ]] || fault "--revision \"$2\": accepted are 1 to 999999"
                    revision=$2
                    ;;
            esac
            shift 2
            ;;
        *) fault "\"$1\" is not known: build_deb.sh --help" ;;
    esac
done

if [[ $install == yes ]]; then
    "$tree/scripts/install_packages.sh" package
fi
for tool in dpkg-buildpackage dh meson; do
    command -v "$tool" >/dev/null ||
        fault "$tool isn't here: build_deb.sh --install-dependencies" 1
done
if [[ $dpdk == yes ]] && ! pkg-config --exists libdpdk; then
    echo "libdpdk isn't here: the package has no DPDK back end"
    dpdk=no
fi

# What npm brought is copied with the sources: the build itself asks no network.
dashboard=yes
if ! dpkg-query --show nodejs >/dev/null 2>&1 ||
    ! node "$tree/src/admin/dashboard/build.mjs" --check; then
    echo "node (Debian's package) or npm's packages aren't here: the package has no dashboard"
    dashboard=no
fi

version=$(sed -n "s/^ *version: '\([0-9][0-9.]*\)',\$/\1/p" "$tree/meson.build" | head -n 1)
[[ -n $version ]] || fault "meson.build has no version" 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source=$work/millrace-$version
mkdir "$source"
# Results of measurements are large and are not packaged.
tar -C "$tree" --exclude=./.git --exclude='./build' --exclude='./build-*' --exclude=__pycache__ \
    --exclude=./perf/results -cf - . | tar -C "$source" -xf -
cp -r "$tree/scripts/packaging/debian" "$source/debian"

# The time of the sources, so that the same sources give the same package.
moment=${SOURCE_DATE_EPOCH:-$(git -C "$tree" log -1 --format=%ct 2>/dev/null || date +%s)}
cat >"$source/debian/changelog" <<CHANGELOG
millrace ($version-$revision) unstable; urgency=medium

  * Version $version: what changed is in /usr/share/doc/millrace/changelog.gz.

 -- millrace developers <maintainers@millrace.invalid>  $(date -R -u -d "@$moment")
CHANGELOG

profiles=
[[ $dpdk == yes ]] || profiles+=,pkg.millrace.nodpdk
[[ $dashboard == yes ]] || profiles+=,pkg.millrace.nodashboard
(
    cd "$source"
    export MILLRACE_BUILD_DIR=$build_folder
    exec dpkg-buildpackage -b -us -uc ${profiles:+--build-profiles="${profiles#,}"}
) || fault "dpkg-buildpackage failed: see above" 1
mkdir -p "$out"
mv "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$out/"
printf 'Built:\n'
printf '  %s\n' "$out/millrace_$version-$revision"_*.deb

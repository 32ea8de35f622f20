#!/usr/bin/env bash
# Keeps the names of functions in a program that is stripped: its CPU profiles are told by them.
#   keep_function_names.sh take PROGRAM FILE   before it's stripped: writes them, packed, to FILE
#   keep_function_names.sh put PROGRAM FILE    after: adds them as the section .gnu_debugdata
# That section is what Fedora's programs have ("MiniDebugInfo"): a small ELF file in xz, which gdb and
# libdw read by themselves. It has 45 KB where the symbol table has 320, and isn't loaded.
set -euo pipefail

if [[ $# -ne 3 || ($1 != take && $1 != put) ]]; then
    echo "usage: keep_function_names.sh take|put PROGRAM FILE" >&2
    exit 2
fi
program=$2
file=$3

if [[ $1 == put ]]; then
    objcopy --add-section ".gnu_debugdata=$file" "$program"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Functions alone (T, t, W, w), but those that the dynamic linker knows anyway.
names() { nm --format=posix --defined-only "$@" | awk '$2 ~ /^[TtWwi]$/ { print $1 }' | LC_ALL=C sort -u; }
names -D "$program" >"$work/known"
names "$program" >"$work/all"
LC_ALL=C comm -13 "$work/known" "$work/all" >"$work/wanted"
if [[ ! -s $work/wanted ]]; then
    echo "keep_function_names.sh: $program: no function has a name in it; is it stripped already?" >&2
    exit 1
fi
objcopy --only-keep-debug "$program" "$work/mini"
objcopy --strip-all --remove-section .comment --keep-symbols="$work/wanted" "$work/mini" 2>/dev/null
xz --compress --stdout "$work/mini" >"$file"

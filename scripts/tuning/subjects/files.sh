# shellcheck shell=bash
# How many files, which is sockets, there may be; and whether there is io_uring at all.

# A shard's table of connections is as large as the process may have files; so that is what every
# connection on one shard would need, with some left for the rest.
file_limit() {
    limit=$((connections + 65536))
    ((limit >= 1048576)) || limit=1048576
}

subject_files() {
    local limit
    subject "Files"
    kernel_tcp "file limits" "sockets are files" || return 0
    file_limit
    sysctl fs.nr_open at_least "$limit" \
        "files of one process that may be asked for at most" \
        "LimitNOFILE can't be above it" "none until they are used"
    sysctl fs.file-max at_least $((limit * 2)) \
        "files of all processes together" \
        "a load generator on the same host has the other ends" "none until they are used"
    sysctl kernel.io_uring_disabled exact 0 \
        "who may use io_uring" \
        "millrace doesn't start without it" \
        "every program may use it; millrace as root, or in kernel.io_uring_group, needs just 1"
}

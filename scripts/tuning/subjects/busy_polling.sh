# shellcheck shell=bash
# Polling of cards by whoever waits for a socket.

subject_busy_polling() {
    local why="millrace polls for its own rings alone (uring.napi_busy_poll_us); this makes every \
program on the host spin" cost="a program that relied on it has to ask for itself (SO_BUSY_POLL)"
    subject "Busy polling"
    kernel_tcp "busy polling" "microseconds that waiting programs poll the card" || return 0
    sysctl net.core.busy_poll exact 0 \
        "microseconds that poll() and select() spend polling the card" "$why" "$cost"
    sysctl net.core.busy_read exact 0 "microseconds that a read spends polling the card" \
        "$why" "$cost"
}

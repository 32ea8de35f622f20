#!/usr/bin/env bash
# From a fresh checkout to a measured broadcast: installs what is missing, builds, starts the broker
# on loopback, connects many subscribers, and sends each of them the same messages.
#   quickstart.sh [--serve] [--subscribers COUNT] [--messages COUNT] [--payload BYTES]
# --serve leaves the broker running at the end. The status is 0 when every message arrived.
set -euo pipefail
cd "$(dirname "$0")/.."

serve=no
subscribers=10000
messages=20
payload=4096

usage() {
    sed -n '2,5s/^# \{0,1\}//p' scripts/quickstart.sh
}

fail() {
    echo "quickstart.sh: $*" >&2
    exit 2
}

while [[ $# -gt 0 ]]; do
    case "$1" in
        --serve) serve=yes ;;
        --subscribers | --messages | --payload)
            [[ ${2:-} =~ ^[1-9][0-9]{0,8}$ ]] || fail "$1 \"${2:-}\": accepted is a positive number"
            declare "${1#--}=$2"
            shift
            ;;
        --help | -h)
            usage
            exit 0
            ;;
        *) fail "\"$1\": see --help" ;;
    esac
    shift
done

say() { printf '\n== %s\n' "$*"; }

# --- The broker: started once, stopped by its process id and by nothing else. ---

broker=
stop_broker() {
    local pid=$broker
    broker=
    if [[ -n $pid ]] && kill -TERM "$pid" 2>/dev/null; then
        echo "Stopping the broker (process $pid)."
        wait "$pid" 2>/dev/null || true
    fi
}
trap stop_broker EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

port_answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Starts it on `port`; false when it ended instead of listening. It gets a session of its own, so
# that Ctrl-C reaches this script alone, which then stops it.
start_broker() {
    setsid build/millrace serve --listen "127.0.0.1:$port" --set admin.listen=127.0.0.1:0 \
        </dev/null >"$log" 2>&1 &
    broker=$!
    local attempt
    for ((attempt = 0; attempt < 200; ++attempt)); do
        if ! kill -0 "$broker" 2>/dev/null; then
            broker=
            return 1
        fi
        if port_answers "$port"; then return 0; fi
        sleep 0.05
    done
    stop_broker
    return 1
}

say "1/4 Packages"
scripts/install_packages.sh quickstart
echo "Nothing is missing."

say "2/4 Build, in build/ (some minutes the first time)"
if [[ ! -f build/build.ninja ]]; then
    meson setup build --buildtype=release
fi
meson compile -C build millrace:executable

say "3/4 Broker"
# A connection takes a slot in a table whose length is bounded by the limit of open files.
ulimit -n "$(ulimit -Hn)"
files=$(ulimit -n)
if [[ $files != unlimited ]] && ((subscribers > files - 1000)); then
    ((files > 1100)) || fail "the limit of open files, $files (ulimit -Hn), is too low to try"
    echo "This machine allows $files open files: $((files - 1000)) subscribers, not $subscribers."
    subscribers=$((files - 1000))
fi
port=1883
while port_answers "$port"; do
    echo "Port $port is in use by another program."
    port=$((port + 1))
    ((port < 1983)) || fail "no free port from 1883 to 1982"
done
log=build/quickstart-$port.log
if ! start_broker; then
    cat "$log" >&2
    echo "The broker didn't start; its log is above." >&2
    exit 1
fi
echo "It listens on 127.0.0.1:$port (process $broker, log in $log)."
sed 's/^/    /' "$log"
admin=$(sed -n 's/.*admin listens listen=\([0-9.:]*\).*/\1/p' "$log")

say "4/4 $messages messages of $payload bytes to each of $subscribers subscribers"
# One local address has about 28,000 ports for connections to the same destination.
sources=()
if ((subscribers > 25000)); then
    count=$((subscribers / 25000 + 1))
    ((count < 250)) || fail "--subscribers $subscribers: at most 6,000,000 fit on loopback"
    sources=(--source "127.0.0.2-127.0.0.$((count + 1))")
fi
status=0
build/millrace load fanout --host 127.0.0.1 --port "$port" --publishers 1 \
    --subscribers "$subscribers" --messages "$messages" --payload "$payload" \
    --server-pid "$broker" "${sources[@]}" || status=$?
if ((status != 0)); then
    echo "Messages were lost, or the run failed (status $status)." >&2
    exit 1
fi

say "By hand"
cat <<TEXT
In one terminal:   mosquitto_sub -h 127.0.0.1 -p $port -t 'hello/#' -v
In another:        mosquitto_pub -h 127.0.0.1 -p $port -t hello/world -m 'Hi there'
In a browser:      http://$admin/ (dashboard); /metrics, /api/v1/openapi.json
In a terminal:     build/millrace top --url http://$admin
TEXT
if [[ $serve == yes ]]; then
    echo "The broker keeps running. To stop it: kill $broker"
    broker=
else
    echo "They need a broker: run scripts/quickstart.sh --serve, or"
    echo "build/millrace serve --listen 127.0.0.1:$port"
fi

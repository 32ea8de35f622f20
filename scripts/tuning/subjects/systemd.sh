# shellcheck shell=bash
# Limits of the server, as a drop-in file of its unit. Under /run a boot takes it away; persist
# writes the same below /etc.

readonly limits_for="what millrace.service may use"
readonly limits_cost="none until it's used; LimitMEMLOCK lets the server keep all memory from swap"

# limits_content: sets `limits`.
limits_content() {
    local limit
    file_limit
    limits="# Written by millrace's tune.sh, removed by tune.sh revert.
[Service]
LimitNOFILE=$limit
LimitMEMLOCK=infinity"
}

subject_systemd() {
    local name=millrace.service.d/50-tuning.conf value limits
    subject "Limits of the server"
    if [[ ! -d $root/run/systemd/system ]]; then
        inapplicable "limits of millrace.service" "$limits_for" \
            "systemd isn't running here: ulimit -n and ulimit -l where millrace is started"
        return
    fi
    limits_content
    read_channel document "/etc/systemd/system/$name"
    if [[ $value == "$limits" ]]; then
        report ok "limits of millrace.service" "$limits_for" written written '' "$limits_cost" ''
        return
    fi
    setting "limits of millrace.service" "$limits_for" \
        "a shard's table of connections is as large as LimitNOFILE; rings and registered buffers \
are locked memory" "$limits_cost"
    item directory /run/systemd/system/millrace.service.d exact present
    item document "/run/systemd/system/$name" exact "$limits"
    end_setting
}

#!/bin/bash
# Second boot of the tree, with an emulated node of two NICs below /node; kubelet.service is masked.
set -euo pipefail
# shellcheck source=tests/e2e/inside/lib.sh
source /rig/inside_lib.sh

HOST=/node
FIRST=0000:21:00.0
SECOND=0000:61:00.0

give_nics() {
    mkdir -p "/etc/systemd/system/$UNIT.d"
    cat >"/etc/systemd/system/$UNIT.d/10-node.conf" <<CONF
[Service]
Environment=SYSFS_ROOT=$HOST/sys DEVFS_ROOT=$HOST/dev OFI_ROOT=$HOST/opt/cray/lib64 CXI_ROOT=$HOST/usr/lib64
# For the links by PCI address. The sandbox leaves only /dev itself writable.
ReadWritePaths=$HOST/dev
CONF
    systemctl daemon-reload
}

check_boot() {
    expect 'masked' masked "$(systemctl is-enabled kubelet.service || true)"
    status_is '0 NICs, 0 healthy, kubelet not registered'
    give_nics
    systemctl restart "$UNIT"
    status_is '2 NICs, 2 healthy, kubelet not registered'
    expect 'CDI file' '644 root:root' "$(stat -c '%a %U:%G' "$SPEC")"
}

check_sandbox() {
    local status
    status=/proc/$(show MainPID)/status
    expect 'capabilities' "$(printf '0000000000000000\n%.0s' 1 2 3 4 5)" "$(awk '/^Cap/ { print $2 }' "$status")"
    expect 'no new privileges, seccomp' '1 2' "$(awk '/^NoNewPrivs|^Seccomp:/ { print $2 }' "$status" | paste -sd' ')"
}

# Prints the figure, too: it is part of what is promised.
# As the daemon itself sees it.
check_writable() {
    mkdir -p /var/lib/kubelet/device-plugins /var/lib/kubelet/pods
    systemctl restart "$UNIT"
    local pid
    pid=$(show MainPID)
    nsenter --target "$pid" --mount touch /var/lib/kubelet/device-plugins/probe /run/cdi/probe /run/cxi-device-plugin/probe
    rm /var/lib/kubelet/device-plugins/probe /run/cdi/probe /run/cxi-device-plugin/probe
    local path
    for path in /var/lib/kubelet /var/lib/kubelet/pods /etc/cdi /var/lib /usr /etc; do
        ! nsenter --target "$pid" --mount touch "$path/probe" 2>/dev/null || { echo "$path can be written"; return 1; }
    done
    rm -rf /var/lib/kubelet
}

check_security() {
    local figure
    figure=$(systemd-analyze security --no-pager "$UNIT" | sed -nE 's/.*Overall exposure level for [^:]+: ([0-9.]+) .*/\1/p')
    say_pass "systemd: systemd-analyze security $figure" >&3
    systemd-analyze security --no-pager --threshold=15 "$UNIT" || { echo "$figure is more than 1.5"; return 1; }
}

check_journal() {
    local healthy unhealthy
    unhealthy=MESSAGE_ID=$(message_id NIC_UNHEALTHY)
    healthy=$(journal -o json "MESSAGE_ID=$(message_id NIC_HEALTHY)")
    expect 'fields' "$(printf 'cxi0 %s 6 cxi0: healthy\ncxi1 %s 6 cxi1: healthy' "$FIRST" "$SECOND")" \
        "$(jq -r '[.NIC, .PCI, .PRIORITY, .MESSAGE] | join(" ")' <<<"$healthy" | sort -u)"
    expect 'of the unit' "$UNIT cxi-device-plugin" "$(jq -r '._SYSTEMD_UNIT + " " + .SYSLOG_IDENTIFIER' <<<"$healthy" | sort -u)"
    cxi-sim node link "$HOST" "$SECOND" down
    systemctl reload "$UNIT"
    status_is '2 NICs, 1 healthy, kubelet not registered'
    expect 'reason' "$SECOND 4 link: the fabric link is down" \
        "$(journal -o json "$unhealthy" | jq -r '[.PCI, .PRIORITY, .REASON] | join(" ")' | sed 's/ ([^(]*)$//' | tail -n 1)"
    expect 'remedy' "Subject: NIC $SECOND (cxi1) is unhealthy" \
        "$(journal -x -n 1 "$unhealthy" | grep -o 'Subject: .*')"
    cxi-sim node link "$HOST" "$SECOND" up
    systemctl reload "$UNIT"
    status_is '2 NICs, 2 healthy, kubelet not registered'
}

# The same process, and systemd has seen a reload begin and end.
check_reload() {
    local before
    before=$(show MainPID)
    systemctl reload "$UNIT"
    until_so is ActiveState active
    expect 'process' "$before" "$(show MainPID)"
    systemctl is-active "$UNIT"
}

# A bad file is refused whole, by name, and the service goes on; a good one is taken without a new process.
check_reload_of_files() {
    local before file=/etc/cxi-device-plugin/config.toml
    before=$(show MainPID)
    cp "$file" /tmp/config.toml
    printf '[health]\npol = "5s"\n' >"$file"
    systemctl reload "$UNIT"
    until_so noted CONFIG_REFUSED "$file:2"
    status_is '2 NICs, 2 healthy, kubelet not registered'
    printf '[log]\nlevel = "debug"\n' >"$file"
    systemctl reload "$UNIT"
    until_so noted CONFIG_READ log.level
    status_is '2 NICs, 2 healthy, kubelet not registered'
    cp /tmp/config.toml "$file"
    systemctl reload "$UNIT"
    until_so is ActiveState active
    expect 'process' "$before" "$(show MainPID)"
}

# The stamp of this boot says that it was ready: with one NIC down, a start that waited would be killed.
check_restart_does_not_wait() {
    cxi-sim node link "$HOST" "$SECOND" down
    drop_in TimeoutStartSec=15
    systemctl restart "$UNIT"
    status_is '2 NICs, 1 healthy, kubelet not registered'
    no_drop_in
}

# Cordons, counters and the stamp of this boot are for the next start, however the service was stopped.
check_state_outlives_a_stop() {
    cxi-device-plugin cordon "$SECOND" --reason cable --root "$HOST" --run-dir /run/cxi-device-plugin
    status_is '2 NICs, 1 healthy, kubelet not registered'
    systemctl stop "$UNIT"
    systemctl start "$UNIT"
    status_is '2 NICs, 1 healthy, kubelet not registered'
    cxi-device-plugin uncordon "$SECOND" --root "$HOST" --run-dir /run/cxi-device-plugin
    status_is '2 NICs, 2 healthy, kubelet not registered'
}

# What a boot does to /run.
forget_this_boot() {
    systemctl stop "$UNIT"
    rm -rf /run/cxi-device-plugin
}

check_first_start_waits() {
    local begun active
    forget_this_boot
    systemctl start --no-block "$UNIT"
    until_so is StatusText '2 NICs, 1 healthy, kubelet not registered'
    expect 'while a NIC is missing' activating "$(show ActiveState)"
    until_so is ActiveState active
    begun=$(show ExecMainStartTimestampMonotonic) active=$(show ActiveEnterTimestampMonotonic)
    ((active - begun >= 19000000)) || { echo "ready after $((active - begun)) us"; return 1; }
    forget_this_boot
    systemctl start --no-block "$UNIT"
    until_so is StatusText '2 NICs, 1 healthy, kubelet not registered'
    expect 'while a NIC is missing' activating "$(show ActiveState)"
    cxi-sim node link "$HOST" "$SECOND" up
    kill -HUP "$(show MainPID)"
    status_is '2 NICs, 2 healthy, kubelet not registered'
}

# The sandbox of the running service has no place to write there: it has to be made anew, once.
check_kubelet_comes_late() {
    [[ ! -e /var/lib/kubelet ]]
    systemctl restart "$UNIT"
    systemctl reset-failed "$UNIT" 2>/dev/null || true
    kubelet /var/lib/kubelet/device-plugins
    status_is '2 NICs, 2 healthy, kubelet registered'
    expect 'restarts' 1 "$(show NRestarts)"
    said 'status=75/TEMPFAIL'
}

check_kubelet_directory_is_made_anew() {
    no_kubelet
    rm -rf /var/lib/kubelet
    kubelet /var/lib/kubelet/device-plugins
    status_is '2 NICs, 2 healthy, kubelet registered'
    no_kubelet
    rm -rf /var/lib/kubelet/device-plugins
    kubelet /var/lib/kubelet/device-plugins
    status_is '2 NICs, 2 healthy, kubelet registered'
    no_kubelet
}

check_kubelet_directory_is_a_link() {
    systemctl stop "$UNIT"
    rm -rf /var/lib/kubelet
    mkdir -p /data/kubelet
    ln -s /data/kubelet /var/lib/kubelet
    systemctl start "$UNIT"
    kubelet /data/kubelet/device-plugins
    status_is '2 NICs, 2 healthy, kubelet registered'
    no_kubelet
    systemctl stop "$UNIT"
    rm -rf /var/lib/kubelet /data/kubelet
    mkdir -p /data/plugins /var/lib/kubelet
    ln -s /data/plugins /var/lib/kubelet/device-plugins
    # systemd resolves a link of ReadWritePaths= itself.
    systemctl start "$UNIT"
    kubelet /data/plugins
    status_is '2 NICs, 2 healthy, kubelet registered'
}

# Read-only and there from the start: another start cannot help, so there is none.
check_directory_that_stays_read_only() {
    local before
    systemctl stop "$UNIT"
    # The unit's own list wins over ReadOnlyPaths= for the same directory.
    drop_in 'ReadWritePaths=' "ReadWritePaths=-/run/cdi $HOST/dev"
    systemctl start "$UNIT"
    before=$(show MainPID)
    until_so said 'Read-only file system' "_PID=$before"
    expect 'process' "$before" "$(show MainPID)"
    no_drop_in
    systemctl restart "$UNIT"
    status_is '2 NICs, 2 healthy, kubelet registered'
}

check_cdi_directory_is_removed() {
    rm -rf /run/cdi
    until_so test -e "$SPEC"
    expect 'directory' '755 root:root' "$(stat -c '%a %U:%G' /run/cdi)"
    status_is '2 NICs, 2 healthy, kubelet registered'
}

is_active_for() { (($(date +%s) >= $(date -d "$(show ActiveEnterTimestamp)" +%s) + $1)); }

check_watchdog() {
    local before
    drop_in WatchdogSec=2 TimeoutAbortSec=2
    systemctl restart "$UNIT"
    status_is '2 NICs, 2 healthy, kubelet registered'
    before=$(show MainPID)
    # Twice the limit passes, and it is fed.
    until_so is_active_for 5
    expect 'process' "$before" "$(show MainPID)"
    kill -STOP "$before"
    until_so another_process_than "$before"
    status_is '2 NICs, 2 healthy, kubelet registered'
    said 'Watchdog timeout'
    no_drop_in
    systemctl restart "$UNIT"
}

check_crash() {
    local before
    status_is '2 NICs, 2 healthy, kubelet registered'
    before=$(show MainPID)
    kill -KILL "$before"
    until_so another_process_than "$before"
    status_is '2 NICs, 2 healthy, kubelet registered'
}

check_bad_configuration() {
    drop_in Environment=SYSFS_ROOT=/nowhere
    systemctl restart "$UNIT" || true
    until_so is ActiveState failed
    expect 'result' 'exit-code 78' "$(show Result) $(show ExecMainStatus)"
    expect 'restarts' 0 "$(show NRestarts)"
    said SYSFS_ROOT
    no_drop_in
    systemctl restart "$UNIT"
    status_is '2 NICs, 2 healthy, kubelet registered'
}

# rpm_changes ARGUMENT...: the service runs anew, and the CDI file that pods need has not been touched.
rpm_changes() {
    local pid spec
    pid=$(show MainPID) spec=$(stat -c '%i %z' "$SPEC")
    rpm "$@"
    until_so another_process_than "$pid"
    status_is '2 NICs, 2 healthy, kubelet registered'
    expect 'CDI file' "$spec" "$(stat -c '%i %z' "$SPEC")"
    expect 'still enabled' enabled "$(systemctl is-enabled "$UNIT")"
}

check_upgrade() {
    rpm_changes -U --nodeps /packages/second.rpm
    expect 'release' 2 "$(rpm -q --qf '%{RELEASE}' cxi-device-plugin)"
}

check_downgrade() {
    rpm_changes -U --nodeps --oldpackage /packages/first.rpm
    expect 'release' 1 "$(rpm -q --qf '%{RELEASE}' cxi-device-plugin)"
}

check_removal() {
    local spec
    rm -r "/etc/systemd/system/$UNIT.d"
    spec=$(sha256sum "$SPEC")
    rpm -e cxi-device-plugin
    expect 'processes' '' "$(pgrep -x cxi-device-plug || true)"
    expect 'CDI file' "$spec" "$(sha256sum "$SPEC")"
    expect 'in /run' "$SPEC" "$(find /run -name '*cxi*' -not -path '*/rig-kubelet*' -not -path '/run/systemd/*')"
    expect 'sockets' kubelet.sock "$(ls /data/plugins)"
    expect 'files of packages' '' "$(find /etc /usr /opt | sort | comm -13 /rig/before - | grep -E 'cxi|cdi' | grep -v cxi-sim || true)"
}

exec 3>&1
check 'systemd: boot with kubelet masked, then NICs' check_boot
check 'systemd: no capability, no new privileges, seccomp' check_sandbox
check 'systemd: systemd-analyze security is at most 1.5' check_security
check 'systemd: of kubelet, the unit may write the plugin directory alone' check_writable
check 'systemd: the journal has the fields of each message, and the remedy' check_journal
check 'systemd: reload keeps the process' check_reload
check 'systemd: reload of a bad file and of a good one' check_reload_of_files
check 'systemd: a restart waits for no NIC' check_restart_does_not_wait
check 'systemd: a first start waits for NICs, start_grace at most' check_first_start_waits
check 'systemd: a cordon outlives a stop' check_state_outlives_a_stop
check 'systemd: kubelet directory absent at start' check_kubelet_comes_late
check 'systemd: kubelet directory removed and made anew' check_kubelet_directory_is_made_anew
check 'systemd: kubelet directory is a link, and the plugin directory is one' check_kubelet_directory_is_a_link
check 'systemd: a directory that is read-only from the start is no reason to restart' check_directory_that_stays_read_only
check 'systemd: CDI directory removed' check_cdi_directory_is_removed
check 'systemd: SIGSTOP, watchdog, restart' check_watchdog
check 'systemd: SIGKILL, restart' check_crash
check 'systemd: bad configuration ends with 78 and is not restarted' check_bad_configuration
check 'systemd: rpm -U' check_upgrade
check 'systemd: rpm -U --oldpackage' check_downgrade
check 'systemd: rpm -e leaves the CDI file, and nothing else' check_removal
echo 'the end'

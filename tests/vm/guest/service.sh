# shellcheck shell=bash
# The unit as it is installed, under the guest's systemd, with real NICs that come, train, move and go: nothing in its sandbox
# may stop it. Kubelet is the emulated one, as a service that systemd starts after ours.

UNIT=cxi-device-plugin.service
KUBELET_DIR=/var/lib/kubelet/device-plugins
SPEC=/run/cdi/hpe.com-cxi.yaml
LISTS=$REPORTS/kubelet
A=0000:21:00.0
B=0000:61:00.0

install_as_packaged() {
    cp -a "$PAYLOAD/installed/." /
    cat >/etc/systemd/system/kubelet.service <<SERVICE
[Service]
ExecStart=$PAYLOAD/cxi-sim kubelet --dir $KUBELET_DIR --transcript $LISTS
SERVICE
    systemctl daemon-reload
    udevadm control --reload
}

# Neither driver nor hardware.
unload_modules() {
    load_modules
    rmmod cxi_eth cxi_user cxi_ss1 cxi_sl cxi_sbl
}

load_driver() {
    local module
    for module in cxi_sbl cxi_sl cxi_ss1 cxi_user cxi_eth; do
        insmod "$MODULES/${module/_/-}.ko"
    done
    udevadm settle
}

# set_up PCI: as a site's network configuration does.
set_up() { ip link set up dev "$(ls "/sys/bus/pci/devices/$1/net")"; }

# listed: each NIC of the last list that kubelet got, with its health.
listed() {
    { grep '"event":"list"' "$LISTS" || true; } | tail -n 1 |
        grep -oE '"id":"[^"]*","health":"[A-Za-z]*"' | sed 's/"id":"\([^"]*\)","health":"\(.*\)"/\1 \2/' || true
}

first_listed() {
    grep -m 1 '"event":"list"' "$LISTS" |
        grep -oE '"id":"[^"]*","health":"[A-Za-z]*"' | sed 's/"id":"\([^"]*\)","health":"\(.*\)"/\1 \2/'
}

has_listed() { [[ $(listed) == "$1" ]]; }
await_list() { wait_until has_listed "$1"; }
leads() { [[ $(readlink "/dev/cxi-by-pci/$1") == "../$2" ]]; }
has_no_link() { [[ ! -e /dev/cxi-by-pci/$1 && ! -L /dev/cxi-by-pci/$1 ]]; }
names_node() { grep -q "path: /dev/$2$" "$SPEC" && grep -q "name: .*$1" "$SPEC"; }
shows() { systemctl show -P "$1" "$UNIT"; }
is_active() { [[ $(shows ActiveState) == active ]]; }

# between FROM TO: milliseconds between two points in the life of the unit; systemd has them in microseconds.
between() { echo $((($(shows "$2") - $(shows "$1")) / 1000)); }

# --- enabled before there is a driver; then all that happens to NICs ---------------------------------------------------------

starts_without_driver() {
    unload_modules
    # Else its sandbox would have to be made anew, by exit 75.
    mkdir -p "$KUBELET_DIR"
    systemctl enable "$UNIT"
    systemctl start "$UNIT" kubelet.service
    is_active
    wait_until grep -q '"event":"registered"' "$LISTS"
    [[ ! -e $SPEC ]]
}

driver_is_loaded_later() {
    tell add "c1,pci=$A"
    tell add "c2,pci=$B"
    load_driver
    set_up "$A"
    set_up "$B"
    await_list "$A Healthy"$'\n'"$B Healthy"
    wait_until names_node "$A" cxi0
    names_node "$B" cxi1
    wait_until leads "$A" cxi0
    wait_until leads "$B" cxi1
}

rebind_moves_the_node() {
    echo "$A" >/sys/bus/pci/drivers/cxi_ss1/unbind
    await_list "$A Unhealthy"$'\n'"$B Healthy"
    echo "$A" >/sys/bus/pci/drivers/cxi_ss1/bind
    set_up "$A"
    await_list "$A Healthy"$'\n'"$B Healthy"
    wait_until names_node "$A" cxi2
    wait_until leads "$A" cxi2
}

carrier_is_heard() {
    tell link "$B" down
    await_list "$A Healthy"$'\n'"$B Unhealthy"
    journalctl -u "$UNIT" -o cat | grep 'cxi1: unhealthy: link: the fabric link is down' >/dev/null
    tell link "$B" up
    await_list "$A Healthy"$'\n'"$B Healthy"
}

# --- the links by PCI address: two keep them ---------------------------------------------------------------------------------

# How often the daemon says that it has written one. udev replaces its own by an equal one at each event, so inodes say nothing.
written_by_daemon() { journalctl -u "$UNIT" -o cat | grep -c 'leads to cxi' || true; }

udev_and_daemon_agree() {
    local before
    udevadm settle
    leads "$A" cxi2
    before=$(written_by_daemon)
    udevadm trigger --action=change --subsystem-match=cxi_user
    udevadm settle
    # When kubelet has heard of this, the daemon has looked after all of that.
    carrier_is_heard
    expect 'links that the daemon has written' "$before" "$(written_by_daemon)"
    leads "$A" cxi2
    leads "$B" cxi1
}

# In the sandbox, where nothing but the daemon keeps them.
daemon_keeps_them_alone() {
    rm /usr/lib/udev/rules.d/60-cxi-by-pci.rules
    udevadm control --reload
    rm -r /dev/cxi-by-pci
    wait_until leads "$A" cxi2
    wait_until leads "$B" cxi1
    expect 'the directory' 'root root 755' "$(stat -c '%U %G %a' /dev/cxi-by-pci)"
    echo "$B" >/sys/bus/pci/drivers/cxi_ss1/unbind
    await_list "$A Healthy"$'\n'"$B Unhealthy"
    echo "$B" >/sys/bus/pci/drivers/cxi_ss1/bind
    udevadm settle
    set_up "$B"
    await_list "$A Healthy"$'\n'"$B Healthy"
    wait_until leads "$B" cxi3
    (($(written_by_daemon) >= 3))
    cp -a "$PAYLOAD/installed/usr/lib/udev/rules.d/." /usr/lib/udev/rules.d/
    udevadm control --reload
}

unplugged_is_gone() {
    tell remove "$B"
    await_list "$A Healthy"
    wait_until has_no_link "$B"
    leads "$A" cxi2
}

one_registration() { expect 'registrations' 1 "$(grep -c '"event":"registered"' "$LISTS")"; }
no_restart() { expect 'restarts' 0 "$(shows NRestarts)"; }
no_source_is_lost() { expect 'sources that are lost' '' "$(journalctl -u "$UNIT" -o cat | grep 'takes their place' || true)"; }

# --- what the sandbox is worth ------------------------------------------------------------------------------------------------

limits_are_in_force() {
    local pid group=/sys/fs/cgroup/system.slice/$UNIT
    pid=$(shows MainPID)
    expect 'OOMScoreAdjust' "$(shows OOMScoreAdjust)" "$(<"/proc/$pid/oom_score_adj")"
    [[ $(<"/proc/$pid/oom_score_adj") -lt 0 ]]
    expect 'MemoryMax' "$(shows MemoryMax)" "$(<"$group/memory.max")"
    expect 'capabilities' 0000000000000000 "$(awk '$1 == "CapBnd:" { print $2 }' "/proc/$pid/status")"
    expect 'DevicePolicy' closed "$(shows DevicePolicy)"
}

# A process in the group of the service has its devices: every character device, also one of a driver that came later, and no
# block device.
devices_are_limited() {
    local group=/sys/fs/cgroup/system.slice/$UNIT
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        true 3<>/dev/cxi2
        if true 3</dev/vda; then
            echo 'a block device can be opened'
            exit 1
        fi
    )
}

# --- a boot: links that train, and one that never comes ------------------------------------------------------------------------

# A NIC that has neither link nor retry handler yet, and a daemon and a kubelet that have not run in this boot.
boot_anew() {
    systemctl stop kubelet.service "$UNIT"
    rm -rf /run/cxi-device-plugin
    : >"$LISTS"
    load_modules
    tell add "c1,pci=$A"
    udevadm settle
    set_up "$A"
    tell link "$A" down
    tell pct_eq "$A" 0
}

# The hardware's own time.
train_in() {
    sleep "$1"
    tell pct_eq "$A" 1
    tell link "$A" up
}

# ready_within FROM TO: milliseconds from start to ready.
ready_within() {
    local waited
    waited=$(between InactiveExitTimestampMonotonic ActiveEnterTimestampMonotonic)
    echo "ready after $waited ms"
    ((waited >= $1 && waited < $2))
}

kubelet_meets() {
    wait_until grep -q '"event":"list"' "$LISTS"
    expect "kubelet's first list" "$1" "$(first_listed)"
}

ready_waits_for_training() {
    boot_anew
    train_in 8 &
    systemctl start "$UNIT" kubelet.service
    wait
    ready_within 7000 20000
    kubelet_meets "$A Healthy"
}

ready_comes_at_the_grace() {
    boot_anew
    systemctl start "$UNIT" kubelet.service
    ready_within 20000 40000
    kubelet_meets "$A Unhealthy"
}

restart_does_not_wait() {
    systemctl restart "$UNIT"
    ready_within 0 15000
    await_list "$A Unhealthy"
}

install_as_packaged
check 'service: enabled and started without a driver, it is active and registered' starts_without_driver
check 'service: a driver that is loaded later' driver_is_loaded_later
check 'service: a rebind moves the node and not the name' rebind_moves_the_node
check 'service: the carrier is heard, and waited for' carrier_is_heard
check 'service: udev and the daemon keep the same links, and the daemon writes none again' udev_and_daemon_agree
check 'service: limits and capabilities are in force' limits_are_in_force
check 'service: character devices and no others' devices_are_limited
check 'service: without the rule the daemon keeps the links, in its sandbox' daemon_keeps_them_alone
check 'service: an unplugged NIC is gone' unplugged_is_gone
check 'service: kubelet has heard one registration' one_registration
check 'service: it was never started anew' no_restart
check 'service: no source of events is lost in the sandbox' no_source_is_lost
check 'service: at boot, ready waits for links that train, and kubelet meets healthy NICs' ready_waits_for_training
check 'service: with a link that never comes, ready at the grace' ready_comes_at_the_grace
check 'service: a restart does not wait' restart_does_not_wait
systemctl stop kubelet.service "$UNIT"
journalctl -u "$UNIT" -o short-monotonic >"$REPORTS/service.journal"

# shellcheck shell=bash
# CXI services with the real write(2): what our program shows and does, what a program sees that knows nothing of it, and the
# oneshot unit with its rule, under the guest's systemd and udev.

PLUGIN=/usr/bin/cxi-device-plugin
CLIENT=$MODULES/cxi-client
ONESHOT=cxi-default-service
DAEMON=cxi-device-plugin
CONFIGURATION=/etc/cxi-device-plugin/config.toml
HELD=$(<"$PAYLOAD/held")
RULE=61-cxi-default-service.rules
A=0000:21:00.0
B=0000:61:00.0
C=0000:a1:00.0
NOBODY=65534

# The package, and two NICs with a driver that has just come.
begin() {
    cp -a "$PAYLOAD/installed/." /
    systemctl daemon-reload
    rm -f "/etc/udev/rules.d/$RULE"
    rm -rf /run/cxi-default-service
    udevadm control --reload
    load_modules
    tell add "c1,pci=$A"
    tell add "c2,pci=$B"
    udevadm settle
}

# ours ARG...: our program; its words, and how it ended.
ours() {
    local status=0
    "$PLUGIN" services "$@" 2>&1 || status=$?
    echo "exit $status"
}

# The number of the newest service.
last_id() { ours list --output json | sed -n 's/^ *"id": \([0-9]*\),$/\1/p' | sort -n | tail -n 1; }

says() { grep -qF -- "$1" <<<"$2" || { printf 'not said: %s\nbut:\n%s\n' "$1" "$2"; return 1; }; }

# is_on DEVICE ID: by the other program; the flag is a bit of the first byte.
is_on() { (( 0x$("$CLIENT" get "$1" "$2" | cut -c1-2) & 0x10 )); }
is_off() { ! is_on "$@"; }

# as_user UID COMMAND...: without one capability.
as_user() { setpriv --reuid "$1" --regid "$1" --clear-groups -- "${@:2}"; }

# --- what is shown and done ------------------------------------------------------------------------------------------------

lists_what_is_there() {
    local said
    said=$(ours)
    says "$A (cxi0" "$said"
    says "$B (cxi1" "$said"
    says 'a plain pod cannot use it' "$said"
    says 'the default service (1) is off' "$said"
    says 'exit 0' "$said"
    says '"vnis": [' "$(ours list --output json)"
}

switches_the_default_service() {
    is_off /dev/cxi0 1
    says 'exit 0' "$(ours enable-default cxi0)"
    is_on /dev/cxi0 1
    is_off /dev/cxi1 1
    says 'a plain pod can use it, by service 1' "$(ours)"
    as_user "$NOBODY" "$CLIENT" hold /dev/cxi0 1 </dev/null
    says 'exit 0' "$(ours disable-default)"
    is_off /dev/cxi0 1
}

a_service_that_is_off_says_so() {
    expect 'a use of a service that is off' EKEYREVOKED "$("$CLIENT" hold /dev/cxi0 1 </dev/null || true)"
}

others_see_what_ours_has_made() {
    local id
    cat >/run/service.yaml <<'YAML'
resource_limits: 1
restricted_members: 1
restricted_tcs: 1
limits:
  - name: TLEs
    max: 9
    res: 9
vnis:
  vni: 20
  vni: 21
members:
  - type: uid
    id: 1234
#tcs:
    tc: BEST_EFFORT
YAML
    says 'exit 0' "$(ours create --file /run/service.yaml cxi0)"
    id=$(last_id)
    expect 'flags, VNIs and classes' 1f02140015000000000000000001 "$("$CLIENT" get /dev/cxi0 "$id" | cut -c1-28)"
    as_user 1234 "$CLIENT" hold /dev/cxi0 "$id" </dev/null
    expect 'a use by another user' EPERM "$("$CLIENT" hold /dev/cxi0 "$id" </dev/null || true)"
    says 'exit 0' "$(ours delete cxi0 "$id")"
    expect 'the service afterwards' EINVAL "$("$CLIENT" get /dev/cxi0 "$id" || true)"
}

ours_sees_what_others_have_made() {
    local id
    # Restricted members and VNIs; VNI 30; group 77.
    id=$("$CLIENT" alloc /dev/cxi1 03011e000000000000000000000000004d00000002000000)
    says 'gid 77' "$(ours)"
    says 'exit 0' "$(ours delete cxi1 "$id")"
    expect 'the service afterwards' EINVAL "$("$CLIENT" get /dev/cxi1 "$id" || true)"
}

a_service_in_use_is_waited_for() {
    local id user waits=/run/waits
    printf 'vnis: {vni: 40}\n' >/run/open.yaml
    ours create --file /run/open.yaml cxi0
    id=$(last_id)
    rm -f /run/lni
    mkfifo /run/lni
    "$CLIENT" hold /dev/cxi0 "$id" </run/lni >/run/held &
    user=$!
    exec 8>/run/lni
    wait_until grep -q held /run/held
    says 'still in use after 0 s' "$(ours delete --wait 0 cxi0 "$id")"
    # Without our end of the pipe: the user would never see it end.
    ours delete --wait 600 cxi0 "$id" >"$waits" 8>&- &
    wait_until grep -q 'is in use; waiting for its end' "$waits"
    exec 8>&-
    wait "$user"
    wait_until grep -q 'exit 0' "$waits"
    says 'is gone' "$(<"$waits")"
    expect 'times it said that it waits' 1 "$(grep -c waiting "$waits")"
    expect 'the service afterwards' EINVAL "$("$CLIENT" get /dev/cxi0 "$id" || true)"
}

# For as long as a job takes: each try to end the service is refused, whoever makes it, and everybody is told that it lingers; the
# daemon from within its sandbox.
a_service_in_use_for_long_lingers() {
    local id user began waits=/run/waits tries=0
    sed -i 's/^#lingers_after = .*/lingers_after = "1s"/' "$CONFIGURATION"
    mkdir -p /var/lib/kubelet/device-plugins
    systemctl restart "$DAEMON"
    printf 'vnis: {vni: 41}\n' >/run/open.yaml
    ours create --file /run/open.yaml cxi0
    id=$(last_id)
    rm -f /run/lni
    mkfifo /run/lni
    "$CLIENT" hold /dev/cxi0 "$id" </run/lni >/run/held &
    user=$!
    exec 8>/run/lni
    wait_until grep -q held /run/held
    ours delete --wait 3600 cxi0 "$id" >"$waits" 8>&- &
    wait_until grep -q 'is in use; waiting for its end' "$waits"
    began=$SECONDS
    while ((tries < 3 || SECONDS - began < HELD)); do
        expect 'another end' EBUSY "$("$CLIENT" destroy /dev/cxi0 "$id" || true)"
        tries=$((tries + 1))
    done
    wait_until grep -q "service $id lingers" "$waits"
    says 'to end for' "$(ours)"
    says service-lingering "$("$PLUGIN" doctor 2>&1 || true)"
    daemon_says "lingering CXI service $id"
    exec 8>&-
    wait "$user"
    wait_until grep -q 'exit 0' "$waits"
    says 'is gone' "$(<"$waits")"
    expect 'times it said that it waits' 1 "$(grep -c 'waiting for its end' "$waits")"
    expect 'the service afterwards' EINVAL "$("$CLIENT" get /dev/cxi0 "$id" || true)"
    daemon_says_no_more "lingering CXI service"
    expect 'findings of doctor' 0 "$({ "$PLUGIN" doctor 2>&1 || true; } | grep -c service-lingering || true)"
}

# It looks again when it is asked to. The table leaves warnings out where a NIC is unhealthy for another reason.
status() { "$PLUGIN" status 2>&1 && "$PLUGIN" status --output json 2>&1; }
status_says() { systemctl reload "$DAEMON" && status | grep -F -- "$1" >/dev/null; }
status_says_not() { systemctl reload "$DAEMON" && ! status | grep -F -- "$1" >/dev/null; }
daemon_says() { wait_until status_says "$1" || { status; return 1; }; }
daemon_says_no_more() { wait_until status_says_not "$1" || { status; return 1; }; }

# By nobody but the daemon, which may change nothing.
the_daemon_sees_what_is_switched() {
    systemctl restart "$DAEMON"
    daemon_says 'the default service (1) is off'
    "$CLIENT" enable /dev/cxi0 1 1
    "$CLIENT" enable /dev/cxi1 1 1
    daemon_says_no_more 'the default service (1) is off'
    "$CLIENT" enable /dev/cxi0 1 0
    daemon_says 'the default service (1) is off'
    "$CLIENT" enable /dev/cxi1 1 0
    expect 'its capabilities' '' "$(systemctl show -P CapabilityBoundingSet "$DAEMON" | grep -o cap_sys_admin || true)"
    systemctl stop "$DAEMON"
}

the_default_service_in_use_is_not_switched() {
    ours enable-default cxi0
    rm -f /run/lni
    mkfifo /run/lni
    "$CLIENT" hold /dev/cxi0 1 </run/lni >/run/held &
    exec 8>/run/lni
    wait_until grep -q held /run/held
    says EBUSY "$(ours disable-default cxi0)"
    is_on /dev/cxi0 1
    exec 8>&-
    wait
    says 'exit 0' "$(ours disable-default cxi0)"
}

without_the_right_nothing_changes() {
    local said
    said=$(as_user "$NOBODY" "$PLUGIN" services enable-default --state-dir /run/none 2>&1 || true)
    says EPERM "$said"
    says 'on 2 of 2 NICs' "$said"
    is_off /dev/cxi0 1
    says "$A" "$(as_user "$NOBODY" "$PLUGIN" services)"
}

a_namespace_is_named_with_its_process() {
    local netns pid
    ip netns add tenant
    ip netns exec tenant sleep 600 &
    wait_until pgrep -x sleep >/dev/null
    pid=$(pgrep -nx sleep)
    netns=$(stat -L -c %i "/proc/$pid/ns/net")
    printf 'restricted_members: 1\nvnis: {vni: 50}\nmembers: [{type: netns, id: %s}]\n' "$netns" >/run/netns.yaml
    says 'exit 0' "$(ours create --file /run/netns.yaml cxi0)"
    says "netns $netns (pid $pid, sleep)" "$(ours)"
    local id
    id=$(last_id)
    ip netns exec tenant "$CLIENT" hold /dev/cxi0 "$id" </dev/null
    expect 'a use from outside' EPERM "$("$CLIENT" hold /dev/cxi0 "$id" </dev/null || true)"
    says 'exit 0' "$(ours delete cxi0 "$id")"
    kill "$pid"
    ip netns delete tenant
}

# --- the unit and its rule --------------------------------------------------------------------------------------------------

journal_says() { journalctl -u "$1" -o cat | grep -F -- "$2" >/dev/null; }

the_unit_switches_it_on_once() {
    begin
    systemctl start "$ONESHOT@cxi0"
    is_on /dev/cxi0 1
    is_off /dev/cxi1 1
    # An admin's word.
    "$CLIENT" enable /dev/cxi0 1 0
    systemctl start "$ONESHOT@cxi0"
    is_off /dev/cxi0 1
    wait_until journal_says "$ONESHOT@cxi0" 'the default service stays off'
    # Another life of the same NIC, with another number.
    echo "$A" >/sys/bus/pci/drivers/cxi_ss1/unbind
    echo "$A" >/sys/bus/pci/drivers/cxi_ss1/bind
    udevadm settle
    systemctl start "$ONESHOT@cxi2"
    is_on /dev/cxi2 1
}

exposure_is_small() {
    systemd-analyze security --no-pager "$ONESHOT@cxi0.service" | tail -n 1
    systemd-analyze security --no-pager --threshold=25 "$ONESHOT@cxi0.service" >/dev/null
}

has_no_other_right() {
    expect 'capabilities' cap_sys_admin "$(systemctl show -P CapabilityBoundingSet "$ONESHOT@cxi0")"
}

without_the_rule_a_new_nic_stays_as_it_is() {
    tell add "c1,pci=$C"
    udevadm settle
    is_off /dev/cxi3 1
    tell remove "$C"
    udevadm settle
}

with_the_rule_each_nic_has_it_on() {
    ln -s "/usr/share/cxi-device-plugin/udev/$RULE" /etc/udev/rules.d/
    udevadm control --reload
    tell add "c1,pci=$C"
    wait_until test -e /dev/cxi4
    wait_until is_on /dev/cxi4 1
    # Those that are there.
    udevadm trigger --subsystem-match=cxi_user --action=add
    wait_until is_on /dev/cxi1 1
    # An admin's word outlives further events.
    says 'exit 0' "$(ours disable-default "$C")"
    udevadm trigger --subsystem-match=cxi_user --action=add
    udevadm settle
    systemctl start "$ONESHOT@cxi4"
    is_off /dev/cxi4 1
    rm "/etc/udev/rules.d/$RULE"
    udevadm control --reload
}

begin
check 'services: the list says what is there' lists_what_is_there
check 'services: the default service is switched' switches_the_default_service
check 'services: one that is off is refused with EKEYREVOKED' a_service_that_is_off_says_so
check 'services: a program that knows nothing of ours sees what it has made' others_see_what_ours_has_made
check 'services: ours sees what such a program has made' ours_sees_what_others_have_made
check 'services: one in use is waited for, and said so once' a_service_in_use_is_waited_for
check "services: one in use for $HELD s and more is refused an end, and lingers for everybody" a_service_in_use_for_long_lingers
check 'services: the daemon in its sandbox sees what is switched, and may switch nothing' the_daemon_sees_what_is_switched
check 'services: the default service in use is not switched' the_default_service_in_use_is_not_switched
check 'services: without the right nothing changes, and all is seen' without_the_right_nothing_changes
check 'services: a namespace is named with its process' a_namespace_is_named_with_its_process
check 'services: the unit switches the default service on once in a life' the_unit_switches_it_on_once
check 'services: systemd-analyze security of the unit is at most 2.5' exposure_is_small
check 'services: the unit has CAP_SYS_ADMIN and no other' has_no_other_right
check 'services: without the rule a new NIC stays as it is' without_the_rule_a_new_nic_stays_as_it_is
check 'services: with the rule each NIC has it on, and an admin is not overruled' with_the_rule_each_nic_has_it_on

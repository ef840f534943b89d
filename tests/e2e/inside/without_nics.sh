#!/bin/bash
# First boot of the installed tree: no NIC, no driver, no kubelet.
set -euo pipefail
# shellcheck source=tests/e2e/inside/lib.sh
source /rig/inside_lib.sh

check_boot() {
    status_is '0 NICs, 0 healthy, kubelet not registered'
    expect 'restarts' 0 "$(show NRestarts)"
    [[ ! -e $SPEC ]]
    expect 'CDI directories' "$(printf '755 root:root /etc/cdi\n755 root:root /run/cdi')" "$(stat -c '%a %U:%G %n' /etc/cdi /run/cdi)"
}

check_no_units_pulled_in() {
    expect 'what it needs' '' "$(systemctl show -P Requires -P Wants "$UNIT" | tr ' ' '\n' | grep -E 'kubelet|k3s|rke2' || true)"
    expect 'failed units' '' "$(systemctl list-units --failed --no-legend --plain | grep cxi || true)"
}

check_verify() {
    expect 'systemd-analyze verify' '' "$(systemd-analyze verify --man=no "/usr/lib/systemd/system/$UNIT" 2>&1)"
}

check_catalog() {
    local id
    while read -r id; do
        journalctl --dump-catalog "$id" | grep '^Subject: ' >/dev/null
    done < <(sed -n 's/^-- //p' /usr/lib/systemd/catalog/cxi-device-plugin.catalog)
}

check 'systemd: first boot without NICs, driver and kubelet: ready, and no CDI file' check_boot
check 'systemd: no unit of kubelet is needed or wanted' check_no_units_pulled_in
check 'systemd: systemd-analyze verify is silent' check_verify
check 'systemd: the journal has the catalogue' check_catalog
systemctl mask kubelet.service
echo 'the end'

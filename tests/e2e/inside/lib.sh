# shellcheck shell=bash
# What the scripts inside a booted tree share.

# shellcheck source=tests/e2e/lib.sh
source /rig/lib.sh

WORK=$(mktemp -d)
UNIT=cxi-device-plugin.service
# Used by the scripts.
# shellcheck disable=SC2034
SPEC=/run/cdi/hpe.com-cxi.yaml

# until_so COMMAND...: looks again until it succeeds; a guard ends what would hang.
until_so() {
    local _
    for _ in {1..600}; do
        "$@" && return
        sleep 0.1
    done
    echo "never: $*"
    systemctl status --no-pager "$UNIT" || true
    journal -n 40
    return 1
}

show() { systemctl show -P "$1" "$UNIT"; }
is() { [[ $(show "$1") == "$2" ]]; }

# status_is TEXT: systemctl status shows it, and the service is active.
status_is() { until_so is StatusText "$1" && until_so is ActiveState active; }

# message_id NAME: the id of that name in src/model/message_id.rs.
message_id() { sed -n "s/^pub const $1: &str = \"\(.*\)\";/\1/p" /rig/message_id.rs; }

# journal [ARG...]: the unit's messages of this boot.
journal() { journalctl -b --no-pager -u "$UNIT" "$@"; }

# said TEXT [MATCH...]: the unit has said it. Read to the end, or the journal fails for want of a reader.
said() { journal "${@:2}" | grep "$1" >/dev/null; }

# noted NAME TEXT: a message with the id of that name, and that text, is in the journal.
noted() { journal "MESSAGE_ID=$(message_id "$1")" | grep -F "$2" >/dev/null; }

# another_process_than PID: the unit runs, and is not that one.
another_process_than() {
    local now
    now=$(show MainPID)
    [[ $now != 0 && $now != "$1" ]]
}

# drop_in LINE...: the only drop-in of the rig besides the node's.
drop_in() {
    mkdir -p "/etc/systemd/system/$UNIT.d"
    printf '[Service]\n' >"/etc/systemd/system/$UNIT.d/50-rig.conf"
    printf '%s\n' "$@" >>"/etc/systemd/system/$UNIT.d/50-rig.conf"
    systemctl daemon-reload
}
no_drop_in() {
    rm -f "/etc/systemd/system/$UNIT.d/50-rig.conf"
    systemctl daemon-reload
}

# kubelet DIR: an emulated kubelet, at home in DIR. Each has a unit of its own: systemd forgets the last one when it likes.
kubelet() { systemd-run --quiet --collect --unit="rig-kubelet-$RANDOM$RANDOM" cxi-sim kubelet --dir "$1" --transcript /out/transcript; }
no_kubelet() { systemctl stop 'rig-kubelet-*'; }

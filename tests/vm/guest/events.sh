# shellcheck shell=bash
# The uevents of one NIC that is plugged in, rebound and unplugged, as the kernel sends them and as udevd passes them on.

PCI=0000:21:00.0

# order SOURCE: action and subsystem of each event of the NIC, in the order of arrival.
order() {
    sed -n "s#^${1} *\[[0-9.]*\] \([a-z]*\) .*/${PCI}[^ ]* (\(pci\|cxi\|cxi_user\|net\))\$#\1 \2#p" "$REPORTS/udev"
}

last_has_come() { [[ $(order UDEV | tail -n 1) == 'remove pci' ]]; }

record_events() {
    local monitor
    load_modules
    udevadm settle
    stdbuf -oL udevadm monitor --kernel --udev --property >"$REPORTS/udev" &
    monitor=$!
    # The heading comes when it listens.
    wait_until grep -q '^KERNEL - the kernel uevent' "$REPORTS/udev"
    tell add "c1,pci=$PCI"
    udevadm settle
    echo "$PCI" >/sys/bus/pci/drivers/cxi_ss1/unbind
    echo "$PCI" >/sys/bus/pci/drivers/cxi_ss1/bind
    udevadm settle
    tell remove "$PCI"
    udevadm settle
    # settle waits for udevd; the monitor has all of it when the last event is there.
    wait_until last_has_come
    kill "$monitor"
    wait "$monitor" || true
}

# The PCI core; then probe and remove as cass_core.c does them: class cxi comes last and goes last. The PCI core says bind
# when probe is over, and unbind when remove is.
EXPECTED='add pci
add cxi_user
add net
add cxi
bind pci
remove net
remove cxi_user
remove cxi
unbind pci
add cxi_user
add net
add cxi
bind pci
remove net
remove cxi_user
remove cxi
unbind pci
remove pci'

kernel_order() { expect 'events of the kernel' "$EXPECTED" "$(order KERNEL)"; }

# udevd works on several devices at once, so only their number is the same, and that a parent comes before its children.
udev_passes_all_on() {
    expect 'events of udevd' "$(sort <<<"$EXPECTED")" "$(order UDEV | sort)"
    expect 'the first and the last' $'add pci\nremove pci' "$(order UDEV | sed -n '1p;$p')"
}

# property EVENT KEY: of the first event with this heading.
property() { awk -v event="$1" -v key="$2=" 'found && index($0, key) == 1 { print substr($0, length(key) + 1); exit } $0 ~ event { found = 1 }' "$REPORTS/udev"; }

node_properties() {
    local event="^KERNEL.* add .*/$PCI/.*\\(cxi_user\\)"
    expect DEVNAME /dev/cxi0 "$(property "$event" DEVNAME)"
    expect DEVMODE 0666 "$(property "$event" DEVMODE)"
    # The numbers are dynamic: those of the line "ucxi" in /proc/devices.
    expect MAJOR "$(awk '$2 == "ucxi" { print $1 }' /proc/devices)" "$(property "$event" MAJOR)"
    expect MINOR 0 "$(property "$event" MINOR)"
}

driver_property() { expect DRIVER cxi_ss1 "$(property "^KERNEL.* bind .*/$PCI \\(pci\\)" DRIVER)"; }

check 'vm: events of one NIC are recorded' record_events
check 'vm: the kernel sends them in the order of the driver' kernel_order
check 'vm: udevd passes all of them on' udev_passes_all_on
check 'vm: the event of the device node has its name, mode and numbers' node_properties
check 'vm: the bind event names the driver' driver_property

# shellcheck shell=bash
# The links by PCI address as udev keeps them by our rule, without a daemon: before kubelet repeats an old answer at boot there may be none.

LINKS=/dev/cxi-by-pci
RULE=60-cxi-by-pci.rules
ONE=0000:21:00.0
OTHER=0000:61:00.0

# Each link with where it leads by its text; nothing else is there.
links() { (cd "$LINKS" 2>/dev/null && for name in *; do [[ ! -L $name ]] || echo "$name $(readlink "$name")"; done) || true; }

rebind() {
    echo "$1" >/sys/bus/pci/drivers/cxi_ss1/unbind
    echo "$1" >/sys/bus/pci/drivers/cxi_ss1/bind
    udevadm settle
}

made_when_added() {
    cp "$PAYLOAD/installed/usr/lib/udev/rules.d/$RULE" /run/udev/rules.d/
    udevadm control --reload
    load_modules
    tell add "c1,pci=$ONE"
    tell add "c2,pci=$OTHER"
    udevadm settle
    expect 'links' "$ONE ../cxi0"$'\n'"$OTHER ../cxi1" "$(links)"
    expect 'the device behind one' "$(stat -c '%t:%T' /dev/cxi1)" "$(stat -L -c '%t:%T' "$LINKS/$OTHER")"
}

moved_when_rebound() {
    rebind "$ONE"
    expect 'links' "$ONE ../cxi2"$'\n'"$OTHER ../cxi1" "$(links)"
    # The device keeps its link when udev looks at it again.
    udevadm trigger --action=change --subsystem-match=cxi_user
    udevadm settle
    expect 'links after a change' "$ONE ../cxi2"$'\n'"$OTHER ../cxi1" "$(links)"
}

# Without a driver in between there is no link that leads to another one's node.
gone_when_unbound() {
    echo "$OTHER" >/sys/bus/pci/drivers/cxi_ss1/unbind
    udevadm settle
    expect 'links' "$ONE ../cxi2" "$(links)"
    echo "$OTHER" >/sys/bus/pci/drivers/cxi_ss1/bind
    udevadm settle
    expect 'links' "$ONE ../cxi2"$'\n'"$OTHER ../cxi3" "$(links)"
}

gone_when_unplugged() {
    tell remove "$ONE"
    udevadm settle
    expect 'links' "$OTHER ../cxi3" "$(links)"
    tell remove "$OTHER"
    udevadm settle
    expect 'links' '' "$(links)"
}

mkdir -p /run/udev/rules.d
check 'links: udev makes one for each NIC that is added' made_when_added
check 'links: and moves it when the driver is bound anew' moved_when_rebound
check 'links: there is none without a driver' gone_when_unbound
check 'links: nor of a NIC that is unplugged' gone_when_unplugged
rm -f "/run/udev/rules.d/$RULE"
udevadm control --reload

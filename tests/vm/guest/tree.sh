# shellcheck shell=bash
# Does a tree of files show of a NIC what this kernel shows? Each emulation checks the other.

LISTINGS=$REPORTS/listings
# Not on a file system without device nodes, such as /run.
FILES=/var/tmp/node
NIC=0000:21:00.0
VF=0000:21:00.1

# kernel_list NAME PCI: what the kernel shows.
kernel_list() {
    udevadm settle
    "$PAYLOAD/cxi-sim" sysfs list "$2" >"$LISTINGS/guest/$1"
}

# The kernel tells operstate from the carrier a moment later.
operstate() { wait_until grep -qx "$2" "/sys/class/net/$1/operstate"; }

# A site brings its netdevs up.
set_up() {
    ip link set up dev "$1"
    operstate "$1" up
}

# kernel_node SPEC: this NIC and no other.
kernel_node() {
    load_modules
    tell add "$1"
    udevadm settle
    set_up hsn0
}

# files_node SPEC...: the same as a tree of files.
files_node() {
    local nics=() spec
    for spec in "$@"; do
        nics+=(--nic "$spec")
    done
    rm -rf "$FILES"
    "$PAYLOAD/cxi-sim" node create "$FILES" "${nics[@]}" >/dev/null
}

files_list() { "$PAYLOAD/cxi-sim" sysfs list "$2" --root "$FILES" >"$LISTINGS/tree/$1"; }

list_all() {
    mkdir -p "$LISTINGS/guest" "$LISTINGS/tree"
    local kind
    for kind in c1 c2; do
        kernel_node "$kind"
        kernel_list "$kind" "$NIC"
        files_node "$kind"
        files_list "$kind" "$NIC"
    done
    # The C2 is still there: its link goes down, then the driver gives it up.
    tell link "$NIC" down
    operstate hsn0 down
    kernel_list c2-link-down "$NIC"
    "$PAYLOAD/cxi-sim" node link "$FILES" "$NIC" down
    files_list c2-link-down "$NIC"

    kernel_node c1
    tell fatal "$NIC"
    operstate hsn0 down
    kernel_list c1-fatal "$NIC"
    files_node c1
    "$PAYLOAD/cxi-sim" node fatal "$FILES" "$NIC"
    files_list c1-fatal "$NIC"

    kernel_node c1
    echo 1 >"/sys/bus/pci/devices/$NIC/sriov_numvfs"
    udevadm settle
    # A VF's netdev uses the default service.
    "$MODULES/cxi-client" enable /dev/cxi0 1 1
    set_up hsn1
    kernel_list c1-with-vf "$NIC"
    kernel_list c1vf "$VF"
    files_node c1 c1vf
    files_list c1-with-vf "$NIC"
    files_list c1vf "$VF"
}

tree_equals_kernel() { "$PAYLOAD/cxi-sim" sysfs compare --known "$PAYLOAD/known-differences.yaml" "$LISTINGS/tree" "$LISTINGS/guest"; }

check 'vm: one NIC is listed on both' list_all
check 'vm: a tree of files shows of a NIC what the kernel shows, but for what is listed with a reason' tree_equals_kernel

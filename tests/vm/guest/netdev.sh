# shellcheck shell=bash
# What libfabric finds of the NICs' netdevs in containers, by podman on a real sysfs (netdev-view.c): by each way to give a
# container the network side of its NICs.

CDI=/etc/cdi
# Not on a file system without device nodes, such as /run.
STORE=/var/tmp/netdev-view

# nics SPEC...: these NICs and no other, with their netdevs up.
nics() {
    local spec netdev
    load_modules
    for spec in "$@"; do
        tell add "$spec"
    done
    udevadm settle
    for netdev in /sys/bus/pci/drivers/cxi_ss1/*/net/*; do
        bring_up "${netdev##*/}"
    done
}

# The kernel tells operstate from the carrier a moment later.
bring_up() {
    ip link set up dev "$1"
    wait_until grep -qx up "/sys/class/net/$1/operstate"
}

generate() {
    rm -f "$CDI"/*
    "$PAYLOAD/cxi-cdi-generator" --libraries none "$@"
}

# contain ARGUMENT...: the program in a container; a line for each NIC.
contain() {
    local root
    mkdir -p "$STORE/tmp"
    root=$(mktemp -d "$STORE/root.XXXXXX")
    mkdir -p "$root"/{dev,proc,sys,etc,run,tmp}
    cp "$MODULES/netdev-view" "$root/"
    podman --root "$STORE/storage" --runroot /run/netdev-view --tmpdir "$STORE/tmp" --storage-driver vfs \
        --cgroup-manager cgroupfs --runtime "$RUNTIME" run --rm --log-driver none "$@" --rootfs "$root" /netdev-view
}

# apart ARGUMENT...: with a network namespace of its own.
apart() { contain --network none "$@"; }

# nic CXI NETDEV: the program's line for a NIC with the attributes that this host has of that netdev.
nic() { echo "$1 $2 $(cat "/sys/class/net/$2/address") up $(cat "/sys/class/net/$2/speed")"; }

lines() { printf '%s\n' "$@"; }
no_netdev() { echo "$1 unusable: no netdev"; }
no_node() { echo "$1 unusable: /dev/$1 cannot be opened"; }

with_host_network() {
    nics c1 c2
    generate
    expect 'NICs' "$(lines "$(nic cxi0 hsn0)" "$(nic cxi1 hsn1)")" "$(contain --network host --device hpe.com/cxi=all)"
}

without_view() {
    generate
    expect 'NICs' "$(lines "$(no_netdev cxi0)" "$(no_netdev cxi1)")" "$(apart --device hpe.com/cxi=all)"
}

one() {
    generate --netdev-view sysfs
    expect 'the first' "$(lines "$(nic cxi0 hsn0)" "$(no_node cxi1)")" "$(apart --device hpe.com/cxi=0000:21:00.0)"
    expect 'the second' "$(lines "$(no_node cxi0)" "$(nic cxi1 hsn1)")" "$(apart --device hpe.com/cxi=0000:61:00.0)"
}

two() {
    expect 'NICs' "$(lines "$(nic cxi0 hsn0)" "$(nic cxi1 hsn1)")" "$(apart --device hpe.com/cxi=all)"
}

swapped() {
    nics c1,netdev=hsn1 c1,netdev=hsn0
    generate --netdev-view sysfs
    expect 'both' "$(lines "$(nic cxi0 hsn1)" "$(nic cxi1 hsn0)")" "$(apart --device hpe.com/cxi=all)"
    expect 'one' "$(lines "$(nic cxi0 hsn1)" "$(no_node cxi1)")" "$(apart --device hpe.com/cxi=0000:21:00.0)"
}

# The spec names the PCI function, so it stays right.
renamed() {
    ip link set dev hsn1 down
    ip link set dev hsn1 name fabric7
    bring_up fabric7
    expect 'the NIC' "$(lines "$(nic cxi0 fabric7)" "$(no_node cxi1)")" "$(apart --device hpe.com/cxi=0000:21:00.0)"
}

virtual_function() {
    nics c1
    echo 1 >/sys/bus/pci/devices/0000:21:00.0/sriov_numvfs
    udevadm settle
    # A VF's netdev uses the default service.
    "$MODULES/cxi-client" enable /dev/cxi0 1 1
    bring_up hsn1
    generate --netdev-view sysfs --functions vf
    expect 'with the check for a retry handler' "$(lines "$(no_node cxi0)" 'cxi1 unusable: no retry handler')" \
        "$(apart --device hpe.com/cxi=0000:21:00.1)"
    expect 'without' "$(lines "$(no_node cxi0)" "$(nic cxi1 hsn1)")" \
        "$(apart --env CXIP_SKIP_RH_CHECK=1 --device hpe.com/cxi=0000:21:00.1)"
}

# As the CNI plugin host-device does: then the container's own sysfs shows it, and the host's no more.
moved() {
    local inside
    nics c1 c1
    ip netns add pod
    ip link set dev hsn0 netns pod
    ip -n pod link set up dev hsn0
    wait_until ip netns exec pod grep -qx up /sys/class/net/hsn0/operstate
    inside=$(ip netns exec pod cat /sys/class/net/hsn0/address)
    generate
    expect 'without the view' "$(lines "cxi0 hsn0 $inside up 200000" "$(no_node cxi1)")" \
        "$(contain --network ns:/run/netns/pod --device hpe.com/cxi=0000:21:00.0)"
    generate --netdev-view sysfs
    expect 'with the view' "$(lines "$(no_netdev cxi0)" "$(no_node cxi1)")" \
        "$(contain --network ns:/run/netns/pod --device hpe.com/cxi=0000:21:00.0)"
    expect 'its neighbour' "$(lines "$(no_node cxi0)" "$(nic cxi1 hsn1)")" \
        "$(apart --device hpe.com/cxi=0000:61:00.0)"
    # The interface goes back with the namespace, if nobody takes it before.
    ip -n pod link set dev hsn0 netns 1
    ip netns delete pod
}

# Its child has no PCI function.
ipvlan_child() {
    nics c1
    insmod "$MODULES/ipvlan.ko"
    ip netns add pod
    ip link add link hsn0 name net1 netns pod type ipvlan mode l2
    ip -n pod link set up dev net1
    generate
    expect 'the NIC' "$(no_netdev cxi0)" "$(contain --network ns:/run/netns/pod --device hpe.com/cxi=all)"
    ip netns delete pod
    wait_until rmmod ipvlan
}

check_all() {
    RUNTIME=$1
    check "vm: netdev view, $RUNTIME: with the host's network libfabric finds both netdevs" with_host_network
    check "vm: netdev view, $RUNTIME: in its own namespace and without the view it finds none" without_view
    check "vm: netdev view, $RUNTIME: with the view exactly that of the one NIC" one
    check "vm: netdev view, $RUNTIME: of two NICs" two
    check "vm: netdev view, $RUNTIME: with swapped cxi and hsn numbers (V3)" swapped
}

# A service has none, and podman asks.
export HOME=/root
mkdir -p "$CDI"
check_all runc
check 'vm: netdev view: a netdev with a new name, the spec as it was' renamed
check 'vm: netdev view: a VF' virtual_function
check 'vm: netdev view: a netdev moved into the container is found without the view and hidden by it' moved
check 'vm: netdev view: an ipvlan child is not found' ipvlan_child
check_all crun
rm -rf "$STORE" "${CDI:?}"/*

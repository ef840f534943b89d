# shellcheck shell=bash
# The emulated NICs of the node, as its kernel would change them: the tree, and what listeners hear of it.

# Major number of /dev/cxiN, N being the minor. It is one of those for experiments, with no driver behind it: opening a node
# fails by ENXIO where the device cgroup lets one, and by EPERM where it does not.
MAJOR=120
NICS=(0000:21:00.0 0000:61:00.0 0000:a1:00.0 0000:e1:00.0)

make_nics() {
    NODE=$WORK/node
    "$SIM" node create "$NODE" --count "${#NICS[@]}" --device-numbers "$MAJOR:0" >/dev/null
}

nic() { "$SIM" node --uevents "$@" >/dev/null; }

# link PCI up|down: the peer of the NIC's netdev goes, so that the kernel tells of it.
link() {
    local number
    for number in "${!NICS[@]}"; do
        [[ ${NICS[number]} == "$1" ]] || continue
        nic link "$NODE" "$1" "$2"
        ip link set "fabric$number" "$2"
    done
}

# renumber: every NIC is found in another order than before, as a boot may do.
renumber() {
    local pci number order
    for pci in "${NICS[@]}"; do "$SIM" node remove "$NODE" "$pci"; done
    # The kernel makes /dev anew at a boot.
    rm -rf "$NODE/dev/cxi-by-pci"
    # Each time one further: no NIC keeps its number, and each number belongs to another.
    ROTATION=$(((${ROTATION:-0} + 1) % ${#NICS[@]}))
    for number in "${!NICS[@]}"; do
        order=$(((number + ROTATION) % ${#NICS[@]}))
        "$SIM" node add "$NODE" "c1,pci=${NICS[number]},cxi=$order,netdev=hsn$number" >/dev/null
    done
}

# cxi_of PCI: N of its cxiN.
cxi_of() { "$SIM" node list "$NODE" --output json | jq -r --arg pci "$1" '.[] | select(.pci == $pci).cxi'; }

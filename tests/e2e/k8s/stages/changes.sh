# shellcheck shell=bash
# What happens to the node's NICs while pods run: each change reaches kubelet, and each new container has its own NIC.

STAGES+=(changes)

stage_changes() {
    holds_here 'a link that goes down leaves the NIC in capacity only, its pod hears of it, and both are mended' link_down_and_up
    holds_here 'a NIC that is unplugged is on offer no more, and again when it is back' unplug_and_plug
    holds_here 'a cordoned NIC goes to no new pod and stays with its own' cordon_and_uncordon
    holds_here 'a NIC that is bound anew is still its pod'\''s after a restart of the container' rebind_under_a_pod
    [[ $STRATEGY == direct ]] ||
        holds_here 'a CDI file that somebody removes comes back, and no pod is lost for it' remove_cdi_file
}

# says HEALTH POD: what the status of the pod says of its one NIC.
says() {
    pod_is "$2" "[.status.containerStatuses[].allocatedResourcesStatus[]? | select(.name == \"$RESOURCE\") | .resources[]]
        | length == 1 and .[0].health == \"$1\""
}

link_down_and_up() {
    local pci id
    pod linked 1
    until_running linked
    pci=$(pci_of linked)
    id=$(container_id linked)
    until_true says Healthy linked
    link "$pci" down
    until_true node_has 4 3
    until_true says Unhealthy linked
    link "$pci" up
    until_true node_has 4 4
    until_true says Healthy linked
    expect 'the container is the same' "$id" "$(container_id linked)"
    delete linked
}

unplug_and_plug() {
    local pci
    pod stays 1
    pod unplugged 1
    until_running stays unplugged
    pci=$(pci_of unplugged)
    delete unplugged
    nic remove "$NODE" "$pci"
    until_true node_has 3 3
    pod meanwhile 2
    until_running meanwhile
    owns 2 meanwhile
    [[ $(pci_of meanwhile) != *"$pci"* ]]
    nic add "$NODE" "c1,pci=$pci"
    until_true node_has 4 4
    pod plugged 1
    until_running plugged
    owns 1 plugged
    expect 'the last free NIC' "$pci" "$(pci_of plugged)"
    delete stays meanwhile plugged
}

cordon_and_uncordon() {
    local pci id
    pod holder 1
    until_running holder
    pci=$(pci_of holder)
    id=$(container_id holder)
    "$PLUGIN" cordon "$pci"
    until_true node_has 4 3
    # The scheduler counts the NIC of the holder twice: as not healthy, and as taken. So there is room for two.
    pod others 2
    until_running others
    owns 2 others
    [[ $(pci_of others) != *"$pci"* ]]
    delete others
    expect 'the container is the same' "$id" "$(container_id holder)"
    "$PLUGIN" uncordon "$pci"
    until_true node_has 4 4
    delete holder
}

# ends_and_comes_back POD [CONTAINER]: the program of the container ends, and kubelet starts another one.
ends_and_comes_back() {
    local id
    id=$(container_id "$@")
    kill -TERM "$(process_of "$@")"
    until_true another_container "$id" "$@" || { explain_pod "$1"; return 1; }
}

# another_container ID POD [CONTAINER]: one that runs, and not that one.
another_container() {
    local status
    status=$(status_of "$2" "${3:-main}") && jq -e --arg id "$1" '.state.running and .containerID != $id' <<<"$status"
}

rebind_under_a_pod() {
    local pci before
    pod bound 1
    until_running bound
    owns 1 bound
    pci=$(pci_of bound)
    before=$(numbers_of "$pci")
    nic rebind "$NODE" "$pci"
    [[ $(numbers_of "$pci") != "$before" ]]
    # The CDI file, or whatever stands for it, follows the list; both were announced before.
    until_true node_has 4 4
    until_true knows_number "$pci"
    ends_and_comes_back bound
    owns 1 bound
    expect 'the NIC is the same' "$pci" "$(pci_of bound)"
    pod others 3
    until_running others
    owns 3 others
    delete bound others
}

# knows_number PCI: the daemon has published the number that this NIC has now.
knows_number() {
    "$PLUGIN" status --output json |
        jq -e --arg pci "$1" --arg cxi "cxi$(cxi_of "$1")" 'any(.nics[]; .address == $pci and .cxi == $cxi and .healthy)'
}

remove_cdi_file() {
    local file=/run/cdi/hpe.com-cxi.yaml
    [[ -f $file ]]
    rm "$file"
    until_true test -f "$file"
    pod present 1
    until_running present
    owns 1 present
    # Nobody brings it back while the daemon is away; what cannot start waits.
    stop plugin
    rm "$file"
    kill -TERM "$(process_of present)"
    until_true waits present
    start plugin
    until_running present
    owns 1 present
    delete present
}

# waits POD: its container cannot be made, and kubelet tries again.
waits() { pod_is "$1" '.status.phase == "Running" and any(.status.containerStatuses[]; .state.waiting)'; }

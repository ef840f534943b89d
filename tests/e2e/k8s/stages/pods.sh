# shellcheck shell=bash
# What a pod gets, in every shape that a pod can have.

STAGES+=(pods)

stage_pods() {
    holds_here 'of four NICs a pod that asks for two gets exactly its two, and may open no other' two_of_four
    holds_here 'a pod too many waits until another one ends' waits_for_its_turn
    holds_here 'init container, sidecar and two containers each have their own' many_containers
    holds_here 'a pod with the network of the host has its own' host_network
}

two_of_four() {
    pod first 2
    pod second 2
    until_running first second
    owns 2 first
    owns 2 second
    [[ $(pci_of first) != "$(pci_of second)" ]]
}

unschedulable() {
    pod_is "$1" '.status.phase == "Pending"
        and any(.status.conditions[]; .reason == "Unschedulable" and (.message | contains("Insufficient")))'
}

waits_for_its_turn() {
    local freed
    pod third 1
    until_true unschedulable third
    freed=$(pci_of first)
    delete first
    until_running third
    owns 1 third
    [[ ,$freed, == *,"$(pci_of third)",* ]]
    delete second third
}

many_containers() {
    local all
    create many "$(container main 1)" ".spec.containers += [$(container second 1)]
        | .spec.initContainers = [$(container before 2 ''), $(container beside 1) + {restartPolicy: \"Always\"}]"
    until_running many
    owns 2 many before
    owns 1 many beside
    owns 1 many main
    owns 1 many second
    all=$(for name in beside main second; do pci_of many "$name"; done)
    expect 'NICs of the three that live at once' 3 "$(sort -u <<<"$all" | wc -l)"
    delete many
}

host_network() {
    pod host 1 '.spec.hostNetwork = true'
    until_running host
    owns 1 host
    expect 'its network is the host'\''s' "$(readlink "/proc/$(process_of host)/ns/net")" "$(readlink /proc/self/ns/net)"
    delete host
}

# shellcheck shell=bash
# The node boots, its NICs have other numbers than before, and the parts come up in each order that there is.

STAGES+=(reboots)

REBOOTS=${CXI_REBOOTS:-1}
ORDERS=('plugin containerd kubelet' 'containerd plugin kubelet' 'containerd kubelet plugin'
    'plugin kubelet containerd' 'kubelet plugin containerd' 'kubelet containerd plugin')
ROTATION=0

stage_reboots() {
    local order text
    for order in "${ORDERS[@]}"; do
        text=${order//plugin/daemon}
        # Subshells forget it.
        ROTATION=$((ROTATION + REBOOTS))
        holds_here "after a reboot with other numbers (${text// /, }) no container has a NIC that is not its own" reboot "$order"
    done
}

reboot() {
    local round name ids
    ROTATION=$((ROTATION - REBOOTS))
    if absent one >/dev/null 2>&1; then
        pod one 1
        pod two 1
        create pair "$(container main 1)" ".spec.containers += [$(container second 1)]"
    fi
    until_running one two pair
    for ((round = 0; round < REBOOTS; round++)); do
        ids=$(all_ids)
        power_cut
        renumber
        touch "$WORK/boot"
        for name in $1; do
            start "$name"
            until_true "up_$name" "$1"
        done
        until_true settled "$ids" || { explain_all; return 1; }
        all_own_theirs
        # A pod that kubelet has turned away is lost: it was to be told in time.
        came_back || { explain_all; return 1; }
    done
}

up_plugin() { [[ -s /run/cxi-device-plugin/status.json ]]; }
up_containerd() { containerd_answers; }
# It does not come up before there is a runtime.
up_kubelet() { kubelet_stays && { ! alive containerd || [[ -S /var/lib/kubelet/device-plugins/kubelet.sock ]]; }; }

# Each container with its id, one per line.
all_ids() {
    api GET "$PODS" | jq -r '.items[] | .metadata.name as $pod | .status.containerStatuses[]? | "\($pod)/\(.name)=\(.containerID)"'
}

# settled IDS: each pod has failed, or runs with other containers than before, which have said what they hold.
settled() {
    local pod name
    kubelet_stays
    api GET "$PODS" | jq -e --arg ids "$1" '($ids | split("\n")) as $ids | all(.items[]; .metadata.name as $pod
        | .status.phase == "Failed"
        or all(.status.containerStatuses[]; .state.running and ("\($pod)/\(.name)=\(.containerID)" | IN($ids[]) | not)))' || return
    for pod in one two 'pair' 'pair second'; do
        # shellcheck disable=SC2086  # two words
        pod_is "${pod% *}" '.status.phase == "Failed"' || has_said $pod || return
    done
}

# Every word that any container has said since the boot, also of one that lived for a moment only.
all_own_theirs() {
    local file line wanted said=0
    while read -r file; do
        while read -r line; do
            said=$((said + 1))
            wanted=$(numbers_of "$(field pci "$line")")
            [[ -n $wanted ]] || { echo "$file: names no NIC of the node: $line"; return 1; }
            expect "what $file sees ($line)" "$wanted" "$(field see "$line")"
            expect "what $file may open ($line)" "$wanted" "$(field may "$line")"
        done < <(sed -n 's/^[^ ]* stdout F holds //p' "$file")
    done < <(find /var/log/pods -name '*.log' -newer "$WORK/boot")
    echo "$said containers have said what they hold"
}

came_back() { api GET "$PODS" | jq -e 'all(.items[]; .status.phase == "Running")'; }

explain_all() {
    local pod
    for pod in one two pair; do explain_pod "$pod"; done
    "$SIM" node list "$NODE"
    grep -r holds /var/log/pods || true
}

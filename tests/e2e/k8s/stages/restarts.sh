# shellcheck shell=bash
# Kubelet and the daemon end and die under running pods, and containers start while the daemon is away.

STAGES+=(restarts)

stage_restarts() {
    local part signal
    for part in kubelet plugin; do for signal in TERM KILL; do
        holds_here "a pod outlives SIG$signal of $(called "$part"), and the next one gets its NIC" outlives "$part" "$signal"
    done; done
    holds_here 'a container that starts again while the daemon is away has its own NIC' starts_without_daemon
    holds_here 'a checkpoint that kubelet has lost costs no NIC, and a container that starts again has one NIC' lose_checkpoint
    for part in kubelet plugin; do
        holds_here "each of $RESTARTS restarts of $(called "$part") brings exactly one registration" registers_once "$part"
        [[ ! -s $WORK/times ]] || echo "k8s $STRATEGY: restarts of $(called "$part"): from both being up to the first list $(sort -n "$WORK/times" | paste -sd ' ') ms"
    done
}

RESTARTS=${CXI_RESTARTS:-10}

called() { [[ $1 == plugin ]] && echo 'the daemon' || echo "$1"; }

outlives() {
    local id
    pod lives 2
    until_running lives
    id=$(container_id lives)
    restart "$1" "$2"
    until_true kubelet_is_ready
    until_true node_has 4 4
    pod next 2
    until_running next
    owns 2 next
    expect 'the container is the same' "$id" "$(container_id lives)"
    pod_is lives '.status.phase == "Running" and .status.containerStatuses[0].restartCount == 0' >/dev/null
    delete lives next
}

starts_without_daemon() {
    pod alone 2
    until_running alone
    stop plugin
    ends_and_comes_back alone
    owns 2 alone
    restart plugin TERM
    ends_and_comes_back alone
    owns 2 alone
    delete alone
}

# Kubelet knows of no allocation any more, and asks for one anew when the container starts again.
lose_checkpoint() {
    pod forgotten 1
    until_running forgotten
    stop kubelet
    rm /var/lib/kubelet/device-plugins/kubelet_internal_checkpoint
    restart kubelet TERM
    until_true kubelet_is_ready
    ends_and_comes_back forgotten
    owns 1 forgotten
    delete forgotten
}

# restart PART SIGNAL: until kubelet has its list. The node's status shows the one of before for a second.
restart() {
    stop "$1" "$2"
    mark_log
    STARTED=$(date +%H:%M:%S.%6N)
    start "$1"
    until_true list_arrived
}

# registers_once PART: kubelet's log says when the part was up, and what it was told; the times go to $WORK/times.
registers_once() {
    local round before wanted=1
    : >"$WORK/times"
    before=$(registrations)
    for ((round = 0; round < RESTARTS; round++)); do
        restart "$1" "$([[ $((round % 2)) == 0 ]] && echo TERM || echo KILL)"
        first_list "$1" >>"$WORK/times"
        expect "registrations in round $round" 1 "$(new_log | grep -c 'Got registration request from device plugin')"
    done
    until_true node_has 4 4
    # Nor did a second one come later. Kubelet counts from its own start.
    [[ $1 == kubelet ]] || wanted=$((before + RESTARTS))
    expect 'registrations that kubelet has counted' "$wanted" "$(registrations)"
}

# registrations: of our resource in this life of kubelet.
registrations() {
    curl --silent --show-error --fail "http://$IP:10255/metrics" |
        awk -v resource="$RESOURCE" '/^kubelet_device_plugin_registration_total/ && index($0, resource) { print $2 }'
}

# mark_log, new_log: what kubelet has logged since.
mark_log() { LOG_BEGAN=$(($(stat -c %s "$LOGS/kubelet.log") + 1)); }
new_log() { tail -c "+$LOG_BEGAN" "$LOGS/kubelet.log"; }
list_arrived() { new_log | grep 'Processed device updates for resource'; }

# first_list PART: milliseconds from the moment when both were up to the first list. To the end of the log, or what writes into this
# pipe would fail, and with it the check.
first_list() {
    new_log | awk -v part="$1" -v started="$STARTED" '
        function ms(text,  t) { split(text, t, ":"); return ((t[1] * 60 + t[2]) * 60 + t[3]) * 1000 }
        part == "kubelet" && /Starting device plugin registration server/ { up = ms($2) }
        !told && /Processed device updates for resource/ { told = 1; printf "%d\n", ms($2) - (part == "kubelet" ? up : ms(started)) }'
}

# shellcheck shell=bash
# The daemon as deploy/DaemonSet has it: in a container with no capability and the host's places below /host.

STAGES+=(daemonset)

DAEMON_IMAGE=localhost/cxi-device-plugin:1

# It has a strategy of its own.
stage_daemonset() {
    [[ $STRATEGY == "${STRATEGIES[0]}" ]] || return 0
    [[ -x $BIN/kubectl ]] || { say_skip k8s 'daemonset: kubectl was not built in time'; return 0; }
    kubeconfig "$TOKEN" >"$WORK/admin.conf"
    stop plugin
    make_daemon_image
    nodes_in_dev
    # By itself it would not run again after a failed check.
    check "k8s daemonset: of four NICs a pod that asks for two gets exactly its two, and may open no other" daemonset_serves
    check "k8s daemonset: a service beside it ends with 75, and harms nothing" service_beside_daemonset
    check "k8s daemonset: beside a service it is not ready, says why, and harms nothing" daemonset_beside_service
    daemonset | k delete --ignore-not-found --wait --filename - >/dev/null
    umount --recursive --lazy /dev
}

# The program with the loader and the libraries that it was linked with.
make_daemon_image() {
    local tree=$WORK/daemon file
    mkdir -p "$tree/usr/bin" "$tree/host"
    cp "$PLUGIN" "$tree/usr/bin/cxi-device-plugin"
    while read -r file; do
        mkdir -p "$tree$(dirname "$file")"
        cp --dereference "$file" "$tree$file"
    done < <(ldd "$PLUGIN" | grep -o '/[^ ]*')
    pack_image "$tree" "$DAEMON_IMAGE" "$WORK/daemon.tar"
    ctr images import "$WORK/daemon.tar" >/dev/null
}

# The NICs' nodes where containerd and the manifest look for them: /dev of this mount namespace, with the node's over it.
nodes_in_dev() {
    local place
    mkdir -p "$WORK/dev" "$WORK/dev-work"
    mount --rbind /dev "$WORK/dev"
    mount -t overlay dev -o "lowerdir=/dev,upperdir=$NODE/dev,workdir=$WORK/dev-work" /dev
    for place in pts shm; do
        mkdir -p "/dev/$place"
        mount --rbind "$WORK/dev/$place" "/dev/$place"
    done
}

# The manifest, with the image of the rig and the emulated node's files.
daemonset() {
    k kustomize "$TOP/deploy/DaemonSet" | sed "s,image: .*,image: $DAEMON_IMAGE,; s,path: /\(sys\|usr\|opt\)\$,path: $NODE/\1,"
}

# daemon_pod FILTER: what jq says of the DaemonSet's pod.
daemon_pod() {
    k get pods --namespace kube-system --selector app.kubernetes.io/name=cxi-device-plugin --output json | jq -er "$1"
}
daemon_is_ready() { daemon_pod 'any(.items[]; any(.status.conditions[]; .type == "Ready" and .status == "True"))'; }
explain_daemon() {
    daemon_pod '.items[].status' | jq -c . || true
    k logs --namespace kube-system --selector app.kubernetes.io/name=cxi-device-plugin --tail 20 || true
    k get events --namespace kube-system | tail -n 8
}

daemonset_serves() {
    daemonset | k apply --server-side --filename -
    until_true daemon_is_ready || { explain_daemon; return 1; }
    until_true node_has 4 4
    two_of_four
    delete first second
}

service_beside_daemonset() {
    start plugin
    until_true not alive plugin
    tail -n 3 "$LOGS/plugin.log"
    tail -n 3 "$LOGS/plugin.log" | grep 'another instance'
    daemon_is_ready
    node_has 4 4
}

daemonset_beside_service() {
    daemonset | k delete --wait --filename -
    until_true daemon_is_gone
    start plugin
    until_true node_has 4 4
    daemonset | k apply --server-side --filename -
    until_true ended_with_75 || { explain_daemon; return 1; }
    k logs --namespace kube-system --selector app.kubernetes.io/name=cxi-device-plugin --tail 5 | grep 'another instance'
    not daemon_is_ready
    alive plugin
    node_has 4 4
    stop plugin
}

daemon_is_gone() { daemon_pod '.items == []'; }
ended_with_75() {
    daemon_pod 'any(.items[].status.containerStatuses[]?; [.state.terminated, .lastState.terminated] | any(.exitCode? == 75))'
}

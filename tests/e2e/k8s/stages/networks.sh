# shellcheck shell=bash
# Pods with a network of their own: what the admission policy writes into them, Multus (thin), the CNI plugins of our network
# attachments, and Whereabouts, make of it.

STAGES+=(networks)

# The networks are the cluster's, whatever the strategy of the daemon.
stage_networks() {
    [[ $STRATEGY == "${STRATEGIES[0]}" ]] || return 0
    [[ -x $BIN/kubectl && -x $BIN/multus && -x $BIN/whereabouts ]] ||
        { say_skip k8s 'networks: kubectl, Multus and Whereabouts were not built in time'; return 0; }
    admin_of_the_cluster
    check 'k8s: networks: the node has Multus' multus_on
    holds_here 'networks: a pod of two NICs gets the netdevs of its own two, and gives them back' netdevs_of_the_pod
    holds_here 'networks: an ID of a replica is no NIC of host-device' replica_has_no_netdev
    holds_here 'networks: two pods have two addresses on one high-speed network, by Whereabouts' addresses_of_two_pods
    check 'k8s: networks: the node is as it was' multus_off
}

# --- the node ------------------------------------------------------------------------------------------------------------

# Multus delegates to the network that the node had, and finds the plugins where the runtime does.
multus_on() {
    # It goes by sysfs, which has no NICs here: their functions with their netdevs, in this mount namespace.
    local number
    mkdir -p "$WORK/macs"
    for number in "${!NICS[@]}"; do
        ip -json link show "hsn$number" | jq -r '.[0].address' >"$WORK/macs/hsn$number"
        mkdir -p "$WORK/functions/${NICS[number]}"/{"net/hsn$number",cxi_ss1}
        ln -sfn cxi_ss1 "$WORK/functions/${NICS[number]}/driver"
    done
    mount --bind "$WORK/functions" /sys/bus/pci/devices
    mkdir -p /etc/cni/net.d/whereabouts.d
    kubeconfig "$TOKEN" | sed 's/user: rig}/user: rig, namespace: kube-system}/' >"$WORK/whereabouts.conf"
    jq -n --arg file "$WORK/whereabouts.conf" --arg log "$LOGS/whereabouts.log" '{datastore: "kubernetes", kubernetes: {kubeconfig: $file},
        log_file: $log, log_level: "debug"}' \
        >/etc/cni/net.d/whereabouts.d/whereabouts.conf
    jq --arg file "$WORK/admin.conf" --arg log "$LOGS/multus.log" '{cniVersion: "1.0.0", name: "multus", type: "multus",
        kubeconfig: $file, logFile: $log, logLevel: "verbose", delegates: [.]}' \
        "$WORK/cni/10-rig.conflist" >"$WORK/cni/00-multus.conf"
    restart_runtime
    # Our policy names the networks of pods in the namespace of this rig's pods.
    k apply --namespace default --kustomize "$DEPLOY/base"
    k label --overwrite namespace default beta.hpe.com/cxi-networks=host-device
    until_true default_has_networks
}

# The runtime reads its networks when it starts.
restart_runtime() {
    stop containerd
    start containerd
    until_true containerd_answers
    until_true kubelet_is_ready
    until_true node_has 4 4
}

default_has_networks() { [[ $(judged default "$(pod_of '{"apps": ["1"]}')") == *'hsn@hsnp0'* ]]; }

multus_off() {
    k label namespace default beta.hpe.com/cxi-networks-
    k delete --ignore-not-found --wait --namespace default --kustomize "$DEPLOY/base"
    rm "$WORK/cni/00-multus.conf"
    umount /sys/bus/pci/devices
    restart_runtime
}

# --- the NICs' netdevs -----------------------------------------------------------------------------------------------------

netdevs_of_the_pod() {
    local pci number process addresses=() macs=()
    pod netdevs 2
    until_running netdevs
    process=$(process_of netdevs)
    read -ra addresses <<<"$(pci_of netdevs | tr -s ', ' '\n' | sort | paste -sd ' ')"
    expect 'its NICs' 2 "${#addresses[@]}"
    for pci in "${addresses[@]}"; do
        not ip link show "$(netdev_of "$pci")"
        macs+=("$(cat "$WORK/macs/$(netdev_of "$pci")")")
    done
    # In whatever order Multus takes them.
    expect "the pod's netdevs" "$(printf '%s\n' "${macs[@]}" | sort)" \
        "$(for number in 0 1; do in_pod "$process" "hsnp$number" | jq -r '.[0].address'; done | sort)"
    expect 'what the pod says of itself' "$(printf '%s\n' "${macs[@]}" | sort)" "$(pod_json netdevs |
        jq -r '.metadata.annotations["k8s.v1.cni.cncf.io/network-status"] | fromjson | .[] | select(.name | endswith("hsn")) | .mac' | sort)"
    # The NICs of others are where they were.
    expect 'what the host has left' 2 "$(netdevs_of_the_host)"
    delete netdevs
    for pci in "${addresses[@]}"; do
        # As the page says: back, and down.
        until_true ip link show "$(netdev_of "$pci")"
        expect "$(netdev_of "$pci") is back" DOWN "$(ip -json link show "$(netdev_of "$pci")" | jq -r '.[0].operstate')"
        ip link set "$(netdev_of "$pci")" up
    done
    expect 'what the host has' 4 "$(netdevs_of_the_host)"
}

# What Multus would hand on.
replica_has_no_netdev() {
    local told
    told=$(k get --namespace default network-attachment-definition hsn --output json |
        jq -c --arg id "${NICS[0]}::0" '.spec.config | fromjson | . + {pciBusID: $id, deviceID: $id}' |
        CNI_COMMAND=ADD CNI_CONTAINERID=rig CNI_NETNS=/proc/$$/ns/net CNI_IFNAME=hsn9 CNI_PATH=$WORK/cni-bin \
            "$WORK/cni-bin/host-device" 2>&1 || true)
    [[ $told == *'no such file or directory'* || $told == *'no net directory'* ]] || { echo "a replica: $told"; return 1; }
}

netdev_of() { ls "$WORK/functions/$1/net"; }
netdevs_of_the_host() { ip -json link show | jq '[.[] | select(.ifname | test("^hsn[0-3]$"))] | length'; }
in_pod() { nsenter --net="/proc/$1/ns/net" ip -json address show "$2"; }

# --- IP on the high-speed network ------------------------------------------------------------------------------------------

addresses_of_two_pods() {
    local name first second
    ip link set hsn0 up
    k get --namespace default network-attachment-definition hsn0-ipvlan --output json | as_this_kernel_can |
        k apply --namespace default --filename -
    for name in first second; do
        pod "$name" 0 '.metadata.annotations = {"'"$NETWORKS"'": "hsn0-ipvlan@hsn0"}'
    done
    until_running first second
    first=$(address_of first)
    second=$(address_of second)
    echo "first has $first, second $second"
    [[ $first == 10.150.* && $second == 10.150.* && $first != "$second" ]]
    # They hear each other there.
    nsenter --net="/proc/$(process_of first)/ns/net" busybox ping -c 1 -w 10 -I hsn0 "$second"
    delete first second
    until_true no_address_is_kept
}

# A kernel without ipvlan has macvlan, which takes the same master and addresses.
as_this_kernel_can() {
    if unshare --net sh -c 'ip link add a type veth peer name b && ip link add link a name c type ipvlan' 2>/dev/null; then
        cat
    else
        echo "this kernel has no ipvlan: macvlan takes its place" >&2
        sed 's/\\"type\\": \\"ipvlan\\", \\"mode\\": \\"l2\\"/\\"type\\": \\"macvlan\\", \\"mode\\": \\"bridge\\"/'
    fi
}

address_of() { in_pod "$(process_of "$1")" hsn0 | jq -r '.[0].addr_info[] | select(.family == "inet") | .local'; }
no_address_is_kept() { k get ippools --all-namespaces --output json | jq -e 'all(.items[]; .spec.allocations == {})'; }

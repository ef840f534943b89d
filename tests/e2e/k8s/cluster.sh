# shellcheck shell=bash
# One Kubernetes node in the namespaces of the rig: each part is a process that start begins and stop ends. Everything that a
# part writes is below $WORK, a tmpfs, or on one of the tmpfs that namespaces_of_a_node puts over the machine's directories.

IP=10.99.0.1
NODE_NAME=n1
TOKEN=admin-of-the-rig
# Seconds after which something does not come any more; twenty times what it takes.
PATIENCE=${CXI_K8S_PATIENCE:-60}

# --- waiting -----------------------------------------------------------------------------------------------------------

# until_true [SECONDS] COMMAND...: polls. Fails, and says for what it waited, when it takes too long.
until_true() {
    local patience=$PATIENCE end
    if [[ $1 =~ ^[0-9]+$ ]]; then
        patience=$1
        shift
    fi
    end=$((SECONDS + patience))
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= end)); then
            echo "not within $patience s: $*"
            return 1
        fi
        sleep 0.1
    done
}

# now: milliseconds.
now() { echo $(($(date +%s%N) / 1000000)); }

CGROUP=cxi-k8s-rig-$$

# --- the node's places ---------------------------------------------------------------------------------------------------

# What a boot clears.
mount_run() {
    mount -t tmpfs run /run
    mkdir -p /run/lock
}

namespaces_of_a_node() {
    local number
    show_own_cgroups
    # Kubelet wants mounts to spread from it to its pods.
    mount --make-rshared /
    mount -t tmpfs k8s "$WORK"
    mkdir -p "$WORK"/{etcd,containerd,etc-upper,etc-work,certificates}
    # Parts have compiled-in paths there.
    mount -t overlay etc -o "lowerdir=/etc,upperdir=$WORK/etc-upper,workdir=$WORK/etc-work" /etc
    for place in /var/lib /var/log /opt; do mount -t tmpfs node "$place"; done
    mkdir -p /var/lib/kubelet /var/log/pods /var/log/containers /etc/cdi
    mount_run
    ip link set lo up
    ip link add uplink type veth peer name switch
    ip addr add "$IP/24" dev uplink
    ip link set uplink up
    ip link set switch up
    ip route add default dev uplink
    # The daemon hears link messages and uevents of its own network namespace: that of the NICs' netdevs.
    for number in 0 1 2 3; do
        ip link add "hsn$number" type veth peer name "fabric$number"
        ip link set "hsn$number" up
        ip link set "fabric$number" up
    done
    echo 1 >/proc/sys/net/ipv4/ip_forward
    touch "$WORK/boot_id"
    new_boot
    mount --bind "$WORK/boot_id" /proc/sys/kernel/random/boot_id
}

new_boot() { cat /proc/sys/kernel/random/uuid >"$WORK/boot_id"; }

# --- what the parts read ---------------------------------------------------------------------------------------------------

# kubeconfig TOKEN
kubeconfig() {
    cat <<Y
apiVersion: v1
kind: Config
clusters: [{name: rig, cluster: {server: "https://127.0.0.1:6443", insecure-skip-tls-verify: true}}]
users: [{name: rig, user: {token: "$1"}}]
contexts: [{name: rig, context: {cluster: rig, user: rig}}]
current-context: rig
Y
}

configure_containerd() {
    local version=3 cri=io.containerd.cri.v1.runtime cni="bin_dirs = [\"$WORK/cni-bin\"]" head
    head="[plugins.\"io.containerd.cri.v1.images\".pinned_images]
  sandbox = \"$IMAGE\"
[plugins.\"$cri\"]"
    # 1.7 has one plugin for all, and reads CDI specs only when it is told to.
    if [[ $CONTAINERD == containerd-1.7 ]]; then
        version=2 cri=io.containerd.grpc.v1.cri cni="bin_dir = \"$WORK/cni-bin\""
        head="[plugins.\"$cri\"]
  sandbox_image = \"$IMAGE\"
  enable_cdi = ${CXI_K8S_ENABLE_CDI:-true}"
    fi
    cat <<Y
version = $version
root = "$WORK/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "/run/containerd/containerd.sock"
$head
  restrict_oom_score_adj = true
  disable_apparmor = true
[plugins."$cri".cni]
  $cni
  conf_dir = "$WORK/cni"
Y
}

configure_parts() {
    openssl genrsa -out "$WORK/accounts.key" 2048 2>/dev/null
    openssl rsa -in "$WORK/accounts.key" -pubout -out "$WORK/accounts.pub" 2>/dev/null
    cat >"$WORK/tokens.csv" <<Y
$TOKEN,admin,1,"system:masters"
token-of-the-node,system:node:$NODE_NAME,2,"system:nodes"
token-of-the-scheduler,system:kube-scheduler,3,""
token-of-the-manager,system:kube-controller-manager,4,""
Y
    kubeconfig token-of-the-node >"$WORK/node.conf"
    kubeconfig token-of-the-scheduler >"$WORK/scheduler.conf"
    kubeconfig token-of-the-manager >"$WORK/manager.conf"
    mkdir -p "$WORK"/{cni,cni-bin}
    # Debian's, and those that were built here, if they were.
    ln -s /usr/lib/cni/* "$BIN"/{multus,whereabouts} "$WORK/cni-bin/"
    cat >"$WORK/cni/10-rig.conflist" <<Y
{"cniVersion": "1.0.0", "name": "rig", "plugins": [{"type": "ptp", "ipMasq": false, "ipam": {"type": "host-local",
 "dataDir": "/run/cni", "ranges": [[{"subnet": "10.98.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
Y
    configure_containerd >"$WORK/containerd.toml"
    # No cgroups of its own, since a container that runs this rig may have none to give; a restarted container must not wait
    # for minutes; news reach the API server within a second.
    cat >"$WORK/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
failCgroupV1: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
address: $IP
healthzBindAddress: 127.0.0.1
readOnlyPort: 10255
makeIPTablesUtilChains: false
localStorageCapacityIsolation: false
evictionHard: {memory.available: "1Mi", nodefs.available: "0%", imagefs.available: "0%"}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 1s
crashLoopBackOff: {maxContainerRestartPeriod: 1s}
featureGates: {KubeletCrashLoopBackOffMax: true}
resolvConf: ""
volumePluginDir: $WORK/volume-plugins
logging: {verbosity: 3}
Y
}

# The daemon's: hold times that a rig can wait for, the rest as it is by default.
configure_daemon() {
    cat >"$WORK/plugin.toml" <<Y
[allocation]
strategy = "$STRATEGY"
[health]
hold_down = "300ms"
hold_up = "300ms"
[export]
metrics_socket = "/run/cxi-device-plugin/metrics.sock"
Y
}

# --- processes ---------------------------------------------------------------------------------------------------------

# begin NAME COMMAND...: in the background, its output added to $LOGS/NAME.log. A check is a subshell, so the process id is in
# a file.
begin() {
    local name=$1
    shift
    PATH=$RUNTIME:$BIN:$PATH "$@" >>"$LOGS/$name.log" 2>&1 </dev/null &
    echo $! >"$WORK/$name.pid"
    # Else bash tells the reader of its end.
    disown
}

# pid NAME: of a part that was started and not stopped.
pid() { cat "$WORK/$1.pid" 2>/dev/null; }

# gone PID: a zombie that nobody has waited for yet has ended, too, once none of its threads is left: they have its files and
# locks to the last.
gone() {
    local state
    state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1) || return 0
    [[ -z $state ]] || { [[ $state == Z ]] && [[ $(find "/proc/$1/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l) -le 1 ]]; }
}

alive() { [[ -s $WORK/$1.pid ]] && ! gone "$(pid "$1")"; }

api_is_ready() { api GET /readyz; }
containerd_answers() { ctr version; }

# start NAME...
start() {
    local name
    for name in "$@"; do
        case $name in
            etcd) begin etcd "$BIN/etcd" --data-dir "$WORK/etcd" --listen-client-urls http://127.0.0.1:2379 \
                --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
                --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster default=http://127.0.0.1:2380 ;;
            apiserver) begin apiserver "$BIN/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --bind-address 127.0.0.1 \
                --secure-port 6443 --advertise-address "$IP" --cert-dir "$WORK/certificates" \
                --service-cluster-ip-range 10.97.0.0/16 --endpoint-reconciler-type none --authorization-mode Node,RBAC \
                --kubelet-preferred-address-types InternalIP --token-auth-file "$WORK/tokens.csv" \
                --service-account-issuer https://rig --service-account-key-file "$WORK/accounts.pub" \
                --service-account-signing-key-file "$WORK/accounts.key" \
                --runtime-config admissionregistration.k8s.io/v1beta1=true ;;
            manager) begin manager "$BIN/kube-controller-manager" --kubeconfig "$WORK/manager.conf" --leader-elect=false \
                --bind-address 127.0.0.1 --cert-dir "$WORK/certificates-manager" --use-service-account-credentials=true \
                --service-account-private-key-file "$WORK/accounts.key" --node-monitor-period 2s ;;
            scheduler) begin scheduler "$BIN/kube-scheduler" --kubeconfig "$WORK/scheduler.conf" --leader-elect=false \
                --bind-address 127.0.0.1 --cert-dir "$WORK/certificates-scheduler" ;;
            containerd) begin containerd "$RUNTIME/containerd" -c "$WORK/containerd.toml" ;;
            kubelet) begin kubelet "$BIN/$KUBELET" --config "$WORK/kubelet.yaml" --kubeconfig "$WORK/node.conf" \
                --hostname-override "$NODE_NAME" --node-ip "$IP" --cert-dir "$WORK/certificates-kubelet" ;;
            plugin) begin plugin env SYSFS_ROOT="$NODE/sys" DEVFS_ROOT="$NODE/dev" OFI_ROOT="$NODE/opt/cray/lib64" \
                CXI_ROOT="$NODE/usr/lib64" "$PLUGIN" run --config "$WORK/plugin.toml" ;;
        esac
    done
}

# stop NAME [SIGNAL]: ends it and waits for its end.
stop() {
    local name=$1 signal=${2:-TERM} pid
    pid=$(pid "$name") || return 0
    rm "$WORK/$name.pid"
    kill "-$signal" "$pid" 2>/dev/null || true
    until_true gone "$pid" && return
    echo "$name does not end on SIG$signal"
    kill -KILL "$pid"
    return 1
}

# own_cgroups: what this process starts has cgroups below these. Where all is one hierarchy (cgroup v2) a process must not be where
# its children's controllers are, and the rig has the machine's.
own_cgroups() {
    local hierarchy file
    for hierarchy in /sys/fs/cgroup/*/; do
        [[ -e $hierarchy/cgroup.procs ]] || continue
        mkdir "$hierarchy$CGROUP" 2>/dev/null || continue
        for file in cpuset.cpus cpuset.mems; do
            [[ ! -e $hierarchy$file ]] || cat "$hierarchy$file" >"$hierarchy$CGROUP/$file"
        done
        echo "$BASHPID" >"$hierarchy$CGROUP/cgroup.procs"
    done
}

# In the namespace that has just been made: from the rig's own on.
show_own_cgroups() {
    local place type options
    while read -r _ place type options _; do
        [[ $place == /sys/fs/cgroup/* && $(awk -v place="$place" '$5 == place { print $4 }' /proc/self/mountinfo) != / ]] || continue
        umount "$place"
        mount -t "$type" ${options:+-o "${options#*relatime,}"} cgroup "$place"
    done <<<"$(grep -E ' cgroup2? ' /proc/mounts)"
}

# The kernel removes none that has a process.
give_back_cgroups() {
    local hierarchy own=()
    for hierarchy in /sys/fs/cgroup/*/"$CGROUP"; do [[ ! -d $hierarchy ]] || own+=("$hierarchy"); done
    [[ ${#own[@]} -gt 0 ]] || { clear_cgroups; return; }
    # What was killed is gone a moment later.
    until_true 10 no_cgroup "${own[@]}" || true
}

no_cgroup() { find "$@" -depth -type d -exec rmdir {} + 2>/dev/null; ! find "$@" -maxdepth 0 2>/dev/null | grep .; }

# clear_cgroups: of containers that are dead.
clear_cgroups() {
    local place
    for place in /sys/fs/cgroup/k8s.io /sys/fs/cgroup/*/k8s.io; do
        [[ -d $place ]] || continue
        find "$place" -depth -mindepth 1 -type d -exec rmdir {} + 2>/dev/null || true
        rmdir "$place" 2>/dev/null || true
    done
}

# power_cut: nothing of the node has time for a last word, and a boot clears what it clears. The API server is elsewhere.
power_cut() {
    local process name
    for name in kubelet plugin containerd; do stop "$name" KILL; done
    # Shims, and what their containers run: they have the rig's own process namespace in common with this shell only.
    for process in /proc/[0-9]*; do
        if [[ $(readlink "$process/exe") == "$RUNTIME/containerd-shim-runc-v2" ]] || grep -q ':/k8s.io/' "$process/cgroup"; then
            # Unless it has just ended by itself.
            kill -KILL "${process#/proc/}" || true
        fi
    done 2>/dev/null
    until_true no_containers
    # Kubelet looks at each that it finds for 3 s.
    clear_cgroups
    umount --recursive --lazy /run
    mount_run
    new_boot
}

no_containers() { ! grep -lq ':/k8s.io/' /proc/[0-9]*/cgroup; }

# --- the cluster -------------------------------------------------------------------------------------------------------

kubelet_is_ready() { kubelet_stays && node_json | jq -e 'any(.status.conditions[]; .type == "Ready" and .status == "True")'; }

# Kubelet ends when there is no container runtime; systemd would start it again.
kubelet_stays() { alive kubelet || start kubelet; }

# cluster_up: all but the daemon.
cluster_up() {
    configure_parts
    start etcd apiserver
    until_true api_is_ready
    start manager scheduler containerd
    until_true containerd_answers
    ctr images import "$WORK/image.tar" >/dev/null
    start kubelet
    until_true kubelet_is_ready
    # The controller manager makes it, and no pod can be without.
    until_true api GET /api/v1/namespaces/default/serviceaccounts/default
}

# shellcheck shell=bash
# Kubernetes as its users see it: the API server's JSON by curl, and pods whose containers say which NICs they hold.

RESOURCE=beta.hpe.com/cxi
PODS=/api/v1/namespaces/default/pods

# api METHOD PATH [CURL-ARGUMENT...]
api() {
    local method=$1 path=$2
    shift 2
    curl --silent --show-error --fail-with-body --insecure --max-time 20 -X "$method" -H "Authorization: Bearer $TOKEN" \
        -H 'Content-Type: application/json' "$@" "https://127.0.0.1:6443$path"
}

ctr() { "$RUNTIME/ctr" --address /run/containerd/containerd.sock --namespace k8s.io "$@"; }

node_json() { api GET "/api/v1/nodes/$NODE_NAME"; }
pod_json() { api GET "$PODS/$1"; }

# pod_is POD FILTER: whether jq's filter holds for the pod.
pod_is() { pod_json "$1" | jq -e "$2"; }

# node_has CAPACITY ALLOCATABLE: the node's NICs as the scheduler sees them.
node_has() {
    node_json | jq -e --arg resource "$RESOURCE" --arg capacity "$1" --arg allocatable "$2" \
        '(.status.capacity[$resource] // "0") == $capacity and (.status.allocatable[$resource] // "0") == $allocatable'
}

# --- pods --------------------------------------------------------------------------------------------------------------

# What every container does first: one line with its variable, the NICs' nodes that it sees with their numbers, and which
# of the numbers of all NICs its device cgroup lets it open, by nodes that it makes itself. A number without a driver gives
# another error than a refusal.
# shellcheck disable=SC2016  # expanded in the container
SAY_WHAT_IT_HOLDS='
see= may=
for node in /dev/cxi*; do
    [ -c "$node" ] && see="$see $((0x$(stat -c %t "$node"))):$((0x$(stat -c %T "$node")))"
done
minor=0
while [ $minor -lt 32 ]; do
    rm -f /dev/.try
    mknod /dev/.try c 120 $minor
    case $( ( : <>/dev/.try ) 2>&1 ) in
        *"not permitted"*) ;;
        *) may="$may 120:$minor" ;;
    esac
    minor=$((minor + 1))
done
rm -f /dev/.try
echo "holds pci=$PCIDEVICE_BETA_HPE_COM_CXI see=$see may=$may"
'
# It ends at once when it is told to.
# shellcheck disable=SC2016
STAY='trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done'

# container NAME NICS [SCRIPT]: one of a pod's containers, as JSON.
container() {
    jq -n --arg name "$1" --arg nics "$2" --arg image "$IMAGE" --arg resource "$RESOURCE" --arg script "$SAY_WHAT_IT_HOLDS${3-$STAY}" '
        {name: $name, image: $image, command: ["/bin/sh", "-c", $script], env: [{name: "LC_ALL", value: "C"}]}
        + if $nics == "0" then {} else {resources: {limits: {($resource): $nics}}} end'
}

# create POD CONTAINER-JSON [FILTER]: a pod of one container, changed by jq's filter.
create() {
    local file=$WORK/pod.$BASHPID
    jq -n --arg name "$1" --argjson container "$2" '
        {apiVersion: "v1", kind: "Pod", metadata: {name: $name},
         spec: {terminationGracePeriodSeconds: 2, automountServiceAccountToken: false, enableServiceLinks: false,
                containers: [$container]}} | '"${3:-.}" >"$file"
    api POST "$PODS" --data-binary "@$file" >"$file.answer" || { jq -r .message "$file.answer"; return 1; }
}

# pod POD NICS [FILTER]: a pod that stays, with one container.
pod() { create "$1" "$(container main "$2")" "${3:-.}"; }

running() { pod_is "$1" '.status.phase == "Running" and all(.status.containerStatuses[]; .state.running)'; }
# Not for a device that is missing for a moment only: kubelet does not try again.
not_rejected() { pod_is "$1" '.status.phase != "Failed"'; }
absent() { ! pod_json "$1"; }

# until_running POD...
until_running() {
    local pod
    for pod in "$@"; do
        until_true running "$pod" || { explain_pod "$pod"; return 1; }
    done
}

# explain_pod POD: for the reader of a failed check.
explain_pod() {
    pod_json "$1" | jq -c .status || true
    api GET "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=$1" |
        jq -r '.items[] | "\(.reason): \(.message)"' | tail -n 8 || true
}

# delete POD...: and waits until they are gone, so that their NICs are free.
delete() {
    local pod
    for pod in "$@"; do api DELETE "$PODS/$pod" >/dev/null; done
    for pod in "$@"; do until_true absent "$pod" || { explain_pod "$pod"; return 1; }; done
}

# delete_all: whatever a failed check has left.
delete_all() {
    local names
    mapfile -t names < <(api GET "$PODS" | jq -r '.items[].metadata.name')
    [[ ${#names[@]} == 0 ]] || delete "${names[@]}"
}

# --- what a container holds ----------------------------------------------------------------------------------------------

# status_of POD CONTAINER: its status, whatever kind of container it is.
status_of() {
    pod_json "$1" | jq -ce --arg name "$2" \
        '[.status.containerStatuses, .status.initContainerStatuses | .[]? | select(.name == $name)][0] // empty'
}

container_id() { status_of "$1" "${2:-main}" | jq -r '.containerID'; }

# process_of POD [CONTAINER]: the first process of the container.
process_of() {
    local id
    id=$(container_id "$@")
    ctr tasks ls | awk -v id="${id#containerd://}" '$1 == id { print $2 }'
}

# holds POD [CONTAINER]: the line of the container that is there now; empty until it is written.
holds() {
    local status uid
    status=$(status_of "$1" "${2:-main}")
    uid=$(pod_json "$1" | jq -r .metadata.uid)
    sed -n 's/^[^ ]* stdout F holds //p' \
        "/var/log/pods/default_$1_$uid/${2:-main}/$(jq -r .restartCount <<<"$status").log" 2>/dev/null | tail -n 1
}
has_said() { [[ -n $(holds "$@") ]]; }

# numbers_of PCI,...: the numbers that these NICs have now, sorted; a NIC that is not there has none.
numbers_of() {
    "$SIM" node list "$NODE" --output json | jq -r --arg pci "$1" --arg major "$MAJOR" \
        '[.[] | select(.pci | IN($pci | split(",")[])) | "\($major):\(.cxi)"] | sort | join(" ")'
}

# field NAME LINE: a list of the line, sorted.
field() { grep -o "$1=[^=]*" <<<"$2 " | sed 's/^[a-z]*=//; s/ [a-z]*$//' | tr -s ' ' '\n' | { grep . || true; } | sort | paste -sd ' '; }

# owns COUNT POD [CONTAINER]: the container sees the nodes of exactly those NICs that its variable names, that many, and its
# device cgroup lets it open these and no other.
owns() {
    local count=$1 line pci see may wanted
    shift
    until_true has_said "$@" || return
    line=$(holds "$@")
    pci=$(field pci "$line")
    see=$(field see "$line")
    may=$(field may "$line")
    wanted=$(numbers_of "$pci")
    expect "how many NICs $* has ($line)" "$count" "$(wc -w <<<"$wanted")"
    expect "what $* sees ($line)" "$wanted" "$see"
    expect "what $* may open ($line)" "$wanted" "$may"
}

# pci_of POD [CONTAINER]: the NICs that its variable names, by commas.
pci_of() {
    until_true has_said "$@" || return
    field pci "$(holds "$@")"
}

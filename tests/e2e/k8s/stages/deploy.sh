# shellcheck shell=bash
# What deploy/ has for a cluster, as the API server judges it: every manifest, the admission policies on a table of pods, beside
# other policies and in place of the Go project's; the Helm chart beside kustomize; the road of docs/kubernetes.md.

STAGES+=(deploy)

DEPLOY=$TOP/deploy
CASES=$RIG/deploy/cases.json
NETWORKS=k8s.v1.cni.cncf.io/networks

# The policies are the cluster's, whatever the strategy of the daemon.
stage_deploy() {
    [[ $STRATEGY == "${STRATEGIES[0]}" ]] || return 0
    [[ -x $BIN/kubectl && -x $BIN/helm ]] || { say_skip k8s 'deploy: kubectl and helm were not built in time'; return 0; }
    admin_of_the_cluster
    k apply --filename "$RIG/deploy/namespaces.yaml" >/dev/null
    until_true api GET /api/v1/namespaces/mpi/serviceaccounts/default
    until_true api GET /api/v1/namespaces/plain/serviceaccounts/default
    until_true api GET /api/v1/namespaces/ip/serviceaccounts/default

    holds_here 'deploy: the API server takes every manifest' every_manifest
    holds_here 'deploy: the API server takes the pods of every example' every_example
    holds_here 'deploy: helm lint finds nothing' lint_chart
    holds_here 'deploy: the Helm chart renders what kustomize does, for each overlay' same_rendering

    holds_here 'deploy: the table of pods beside the Go project'\''s policy is wrong, so the table can tell' go_policy_is_told
    holds_here 'deploy: our policy takes the place of the Go project'\''s' go_policy_is_replaced
    holds_here 'deploy: the table of pods, policies of v1' table_of_pods
    holds_here 'deploy: the table of pods, fed back into itself' table_of_pods twice
    holds_here 'deploy: a pod that changes is left alone' update_is_left_alone
    holds_here 'deploy: cxi-test gets its four networks' cxi_test
    holds_here 'deploy: the table of pods beside other policies, before and after ours' beside_others
    holds_here 'deploy: the table of pods with our policy twice' beside_itself
    holds_here 'deploy: the table of pods, policies of v1beta1' policies_of_v1beta1
    holds_here 'deploy: one set of networks for all namespaces' cluster_wide
    holds_here 'deploy: who makes a pod whose NICs libfabric would not find is warned' warned
    remove_policies
    k delete --ignore-not-found --filename "$RIG/deploy/namespaces.yaml" --wait >/dev/null
    holds_here 'deploy: the road of docs/kubernetes.md leads to two pods, each with NICs of its own' the_road
}

# k ARGUMENT...: kubectl as the admin.
k() { "$BIN/kubectl" --kubeconfig "$WORK/admin.conf" --cache-dir "$WORK/kubectl-cache" "$@"; }

# Objects without a namespace go into one of the rig; --namespace would refuse those with another.
admin_of_the_cluster() {
    kubeconfig "$TOKEN" | sed 's/user: rig}/user: rig, namespace: plain}/' >"$WORK/admin.conf"
    k apply --filename "$RIG/deploy/definitions.yaml" >/dev/null
    until_true has_definitions
}

has_definitions() { k get network-attachment-definitions,mpijobs,nodefeaturerules,ippools,overlappingrangeipreservations; }

# --- manifests -----------------------------------------------------------------------------------------------------------

# Dry and in earnest: some of what a server refuses it only sees in earnest.
every_manifest() {
    local folder file
    for folder in base overlays/cluster-wide overlays/hsi overlays/v1beta1 overlays/daemonset DaemonSet; do
        echo "== $folder"
        # The namespace that a set makes has to be there for the dry run.
        k kustomize "$DEPLOY/$folder" | k apply --server-side --force-conflicts --field-manager rig --filename -
        k kustomize "$DEPLOY/$folder" | k apply --server-side --force-conflicts --field-manager rig --dry-run=server --filename -
        k kustomize "$DEPLOY/$folder" | k delete --wait --filename -
    done
    # By folder, as the Go project's README has it.
    for folder in MutatingAdmissionPolicy/v1 MutatingAdmissionPolicy/v1beta1 NetworkAttachmentDefinition ValidatingAdmissionPolicy DaemonSet; do
        echo "== $folder"
        k apply --filename "$DEPLOY/$folder"
        k delete --wait --filename "$DEPLOY/$folder"
    done
    for file in "$DEPLOY"/node/nfd/*.yaml; do k apply --dry-run=server --filename "$file"; done
    until_true policies_are_gone
}

policies_are_gone() { k create --dry-run=server --namespace mpi --filename "$DEPLOY/examples/cxi-test.yaml" --output json | jq -e '.metadata.annotations == null'; }

# Whole, and the pods that controllers would make of them, which no dry run looks at.
every_example() {
    local file
    for file in "$DEPLOY"/examples/*.yaml; do
        echo "== $file"
        k apply --dry-run=server --filename "$file"
        k create --dry-run=client --output json --filename "$file" | jq -c '
            (.items // [.])[] | .spec.template // .spec.mpiReplicaSpecs[]?.template // empty
            | {apiVersion: "v1", kind: "Pod", metadata: ((.metadata // {}) + {name: "of-a-controller"}), spec: .spec}' >"$WORK/pods"
        while read -r pod; do
            k create --dry-run=server --filename - <<<"$pod"
        done <"$WORK/pods"
    done
}

# --- Helm ------------------------------------------------------------------------------------------------------------------

# The manifests of the chart are links, and helm says so of each.
rendered() { "$BIN/helm" template --kube-version 1.37.2 rig "$DEPLOY/helm/cxi-device-plugin" "$@" 2> >(grep -v 'found symbolic link' >&2); }

lint_chart() { "$BIN/helm" lint --strict "$DEPLOY/helm/cxi-device-plugin"; }

# sorted: manifests as the server would have them, apart from what it adds by itself.
sorted() {
    k apply --server-side --force-conflicts --field-manager rig --dry-run=server --output json --filename - |
        jq -S '[(.items // [.])[] | select(.kind != "Namespace")
            | del(.metadata.uid, .metadata.resourceVersion, .metadata.creationTimestamp, .metadata.generation, .metadata.managedFields)]
            | sort_by(.kind, .metadata.name)'
}

same_rendering() {
    local overlay
    k apply --filename "$DEPLOY/overlays/cluster-wide/namespace.yaml"
    while read -r overlay arguments; do
        read -ra arguments <<<"$arguments"
        echo "== $overlay"
        k kustomize "$DEPLOY/$overlay" | sorted >"$WORK/kustomize.json"
        rendered ${arguments[@]+"${arguments[@]}"} | sorted >"$WORK/helm.json"
        diff -u "$WORK/kustomize.json" "$WORK/helm.json"
        [[ $(jq length "$WORK/helm.json") -ge 9 ]]
    done <<'Y'
base
overlays/v1beta1 --set mutatingPolicy.apiVersion=v1beta1
overlays/cluster-wide --set networks.namespace=cxi-networks
overlays/daemonset --set daemonSet.enabled=true
overlays/hsi --set-json networks.ipvlan=[{"master":"hsi0","range":"172.30.0.0/17"},{"master":"hsi1","range":"172.30.128.0/17"}]
Y
    k delete namespace cxi-networks
}

# --- the table -------------------------------------------------------------------------------------------------------------

# pods_of [CASES]: 'namespace TAB pod TAB what comes out TAB words of the refusal TAB name' of each line of the table, as JSON.
pods_of() {
    jq -r --arg networks "$NETWORKS" '
        def resources(resource; amount): if amount == null then {} else {limits: {(resource): amount}} end;
        def spelled: if . == null then null else with_entries(if .key == "networks" then .key = $networks else . end) end;
        .[] | (.resource // "beta.hpe.com/cxi") as $resource
        | {apiVersion: "v1", kind: "Pod", metadata: {name: "of-the-table", annotations: (.annotations | spelled)},
            spec: ({automountServiceAccountToken: false,
                containers: [.apps | to_entries[] | {name: "app-\(.key)", image: "none", resources: resources($resource; .value)}],
                initContainers: [.inits // [] | to_entries[]
                    | {name: "init-\(.key)", image: "none", resources: resources($resource; .value[0])}
                        + if .value[1] then {restartPolicy: .value[1]} else {} end]}
                + if .host then {hostNetwork: true} else {} end)} as $pod
        | [.namespace // "mpi",
            (.requests as $requests | $pod | if $requests then .spec.containers[0].resources = {requests: {($resource): $requests}} else . end | tojson),
            (.wanted | spelled | tojson), .refused // "-", .name] | join("\u0001")' "$@"
}

# pod_of CASE
pod_of() { pods_of <<<"[$1]" | cut -d $'\1' -f 2; }

# judged NAMESPACE POD-JSON: its annotations as they come out, or the server's words.
judged() {
    { api POST "/api/v1/namespaces/$1/pods?dryRun=All" --data-binary "$2" 2>/dev/null || true; } |
        jq -cS 'if .kind == "Pod" then .metadata.annotations else .message end'
}

# table_of_pods [twice | others]: each line of the table; says all that differ.
table_of_pods() {
    until_true policy_works
    table_as_it_is "$@"
}

table_as_it_is() {
    local name got wanted pod namespace refused wrong=0 lines=0
    while IFS=$'\1' read -r namespace pod wanted refused name; do
        lines=$((lines + 1))
        got=$(judged "$namespace" "$pod")
        if [[ $refused != - ]]; then
            [[ $got == *"$refused"* ]] || { echo "$name: not refused as it should be: $got"; wrong=1; }
            continue
        fi
        case ${1:-} in
            twice) got=$(judged "$namespace" "$(jq -c --argjson annotations "$got" '.metadata.annotations = $annotations' <<<"$pod")") ;;
            others) got=$(without_others "$got") wanted=$(without_others "$wanted") ;;
        esac
        wanted=$(jq -cS . <<<"$wanted")
        [[ $got == "$wanted" ]] || { printf '%s:\n  wanted %s\n  got    %s\n' "$name" "$wanted" "$got"; wrong=1; }
    done < <(pods_of "$CASES")
    echo "$lines lines"
    [[ $lines -ge 30 && $wrong == 0 ]]
}

# without_others ANNOTATIONS: without the networks of the other policies.
without_others() {
    jq -cS --arg networks "$NETWORKS" 'if type != "object" or (.[$networks] // "[") [:1] == "[" then . else
        .[$networks] |= (split(",") | map(select(. != "extra/first" and . != "extra/last")) | join(","))
        | if .[$networks] == "" then del(.[$networks]) else . end | if . == {} then null else . end end' <<<"$1"
}

# Policies take effect a moment after they were written.
policy_works() {
    [[ $(judged mpi "$(pod_of '{"apps": ["1"]}')") == *'hsn@hsnp0'* && $(judged mpi "$(pod_of '{"apps": ["9"]}')") == *'no node has more'* ]]
}

# --- other policies ----------------------------------------------------------------------------------------------------------

remove_policies() {
    k delete --ignore-not-found mutatingadmissionpolicies,mutatingadmissionpolicybindings,validatingadmissionpolicies,validatingadmissionpolicybindings \
        --all --wait >/dev/null
}

apply_ours() {
    k apply --server-side --force-conflicts --field-manager kubectl --filename "$DEPLOY/MutatingAdmissionPolicy/${1:-v1}"
    k apply --server-side --force-conflicts --filename "$DEPLOY/ValidatingAdmissionPolicy"
}

# Made by `kubectl create`, so that no later apply knows what to take back.
go_policy_is_told() {
    remove_policies
    k create --filename "$RIG/deploy/go-project.yaml"
    until_true wipes
    not table_as_it_is
}

wipes() { judged mpi "$(pod_of '{"apps": ["1"], "annotations": {"a": "b"}, "requests": null}')" | grep hsn3-ipvlan >/dev/null; }

# However the Go project's was made, and however ours is applied: in the end nothing is as if it had never been there.
go_policy_is_replaced() {
    local before ours
    remove_policies
    apply_ours
    policy_spec >"$WORK/anew.json"
    for before in create apply 'apply --server-side'; do
        for ours in apply 'apply --server-side --force-conflicts'; do
            echo "== $before, then $ours"
            remove_policies
            # shellcheck disable=SC2086  # words
            k $before --filename "$RIG/deploy/go-project.yaml"
            # shellcheck disable=SC2086
            k $ours --filename "$DEPLOY/MutatingAdmissionPolicy/v1"
            expect 'the policies' hpecxi-mutating-admission-policy "$(k get mutatingadmissionpolicies --output name | sed 's,.*/,,')"
            expect 'the bindings' hpecxi-mutating-admission-policy-binding "$(k get mutatingadmissionpolicybindings --output name | sed 's,.*/,,')"
            policy_spec >"$WORK/there.json"
            diff -u "$WORK/anew.json" "$WORK/there.json"
        done
    done
    apply_ours
    until_true not wipes
    until_true policy_works
}

policy_spec() { k get mutatingadmissionpolicies,mutatingadmissionpolicybindings --output json | jq -S '[.items[].spec]'; }

not() { ! "$@"; }

beside_others() {
    k apply --filename "$RIG/deploy/others.yaml"
    until_true others_work
    table_of_pods others
    k delete --wait --filename "$RIG/deploy/others.yaml"
    until_true not others_work
}

others_work() { local got; got=$(judged mpi "$(pod_of '{"apps": ["1"]}')"); [[ $got == *extra/first* && $got == *extra/last* ]]; }

# The same under another name. To see that it works it says so in an annotation that no pod has.
beside_itself() {
    local name
    for name in hpecxi-mutating-admission-policy hpecxi-mutating-admission-policy-binding; do
        sed 's/hpecxi-mutating/second-mutating/' "$DEPLOY/MutatingAdmissionPolicy/v1/$name.yaml"
        echo ---
    done | k apply --filename -
    # When it works alone, it works.
    k delete --wait mutatingadmissionpolicybinding hpecxi-mutating-admission-policy-binding
    until_true policy_works
    apply_ours
    until_true policy_works
    table_of_pods
    k delete --wait mutatingadmissionpolicy/second-mutating-admission-policy mutatingadmissionpolicybinding/second-mutating-admission-policy-binding
}

policies_of_v1beta1() {
    remove_policies
    until_true not policy_works
    apply_ours v1beta1
    table_of_pods
}

cluster_wide() {
    remove_policies
    until_true not policy_works
    k apply --kustomize "$DEPLOY/overlays/cluster-wide"
    until_true cluster_wide_works
    expect 'where networks are JSON' '"[{\"name\":\"a\"},{\"name\":\"hsn\",\"interface\":\"hsnp0\",\"namespace\":\"cxi-networks\"}]"' \
        "$(judged mpi "$(pod_of '{"apps": ["1"], "annotations": {"networks": "[{\"name\":\"a\"}]"}}')" | jq -c ".\"$NETWORKS\"")"
    k get --namespace cxi-networks network-attachment-definitions hsn hsn3-ipvlan
    k delete --wait --kustomize "$DEPLOY/overlays/cluster-wide"
}

cluster_wide_works() {
    [[ $(judged mpi "$(pod_of '{"apps": ["2"]}')" | jq -r ".\"$NETWORKS\"") == cxi-networks/hsn@hsnp0,cxi-networks/hsn@hsnp1 ]]
}

warned() {
    apply_ours
    until_true policy_works
    k create --dry-run=server --namespace plain --filename "$DEPLOY/examples/cxi-test.yaml" 2>&1 | grep 'libfabric ignores the NICs'
    not warns mpi cxi-test
    not warns plain one-nic
}

warns() { k create --dry-run=server --namespace "$1" --filename "$DEPLOY/examples/$2.yaml" 2>&1 | grep 'libfabric ignores the NICs'; }

# --- pods in earnest -----------------------------------------------------------------------------------------------------------

update_is_left_alone() {
    local pods=/api/v1/namespaces/mpi/pods before after
    # One that came before the policy: nothing adds to it later. Its name is none of the table's, which would then be taken.
    k label namespace mpi beta.hpe.com/cxi-networks-
    until_true not policy_works_in_mpi
    api POST "$pods" --data-binary "$(pod_of '{"apps": ["1"]}' | jq -c '.metadata.name = "changing" | .spec.schedulingGates = [{name: "example.com/never"}]')" >/dev/null
    k label namespace mpi beta.hpe.com/cxi-networks=host-device
    until_true policy_works
    before=$(api GET "$pods/changing" | jq -c .metadata.annotations)
    k label --namespace mpi pod changing a=b
    after=$(api GET "$pods/changing" | jq -c .metadata.annotations)
    k delete --wait --namespace mpi pod changing
    expect 'its annotations' null "$after"
    expect 'as before' "$before" "$after"
}

policy_works_in_mpi() { [[ $(judged mpi "$(pod_of '{"apps": ["1"]}')") == *hsn@hsnp0* ]]; }

cxi_test() {
    expect 'its networks' hsn@hsnp0,hsn@hsnp1,hsn@hsnp2,hsn@hsnp3 \
        "$(k create --dry-run=server --namespace mpi --output json --filename "$DEPLOY/examples/cxi-test.yaml" | jq -r ".metadata.annotations[\"$NETWORKS\"]")"
}

# --- the road ------------------------------------------------------------------------------------------------------------------

# the_road: the commands of docs/kubernetes.md that are marked for us, as they are, in order.
the_road() {
    local commands=$WORK/road.sh
    awk '/^<!-- rig -->$/ { ours = 1 } ours && /^```$/ { code = ours = 0 } code { print } ours && /^```sh$/ { code = 1 }' \
        "$TOP/docs/kubernetes.md" >"$commands"
    [[ $(grep -c kubectl "$commands") -ge 10 ]]
    PATH=$BIN:$PATH KUBECONFIG=$WORK/admin.conf IMAGE=$IMAGE bash -euxo pipefail "$commands" | tee "$WORK/road.log"
    # What the reader would see, and each NIC in one pod alone.
    grep -E "^$NODE_NAME +4$" "$WORK/road.log"
    expect 'pods that say what they hold' '0 1' "$(sed -n 's/.* pod \([01]\) holds .*/\1/p' "$WORK/road.log" | sort | paste -sd ' ')"
    expect 'their NICs' "$(printf '%s\n' "${NICS[@]}")" \
        "$(sed -n 's/.* pod [01] holds //p' "$WORK/road.log" | tr , '\n' | sort)"
    # Nothing is left.
    not api GET /api/v1/namespaces/mpi
    expect 'policies' '' "$(k get mutatingadmissionpolicies,validatingadmissionpolicies --output name)"
}

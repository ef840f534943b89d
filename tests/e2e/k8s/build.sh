# shellcheck shell=bash
# What a Kubernetes node consists of, built from the Go module proxy at pinned versions (go/*/go.mod), into $BIN. Test parts:
# nothing of it is in the product.

# Others of go/: a kubelet as old as the API server takes, and the containerd that goes with it.
KUBELET=kubelet${CXI_K8S_KUBELET:+-$CXI_K8S_KUBELET}             # 1.36 or 1.34
CONTAINERD=containerd${CXI_K8S_CONTAINERD:+-$CXI_K8S_CONTAINERD} # 1.7
# The shim goes by its name, so each containerd has a folder.
RUNTIME=$BIN${CXI_K8S_CONTAINERD:+/$CONTAINERD}
GO_NEEDED=1.26.6 # by containerd; Kubernetes wants 1.26.0
# Debian's, since one more build of minutes tests nothing of ours.
ETCD_PACKAGE=etcd-server
# Seconds; what is not built by then is not waited for, and the rig is listed as skipped. CI builds beside its other steps, and
# says until when (seconds since 1970).
BUILD_PATIENCE=${CXI_K8S_BUILD_SECONDS:-1200}
BUILT=$CACHE/k8s
BUILD_UNTIL=${CXI_K8S_BUILD_UNTIL:-$((EPOCHSECONDS + BUILD_PATIENCE))}

# go_build FOLDER PACKAGE PROGRAM FLAG...: one program, unless this version of it is there.
go_build() {
    local folder=$1 package=$2 program=$3 stamp began=$SECONDS left
    shift 3
    stamp=$BIN/.$program-$(cat "$RIG/go/$folder"/go.* | sha256sum | cut -c1-16)
    [[ -f $stamp && -x $BIN/$program ]] && return
    left=$((BUILD_UNTIL - EPOCHSECONDS))
    ((left > 0)) || return 1
    (
        cd "$RIG/go/$folder" || exit
        export GOTOOLCHAIN=local GOFLAGS="-mod=readonly -modcacherw" GOMODCACHE=$BUILT/go-modules GOCACHE=$BUILT/go-cache CGO_ENABLED=0
        # Only downloads, which a registry may fail.
        retry "$GO" list -deps "$@" "$package" >/dev/null || exit
        # No debugging information: a fifth of the time.
        timeout "$left" "$GO" build -buildvcs=false -trimpath -gcflags=all=-dwarf=false "$@" -o "$BIN/$program" "$package"
    ) || return 1
    rm -f "$BIN/.$program-"*
    touch "$stamp"
    echo "built $program in $((SECONDS - began)) s"
}

# version_flags FOLDER: of that version of Kubernetes, for the linker.
version_flags() {
    local package version
    version=$(version_in "$1" k8s.io/kubernetes)
    printf -- '-s -w'
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        printf ' -X %s' "$package.gitVersion=$version" "$package.gitMajor=1" "$package.gitMinor=$(cut -d. -f2 <<<"$version")" \
            "$package.gitTreeState=clean" "$package.gitCommit=rig"
    done
}

# version_in FOLDER MODULE
version_in() { awk -v module="$2" '$1 == "require" && $2 == module { print $3 } $1 == module { print $2 }' "$RIG/go/$1/go.mod"; }

build_kubernetes() {
    local folder=kubernetes program
    for program in kube-apiserver kube-scheduler kube-controller-manager; do
        go_build kubernetes "k8s.io/kubernetes/cmd/$program" "$program" -ldflags "$(version_flags kubernetes)" || return
    done
    [[ $KUBELET == kubelet ]] || folder=$KUBELET
    go_build "$folder" k8s.io/kubernetes/cmd/kubelet "$KUBELET" -ldflags "$(version_flags "$folder")"
}

build_containerd() {
    local module=github.com/containerd/containerd program
    [[ $CONTAINERD != containerd ]] || module+=/v2
    mkdir -p "$RUNTIME"
    for program in containerd containerd-shim-runc-v2 ctr; do
        BIN=$RUNTIME go_build "$CONTAINERD" "$module/cmd/$program" "$program" -tags no_btrfs,no_devmapper,no_zfs \
            -ldflags "-s -w -X $module/version.Version=$(version_in "$CONTAINERD" "$module") -X $module/version.Revision=rig" || return
    done
}

# What an admin types, and what gives pods further networks. Not needed by the node. The proxy lists no version of Multus, and has
# each that is asked for by name.
build_clients() {
    go_build clients ./kubectl kubectl -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$(version_in clients k8s.io/kubectl | sed 's/^v0/v1/')" &&
        go_build clients helm.sh/helm/v3/cmd/helm helm -ldflags '-s -w' &&
        go_build clients gopkg.in/k8snetworkplumbingwg/multus-cni.v4/cmd/multus multus -ldflags '-s -w' &&
        go_build clients github.com/k8snetworkplumbingwg/whereabouts/cmd whereabouts -ldflags '-s -w'
}

# fetch_parts: what needs no build.
fetch_parts() {
    find_go "$GO_NEEDED"
    fetch_etcd
}

# Unpacked, not installed: the package would start a service.
fetch_etcd() {
    [[ -x $BIN/etcd ]] && return
    rm -rf "$BUILT/etcd"
    mkdir -p "$BUILT/etcd" "$BIN"
    (
        cd "$BUILT/etcd" || exit
        apt_get update
        apt_get download "$ETCD_PACKAGE"
        dpkg -x ./*.deb .
        cp usr/bin/etcd "$BIN/etcd"
    )
}

# build_parts: everything that is missing, by one process at a time; 1 when it was not done in time.
build_parts() {
    local left=$((BUILD_UNTIL - EPOCHSECONDS)) lock
    mkdir -p "$BIN"
    exec {lock}>"$BUILT/lock"
    flock --wait "$((left > 0 ? left : 0))" "$lock" || return
    # The larger half of the time is for packages that these share.
    build_containerd && build_kubernetes || return
    # Only stages go by them, which say when there was no time for them.
    build_clients || ((EPOCHSECONDS >= BUILD_UNTIL)) || return
    # 9 GB that the next run would not look at.
    rm -rf "$BUILT/go-cache" "$BUILT/go-modules" "$BUILT/etcd"
    exec {lock}>&-
}

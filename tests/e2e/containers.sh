# shellcheck shell=bash
# What the rigs with real containers share. Everything is below $WORK, a tmpfs of the rig's own mount namespace; source
# tests/e2e/lib.sh first.

# make_libraries NODE: the emulated libraries are too small to be loaded: real ones take their place, libfabric needing
# libcxi as on a host. Fortified, as distributions build all theirs: that is a function of glibc which musl does not have.
make_libraries() {
    local ofi=$1/opt/cray/lib64 cxi=$1/usr/lib64
    mkdir -p "$ofi" "$cxi"
    rm -f "$ofi"/libfabric.so* "$cxi"/libcxi.so*
    gcc -shared -fPIC -O2 -D_FORTIFY_SOURCE=2 -Wl,-soname,libcxi.so.1 -o "$cxi/libcxi.so.1.5.0" -x c - <<'C'
#include <stdio.h>
const char *cxi_mark(void) { return "libcxi of the host"; }
int cxi_format(char *to, unsigned long size) {
    char line[32];
    int length = snprintf(line, sizeof line, "%d", (int)size);
    to[0] = line[0];
    return length;
}
C
    ln -s libcxi.so.1.5.0 "$cxi/libcxi.so.1"
    echo 'const char *cxi_mark(void); const char *fabric_mark(void) { return cxi_mark(); }' |
        gcc -shared -fPIC -Wl,-soname,libfabric.so.1 -o "$ofi/libfabric.so.1.30.1" -x c - -x none "$cxi/libcxi.so.1"
    ln -s libfabric.so.1.30.1 "$ofi/libfabric.so.1"
}

# fresh_root LAYER...: mounts the layers, the first on top, as $ROOT. A new overlay each time, because podman leaves empty
# mount targets in the root tree, and a later check must not trip over them.
fresh_root() {
    local layer lower
    layer=$(mktemp -d "$WORK/layer.XXXXXX")
    lower=$(IFS=:; echo "$*")
    ROOT=$layer/root
    mkdir "$ROOT" "$layer/upper" "$layer/work"
    mount -t overlay overlay -o "lowerdir=$lower,upperdir=$layer/upper,workdir=$layer/work" "$ROOT"
}

# PODMAN: the command that podman_here calls; a rig may put that of another root tree here.
PODMAN=(podman)

# podman_here ARG...: podman with its storage below $WORK.
podman_here() {
    "${PODMAN[@]}" --root "$WORK/storage" --runroot "$WORK/run" --tmpdir "$WORK/tmp" --storage-driver vfs \
        --cgroup-manager cgroupfs --runtime "${RUNTIME:-runc}" "$@"
}

# LIMITS: podman's own defaults want more than a machine without CAP_SYS_RESOURCE can give.
# shellcheck disable=SC2034  # for the rigs
LIMITS=(--ulimit nofile=1024:1024 --ulimit nproc=1024:1024)

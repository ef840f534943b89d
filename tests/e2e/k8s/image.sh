# shellcheck shell=bash
# The one image of all pods and of their sandboxes: busybox, packed as `docker save` does. No registry.

IMAGE=localhost/rig:1

make_image() {
    local tree=$WORK/image config layer
    mkdir -p "$tree"/{bin,etc,tmp,proc,sys,dev}
    cp "$(command -v busybox)" "$tree/bin/busybox"
    (cd "$tree/bin" && ./busybox --list | grep -vx busybox | xargs -n 1 ln -s busybox)
    echo 'root:x:0:0:root:/:/bin/sh' >"$tree/etc/passwd"
    (
        cd "$WORK" || exit
        tar -C "$tree" -cf layer.tar .
        layer=$(sha256sum layer.tar | cut -d' ' -f1)
        jq -n --arg layer "sha256:$layer" --arg machine "$(dpkg --print-architecture)" \
            '{architecture: $machine, os: "linux", config: {Env: ["PATH=/bin"], Cmd: ["/bin/sleep", "infinity"]},
              rootfs: {type: "layers", diff_ids: [$layer]}, history: [{created_by: "tests/e2e/k8s"}]}' >config.json
        config=$(sha256sum config.json | cut -d' ' -f1).json
        mv config.json "$config"
        jq -n --arg config "$config" --arg tag "$IMAGE" '[{Config: $config, RepoTags: [$tag], Layers: ["layer.tar"]}]' >manifest.json
        tar -cf image.tar manifest.json "$config" layer.tar
        rm -rf "$tree" layer.tar "$config" manifest.json
    )
}

# shellcheck shell=bash
# The images of the rig, packed as `docker save` does. No registry. All pods and their sandboxes have one: busybox.

IMAGE=localhost/rig:1

make_image() {
    local tree=$WORK/image
    mkdir -p "$tree"/{bin,etc,tmp,proc,sys,dev}
    cp "$(command -v busybox)" "$tree/bin/busybox"
    (cd "$tree/bin" && ./busybox --list | grep -vx busybox | xargs -n 1 ln -s busybox)
    echo 'root:x:0:0:root:/:/bin/sh' >"$tree/etc/passwd"
    pack_image "$tree" "$IMAGE" "$WORK/image.tar"
}

# pack_image TREE TAG FILE: the tree goes.
pack_image() {
    local tree=$1 tag=$2 file=$3 config layer
    (
        cd "$WORK" || exit
        tar -C "$tree" -cf layer.tar .
        layer=$(sha256sum layer.tar | cut -d' ' -f1)
        jq -n --arg layer "sha256:$layer" --arg machine "$(dpkg --print-architecture)" \
            '{architecture: $machine, os: "linux", config: {Env: ["PATH=/bin"], Cmd: ["/bin/sleep", "infinity"]},
              rootfs: {type: "layers", diff_ids: [$layer]}, history: [{created_by: "tests/e2e/k8s"}]}' >config.json
        config=$(sha256sum config.json | cut -d' ' -f1).json
        mv config.json "$config"
        jq -n --arg config "$config" --arg tag "$tag" '[{Config: $config, RepoTags: [$tag], Layers: ["layer.tar"]}]' >manifest.json
        tar -cf "$file" manifest.json "$config" layer.tar
        rm -rf "$tree" layer.tar "$config" manifest.json
    )
}

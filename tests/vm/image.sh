# shellcheck shell=bash
# The rig that sources this uses what is set here.
# shellcheck disable=SC2034
# The parts of the guest that do not change with our code, each made once and kept in $CACHE under a name that carries a
# digest of what it is made from: a change of this file or a new kernel makes it anew, and nothing stale is ever used.

SUITE=bookworm
GUEST_PACKAGES=systemd,systemd-sysv,udev,dbus,kmod,iproute2,procps,rpm,podman,conmon,runc,crun,netavark
# What the first kernel stage needs to reach its disks; Debian builds all of it as modules.
BOOT_MODULES=(virtio_pci virtio_blk ext4)
ROOT_SIZE=900M

# digest TEXT...: sixteen digits.
digest() { printf '%s\n' "$@" | sha256sum | cut -c 1-16; }

# make_part FILE FUNCTION: FILE by the function, which writes to the path it is given; half-made files never count.
make_part() {
    local file=$1
    [[ -e $file ]] && return
    rm -rf "$file.new"
    # Earlier ones of this part are of no use any more.
    rm -rf "${file%-*}"-????????????????*
    "$2" "$file.new"
    mv "$file.new" "$file"
}

# --- kernel: the host's own distribution, so that its headers build the module ------------------------------------------

# The newest kernel whose headers are installed.
headers_release() { find /usr/src -maxdepth 1 -name 'linux-headers-*-amd64' -printf '%f\n' | sed 's/^linux-headers-//' | sort -V | tail -n 1; }

find_kernel() {
    KERNEL_RELEASE=$(headers_release)
    if [[ -z $KERNEL_RELEASE ]]; then
        apt_get update
        apt_get install --no-install-recommends linux-headers-amd64
        KERNEL_RELEASE=$(headers_release)
    fi
    HEADERS=/usr/src/linux-headers-$KERNEL_RELEASE
    KERNEL_TREE=$CACHE/kernel-$(digest "$KERNEL_RELEASE")
}

# Only unpacked: the machine's own boot files stay as they are.
make_kernel() {
    local deb
    mkdir -p "$1"
    retry download_kernel "$1"
    deb=$(find "$1" -name '*.deb')
    dpkg-deb -x "$deb" "$1"
    rm "$deb"
    depmod -b "$1" "$KERNEL_RELEASE"
}

download_kernel() (
    cd "$1" || return 1
    apt-get -q download "linux-image-$KERNEL_RELEASE" && return
    apt-get -q update
    return 1
)

# --- first stage: busybox and three modules ------------------------------------------------------------------------------

make_initramfs() {
    local tree=$1.tree module
    rm -rf "$tree"
    mkdir -p "$tree"/{bin,dev,proc,sys,root,modules}
    cp "$(command -v busybox)" "$tree/bin/busybox"
    install -m 0755 "$TOP/tests/vm/guest/init" "$tree/init"
    # In the order in which they have to be loaded.
    for module in "${BOOT_MODULES[@]}"; do
        modprobe --show-depends -d "$KERNEL_TREE" -S "$KERNEL_RELEASE" "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
        cp "$module" "$tree/modules/"
        basename "$module" >>"$tree/modules/order"
    done
    (cd "$tree" && find . -print0 | cpio --null --create --quiet --format=newc) | gzip -1 >"$1"
    rm -rf "$tree"
}

# --- root file system ----------------------------------------------------------------------------------------------------

make_root() {
    local tree=$1.tree
    retry debootstrap_guest "$tree"
    # A guest without a name service, without saved state and with one job.
    echo guest >"$tree/etc/hostname"
    echo '127.0.0.1 localhost guest' >"$tree/etc/hosts"
    : >"$tree/etc/fstab"
    : >"$tree/etc/machine-id"
    mkdir -p "$tree/payload"
    install -m 0644 "$TOP/tests/vm/guest/cxi-vm.service" "$tree/etc/systemd/system/"
    ln -sf /dev/null "$tree/etc/systemd/system/systemd-networkd-wait-online.service"
    rm -rf "$tree"/var/cache/apt/* "$tree"/var/lib/apt/lists/* "$tree"/usr/share/{doc,locale,man}
    mkfs.ext4 -q -d "$tree" -E lazy_itable_init=1 "$1" "$ROOT_SIZE"
    rm -rf "$tree"
}

debootstrap_guest() {
    rm -rf "$1"
    # The log is long and of interest only when it fails.
    debootstrap --variant=minbase --include="$GUEST_PACKAGES" "$SUITE" "$1" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} \
        >"$CACHE/debootstrap.log" 2>&1 && return
    tail -n 20 "$CACHE/debootstrap.log"
    return 1
}

# Everything at its place: KERNEL_RELEASE, HEADERS, KERNEL, INITRAMFS and ROOT are set then.
make_image() {
    find_kernel
    make_part "$KERNEL_TREE" make_kernel
    KERNEL=$KERNEL_TREE/boot/vmlinuz-$KERNEL_RELEASE
    local recipe
    recipe=$(<"$TOP/tests/vm/image.sh")
    INITRAMFS=$CACHE/initramfs-$(digest "$recipe" "$KERNEL_RELEASE" "$(<"$TOP/tests/vm/guest/init")")
    make_part "$INITRAMFS" make_initramfs
    ROOT=$CACHE/root-$(digest "$recipe" "$(<"$TOP/tests/vm/guest/cxi-vm.service")")
    make_part "$ROOT" make_root
}

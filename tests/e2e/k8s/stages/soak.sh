# shellcheck shell=bash
# Two minutes, or more, of everything at once: the daemon is as large afterwards as before.

STAGES+=(soak)

SOAK_SECONDS=${CXI_SOAK_SECONDS:-120}

stage_soak() {
    holds_here "$SOAK_SECONDS s of restarts, hotplug, allocations and slow readers leave the daemon no larger" soak
    [[ ! -s $WORK/sizes ]] || sed "s/^/k8s $STRATEGY: /" "$WORK/sizes"
}

soak() {
    local end=$((SECONDS + SOAK_SECONDS)) round=0 before after daemon
    : >"$WORK/sizes"
    daemon=$(pid plugin)
    # The first round fills what is kept: buffers, threads that stay.
    soak_round 0
    before=$(size "$daemon")
    echo "daemon after the first round: $before" >>"$WORK/sizes"
    while ((SECONDS < end)); do
        round=$((round + 1))
        soak_round "$round"
    done
    after=$(size "$daemon")
    echo "daemon after $((round + 1)) rounds: $after" >>"$WORK/sizes"
    expect 'the daemon is the same' "$daemon" "$(pid plugin)"
    no_larger "$before" "$after"
}

# size PID: memory in KiB, threads, file descriptors, and those of them that are sockets. Without a caller.
size() {
    awk '/^VmRSS/ { print "rss=" $2 } /^Threads/ { print "threads=" $2 }' "/proc/$1/status" | paste -sd ' ' | tr '\n' ' '
    echo "fds=$(find "/proc/$1/fd" -mindepth 1 | wc -l) sockets=$(find "/proc/$1/fd" -mindepth 1 -lname 'socket:*' | wc -l)"
}

# no_larger BEFORE AFTER: memory may differ by what an allocator keeps.
no_larger() {
    local name slack was is
    for name in rss threads fds sockets; do
        slack=0
        [[ $name != rss ]] || slack=1024
        was=$(grep -o "$name=[0-9]*" <<<"$1") is=$(grep -o "$name=[0-9]*" <<<"$2")
        ((${is#*=} <= ${was#*=} + slack)) || { echo "$name has grown from ${was#*=} to ${is#*=}"; return 1; }
    done
}

soak_round() {
    local pci=${NICS[$(($1 % ${#NICS[@]}))]} readers=() _
    for _ in 1 2 3 4; do
        slow_list & readers+=($!)
        slow_metrics & readers+=($!)
    done
    pod soaked 1
    until_running soaked
    owns 1 soaked
    many_allocates
    delete soaked
    stop kubelet "$([[ $(($1 % 2)) == 0 ]] && echo TERM || echo KILL)"
    nic remove "$NODE" "$pci"
    start kubelet
    nic add "$NODE" "c1,pci=$pci"
    link "$pci" down
    link "$pci" up
    nic rebind "$NODE" "$pci"
    until_true kubelet_is_ready
    until_true node_has 4 4
    kill "${readers[@]}" 2>/dev/null || true
    wait "${readers[@]}" 2>/dev/null || true
    # They are gone when the daemon has noticed.
    until_true no_caller
}

# Only kubelet is connected to the daemon.
no_caller() { [[ $(ss -xH state established src "unix:$(plugin_socket)" | wc -l) -le 1 ]]; }

plugin_socket() {
    find /var/lib/kubelet/device-plugins -type s ! -name kubelet.sock -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2
}

# grpc METHOD CURL-ARGUMENT...
grpc() {
    local method=$1
    shift
    curl --silent --http2-prior-knowledge --unix-socket "$(plugin_socket)" -H 'content-type: application/grpc' -H 'te: trailers' \
        "$@" "http://localhost/v1beta1.DevicePlugin/$method"
}

# Reads the list a byte a second.
slow_list() { printf '\0\0\0\0\0' | grpc ListAndWatch --data-binary @- --limit-rate 1 -o /dev/null || true; }

slow_metrics() {
    curl --silent --limit-rate 1 --unix-socket /run/cxi-device-plugin/metrics.sock -o /dev/null http://localhost/metrics || true
}

# A thousand calls over one connection, each for one NIC that is there.
many_allocates() {
    # container_requests (1), devices_ids (1), by the wire format: 12 bytes of address in 14, in 16.
    printf '\0\0\0\0\x10\x0a\x0e\x0a\x0c%s' "${NICS[0]}" >"$WORK/allocate"
    local call calls=()
    for ((call = 0; call < 1000; call++)); do
        calls+=(-o /dev/null "http://localhost/v1beta1.DevicePlugin/Allocate")
    done
    grpc Allocate --data-binary "@$WORK/allocate" -o /dev/null --fail "${calls[@]}"
}

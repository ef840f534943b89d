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
    : >"$WORK/allocated"
    daemon=$(pid plugin)
    echo "daemon before: $(size "$daemon")" >>"$WORK/sizes"
    # The first rounds fill what is kept: buffers, threads that stay, what the allocator has for the next time. By 1,500 rebinds that
    # alone is 600 KiB, ever less of it from one to the next.
    while ((round == 0 || SECONDS < end - SOAK_SECONDS * 9 / 10)); do
        soak_round "$round"
        round=$((round + 1))
    done
    before=$(size "$daemon")
    echo "daemon after $round rounds: $before" >>"$WORK/sizes"
    while ((SECONDS < end)); do
        soak_round "$round"
        round=$((round + 1))
        # Growth, or the last moment only?
        ((round % 50 != 0)) || echo "daemon after $round rounds: $(size "$daemon")" >>"$WORK/sizes"
    done
    after=$(size "$daemon")
    echo "daemon after $round rounds: $after" >>"$WORK/sizes"
    awk '{ sum += $1 } END { print sum + 0, "allocations answered" }' "$WORK/allocated" >>"$WORK/sizes"
    expect 'the daemon is the same' "$daemon" "$(pid plugin)"
    no_larger "$before" "$after"
}

# size PID: memory in KiB, and how much of it is no file's; threads, file descriptors, and those of them that are sockets. Without a
# caller.
size() {
    awk '/^VmRSS/ { print "rss=" $2 } /^RssAnon/ { print "anonymous=" $2 } /^Threads/ { print "threads=" $2 }' "/proc/$1/status" | paste -sd ' ' | tr '\n' ' '
    echo "fds=$(find "/proc/$1/fd" -mindepth 1 | wc -l) sockets=$(find "/proc/$1/fd" -mindepth 1 -lname 'socket:*' | wc -l)"
}

# no_larger BEFORE AFTER: memory may differ by what an allocator keeps, and by pages of the program that are there or not.
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
    allocating & readers+=($!)
    pod soaked 1
    until_running soaked
    owns 1 soaked
    delete soaked
    stop kubelet "$([[ $(($1 % 2)) == 0 ]] && echo TERM || echo KILL)"
    nic remove "$NODE" "$pci"
    mark_log
    start kubelet
    nic add "$NODE" "c1,pci=$pci"
    link "$pci" down
    link "$pci" up
    nic rebind "$NODE" "$pci"
    # The driver is loaded anew and counts from 0: the pods try no numbers without end.
    nic reload "$NODE"
    until_true kubelet_is_ready
    for pci in "${NICS[@]}"; do until_true knows_number "$pci"; done
    until_true all_are_listed
    # Before it has heard of the pods that there are, kubelet counts those of its checkpoint as alive, and turns new ones away.
    until_true pods_are_known
    kill "${readers[@]}" 2>/dev/null || true
    wait "${readers[@]}" 2>/dev/null || true
    # They are gone when the daemon has noticed.
    until_true no_caller
}

# Kubelet's last list: the node's status may be of before the restart.
all_are_listed() { new_log | grep 'Processed device updates for resource' | tail -n 1 | grep 'totalCount=4 healthyCount=4'; }

pods_are_known() { new_log | grep 'SyncLoop ADD" source="api"'; }

# Only kubelet is connected to the daemon.
no_caller() { [[ $(ss -xH state established | grep -cF "$(plugin_socket)") -le 1 ]]; }

plugin_socket() {
    find /var/lib/kubelet/device-plugins -type s ! -name kubelet.sock -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2
}

# Reads the list a byte a second.
slow_list() {
    printf '\0\0\0\0\0' >"$WORK/nothing"
    exec curl --silent --http2-prior-knowledge --unix-socket "$(plugin_socket)" --data-binary "@$WORK/nothing" \
        -H 'content-type: application/grpc' -H 'te: trailers' --limit-rate 1 -o /dev/null http://localhost/v1beta1.DevicePlugin/ListAndWatch
}

slow_metrics() {
    exec curl --silent --limit-rate 1 --unix-socket /run/cxi-device-plugin/metrics.sock -o /dev/null http://localhost/metrics
}

# allocating: 200 calls a second, whichever socket is kubelet's just now; what was answered is counted in $WORK/allocated.
allocating() {
    # container_requests (1) in 16 bytes, devices_ids (1) in 14, of 12 bytes.
    printf '\0\0\0\0\x10\x0a\x0e\x0a\x0c%s' "${NICS[0]}" >"$WORK/allocate"
    while true; do
        [[ -S $(plugin_socket) ]] || { sleep 0.1; continue; }
        timeout 5 h2load -n 100 -c 1 -m 1 --rps 200 -d "$WORK/allocate" -B "unix:$(plugin_socket)" \
            -H 'content-type: application/grpc' -H 'te: trailers' http://localhost/v1beta1.DevicePlugin/Allocate 2>/dev/null |
            sed -n 's/.*, \([0-9]*\) succeeded.*/\1/p' >>"$WORK/allocated" || sleep 0.1
    done
}

# shellcheck shell=bash
# The scenario files that play an emulated kubelet are played by the real one: what the daemon and kubelet see of each other is
# the same, so that all the tests on the emulated kubelet are worth what they say.

STAGES+=(scenarios)

KUBELET_DIR=/var/lib/kubelet/device-plugins

# They have daemons of their own, for which nothing differs between the strategies.
stage_scenarios() {
    [[ $STRATEGY == "${STRATEGIES[0]}" ]] || return 0
    local file name
    stop plugin
    mkdir -p "$WORK/transcripts"
    printf '#!/bin/bash\nexec %q control "$@"\n' "$RIG/run" >"$WORK/control"
    chmod +x "$WORK/control"
    for file in "$TOP"/tests/scenarios/*.yaml; do
        name=$(basename "$file" .yaml)
        holds_here "scenario $name: the same transcript from the emulated kubelet and from the real one" same_transcript "$file" "$name"
    done
    control reset
}

same_transcript() {
    # A socket's path has a limit.
    export TMPDIR=/tmp
    "$SIM" scenario --plugin "$PLUGIN" --for-runtime --transcripts "$WORK/transcripts/emulated" "$1"
    "$SIM" scenario --plugin "$PLUGIN" --for-runtime --transcripts "$WORK/transcripts/real" \
        --kubelet-dir "$KUBELET_DIR" --kubelet-control "$WORK/control" "$1"
    diff -u "$WORK/transcripts/emulated/$2.transcript" "$WORK/transcripts/real/$2.transcript"
}

# control WORD...: what `cxi-sim scenario` wants of a real kubelet.
control() {
    case $1 in
        reset)
            alive kubelet || start kubelet
            until_true kubelet_is_ready
            delete_all
            stop kubelet
            # Else it remembers the devices of the scenario before.
            rm -f "$KUBELET_DIR/kubelet_internal_checkpoint"
            ;;
        start)
            ! alive kubelet || { echo 'kubelet runs already'; return 1; }
            start kubelet
            until_true kubelet_takes_calls
            ;;
        kill) stop kubelet KILL ;;
        terminate) stop kubelet TERM ;;
        pod) admitted "$2" "$3" ;;
        delete) delete "$2" ;;
        has) until_true node_has "$2" "$3" || { node_json | jq -c '.status | {capacity, allocatable}'; return 1; } ;;
        *) echo "cannot: $*"; return 1 ;;
    esac
}

# Not the socket of the one before.
kubelet_takes_calls() {
    local status=0
    curl --silent --http2-prior-knowledge --max-time 1 --unix-socket "$KUBELET_DIR/kubelet.sock" http://localhost/ || status=$?
    [[ $status != 7 ]] && alive kubelet
}

# admitted POD NICS: no scheduler, which would keep a pod that kubelet refuses from it.
admitted() {
    pod "$1" "$2" ".spec.nodeName = \"$NODE_NAME\""
    until_true decided "$1"
    pod_is "$1" '.status.phase != "Failed"' >/dev/null || { pod_json "$1" | jq -r .status.message; return 1; }
}

decided() { running "$1" || pod_is "$1" '.status.phase == "Failed"'; }

# shellcheck shell=bash
# The scenarios on this kernel. Their transcripts go back to the host, which compares them with those of a tree of files.

# The emulated libraries of a node of files, where a host has them.
install_libraries() {
    "$PAYLOAD/cxi-sim" node create "$WORK/files" >/dev/null
    mkdir -p /opt/cray
    cp -a "$WORK/files/opt/cray/lib64" /opt/cray/
    cp -a "$WORK"/files/usr/lib64/* /usr/lib64/
}

install_libraries
"$PAYLOAD/cxi-sim" scenario --node guest --modules "$MODULES" --plugin "$PAYLOAD/cxi-device-plugin" \
    --transcripts "$REPORTS/guest" "$PAYLOAD"/scenarios/*.yaml || true
# The same with nothing but the kernel's own messages: no SIGHUP, no slow poll.
"$PAYLOAD/cxi-sim" scenario --node guest --modules "$MODULES" --plugin "$PAYLOAD/cxi-device-plugin" --trigger events \
    --transcripts "$REPORTS/guest-events" "$PAYLOAD"/scenarios/*.yaml || true
# Figures of this slow machine, not verdicts.
figures() { "$PAYLOAD/cxi-sim" bench --modules "$MODULES" --plugin "$PAYLOAD/cxi-device-plugin" | tee "$REPORTS/figures"; }
check 'vm: events to list and file are measured' figures
sed 's/^/    | /' "$REPORTS/figures"

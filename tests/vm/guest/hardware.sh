# shellcheck shell=bash
# The emulated hardware and its driver, from the shell.

MODULES=$PAYLOAD/modules
CONTROL=/sys/kernel/debug/cxi-emu/control
# In the order in which they can be loaded.
ALL_MODULES=(cxi_emu cxi_sbl cxi_sl cxi_ss1 cxi_user cxi_eth)

# tell COMMAND...: one command to the hardware; reading the file lists them.
tell() { echo "$*" >"$CONTROL"; }

# Hardware and driver anew: no NIC, and every number starts at 0.
load_modules() {
    local module
    [[ ! -e $CONTROL ]] || tell remove-all
    for module in $(printf '%s\n' "${ALL_MODULES[@]}" | tac); do
        [[ ! -e /sys/module/$module ]] || rmmod "$module"
    done
    for module in "${ALL_MODULES[@]}"; do
        insmod "$MODULES/${module/_/-}.ko"
    done
}

# wait_until COMMAND...: looks again and again; fails after a minute.
wait_until() {
    local began=$SECONDS
    until "$@"; do
        ((SECONDS - began < 60)) || { echo "in vain: $*"; return 1; }
        sleep 0.05
    done
}

# shellcheck shell=bash
# What the kernel itself has to complain of, after all that was done to it.

no_complaint() {
    local found
    found=$(dmesg | grep -nE 'WARNING:|BUG:|Oops|Call Trace|general protection|refcount_t|use-after-free|INFO: task .* blocked|list_(add|del) corruption|kobject: .* tried to init' || true)
    expect 'complaints in the log of the kernel' '' "$found"
}

# The log would be no witness if its beginning were lost.
log_is_whole() { dmesg | sed -n '1,2p' | grep 'Linux version'; }

check "vm $GUEST: the log of the kernel is whole" log_is_whole
check "vm $GUEST: the kernel has nothing to complain of" no_complaint

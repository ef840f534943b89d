# shellcheck shell=bash
# The guest itself: what the other parts rely on.

two_numa_nodes() { expect 'NUMA nodes' 0-1 "$(cat /sys/devices/system/node/online)"; }
udev_runs() { udevadm control --ping; }

check "vm $GUEST: the guest has two NUMA nodes" two_numa_nodes
check "vm $GUEST: udevd answers" udev_runs

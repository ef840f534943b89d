# shellcheck shell=bash
# Each command of the device nodes, right and wrong, on a PF and a VF.

load_modules
tell add c1
echo 1 >/sys/bus/pci/devices/0000:21:00.0/sriov_numvfs
udevadm settle
status=0
"$MODULES/cxi-abi" /dev/cxi0 /dev/cxi1 >"$REPORTS/abi" 2>&1 || status=$?
sed -n 's/^\(PASS\|FAIL\|SKIPPED\) /\1 abi: /p' "$REPORTS/abi"
ended_well() {
    tail -n 5 "$REPORTS/abi"
    [[ $status == 0 ]]
    grep -q '^[1-9][0-9]* checks, 0 failed$' "$REPORTS/abi"
}
check 'vm: the program of the commands ends well' ended_well

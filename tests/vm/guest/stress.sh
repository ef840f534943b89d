# shellcheck shell=bash
# Random steps with device nodes open; the kernel's own complaints are counted in the part that reads its log.

STEPS=1000

load_modules
status=0
"$MODULES/cxi-stress" -n "$STEPS" -s "$(<"$PAYLOAD/seed")" >"$REPORTS/stress" 2>&1 || status=$?
sed '/^\(PASS\|FAIL\) /!s/^/    | /; s/^\(PASS\|FAIL\) /\1 stress: /' "$REPORTS/stress"
ended_well() {
    [[ $status == 0 ]]
    # Without owners of slab objects (slub_debug=U) nothing would have been counted.
    grep -Eq '^objects of the modules: [0-9]+ before' "$REPORTS/stress"
}
check 'vm: the random steps end well' ended_well
can_be_unloaded() {
    tell remove-all
    rmmod cxi_eth cxi_user cxi_ss1 cxi_sl cxi_sbl cxi_emu
}
check 'vm: the modules can be unloaded after them' can_be_unloaded

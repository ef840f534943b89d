# shellcheck shell=bash
# One script of commands and some random ones, sent to the module and to the driver in memory: both give the same answers, byte by
# byte. What the module says to the first is kept as a golden file, which `cargo test` holds against the driver in memory.

A=0000:21:00.0
GOLDEN=$PAYLOAD/golden
ROUNDS=${CXI_RANDOM_SCRIPTS:-4}

# on_module SCRIPT TO: by a NIC whose driver has just come.
on_module() {
    tell remove "$A" || true
    tell add "c1,pci=$A,nid=18"
    udevadm settle
    "$PAYLOAD/cxi-sim" driver run --device "/dev/$(ls "/sys/bus/pci/devices/$A/cxi_user")" "$1" >"$2"
}

in_memory() { "$PAYLOAD/cxi-sim" driver run "$1" >"$2"; }

# same FILE FILE: the first lines that differ, cut to what can be read.
same() { diff -u "$1" "$2" | cut -c 1-200 | head -n 40; cmp "$1" "$2"; }

answers_as_the_golden_file_says() {
    on_module "$GOLDEN/commands.script" "$REPORTS/commands.transcript"
    same "$GOLDEN/commands.transcript" "$REPORTS/commands.transcript"
}

driver_in_memory_agrees() {
    in_memory "$GOLDEN/commands.script" "$REPORTS/commands.memory"
    same "$REPORTS/commands.transcript" "$REPORTS/commands.memory"
}

random_scripts_agree() {
    local seed script
    for ((round = 0; round < ROUNDS; round++)); do
        seed=$(($(<"$PAYLOAD/seed") + round))
        script=$REPORTS/random-$seed
        echo "CXI_RANDOM_SEED=$seed"
        "$PAYLOAD/cxi-sim" driver generate --seed "$seed" --commands 600 >"$script.script"
        on_module "$script.script" "$script.module"
        in_memory "$script.script" "$script.memory"
        same "$script.module" "$script.memory"
    done
}

load_modules
check 'commands: the module answers as its golden file says' answers_as_the_golden_file_says
check 'commands: the driver in memory gives the same answers' driver_in_memory_agrees
check "commands: $ROUNDS random scripts, CXI_RANDOM_SEED=$(<"$PAYLOAD/seed") and up, have the same answers from both" random_scripts_agree

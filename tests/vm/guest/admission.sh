# shellcheck shell=bash
# Each service problem that `explain --pid` names, made real: a program in a container, which knows nothing of ours and picks a service
# as libfabric does, is refused by the driver for that reason. Mended by what explain says to type, the same process is admitted.

PLUGIN=/usr/bin/cxi-device-plugin
CLIENT=$MODULES/cxi-client
CXI=cxi0
# Not on a file system without device nodes, such as /run.
STORE=/var/tmp/admission
TALK=$STORE/talk
FILE=/run/mend.yaml

# The package, and a NIC whose driver has just come.
begin() {
    cp -a "$PAYLOAD/installed/." /
    load_modules
    tell add c1
    udevadm settle
    mkdir -p "$STORE/tmp" "$STORE/root"/{dev,proc,sys,etc,run,tmp,talk} "$TALK"
    cp "$CLIENT" "$STORE/root/"
    # For whoever is in the container.
    chmod 0755 "$STORE" "$STORE/root"
    chmod 0777 "$TALK"
}

# Whatever the check before has left, if it has failed.
clear_up() {
    local id
    pkill -x cxi-client || true
    wait_until has_ended
    for id in $("$PLUGIN" services list --output json | sed -n 's/^ *"id": \([0-9]*\),$/\1/p'); do
        [[ $id == 1 ]] || "$PLUGIN" services delete "$CXI" "$id" >/dev/null
    done
    "$PLUGIN" services disable-default "$CXI" >/dev/null
    rm -f "$TALK"/*
    mkfifo -m 0666 "$TALK/ask"
    install -m 0666 /dev/null "$TALK/said"
}

has_ended() { ! pgrep -x cxi-client >/dev/null; }

await_program() {
    wait_until grep -qx ready "$TALK/said" || { cat "$STORE/podman"; return 1; }
    PID=$(pgrep -nx cxi-client)
}

# contain ARGUMENT...: the program in a container that has the NIC; its process is PID.
contain() {
    clear_up
    podman --root "$STORE/storage" --runroot /run/admission --tmpdir "$STORE/tmp" --storage-driver vfs --cgroup-manager cgroupfs \
        --runtime "$RUNTIME" run --rm --log-driver none --device "/dev/$CXI" --volume /sys:/sys:ro --ulimit memlock=-1:-1 \
        --volume "$TALK:/talk" "$@" --rootfs "$STORE/root" /cxi-client serve "/dev/$CXI" /talk >"$STORE/podman" 2>&1 &
    await_program
}

# The same as a process of a user, with a user namespace in which that user is number 7.
with_ids_of_its_own() {
    clear_up
    setpriv --reuid 100007 --regid 100007 --clear-groups -- unshare --user --map-user=7 --map-group=7 -- \
        "$CLIENT" serve "/dev/$CXI" "$TALK" >"$STORE/podman" 2>&1 &
    await_program
}

has_said() { (($(wc -l <"$TALK/said") > $1)); }

# ask ORDER: what became of it.
ask() {
    local before
    before=$(wc -l <"$TALK/said")
    echo "$1" >"$TALK/ask"
    wait_until has_said "$before"
    tail -n 1 "$TALK/said"
}

# The program ends by itself.
forget() {
    echo end >"$TALK/ask"
    wait
}

explained() { "$PLUGIN" explain --pid "$PID" --output json || true; }
names_a_service() { explained | grep -q '"kind": "cxi-service"'; }

# is_named WORDS...: as the reason.
is_named() {
    local said words
    said=$(explained)
    grep -q '"kind": "cxi-service"' <<<"$said" || { echo "explain names no service problem: $said"; return 1; }
    for words in "$@"; do
        grep -qF -- "$words" <<<"$said" || { printf 'not said: %s\nbut:\n%s\n' "$words" "$said"; return 1; }
    done
}

# make_one SERVICE...: a YAML file of one line each, and the service; its number.
make_one() {
    printf '%s\n' "$@" >"$FILE"
    "$PLUGIN" services create --file "$FILE" "$CXI" >/dev/null
    "$PLUGIN" services list --output json | sed -n 's/^ *"id": \([0-9]*\),$/\1/p' | sort -n | tail -n 1
}

# mend PATTERN: types the command of explain's that has these words, with this NIC and our file for its placeholders.
mend() {
    local command
    command=$({ "$PLUGIN" explain --pid "$PID" || true; } | tr '\n' ' ' | tr -s ' ' | grep -o "cxi-device-plugin services $1[^;:]* cxiN" | head -n 1) ||
        { echo "explain says no command with $1"; return 1; }
    command=${command/cxiN/$CXI}
    command=${command/FILE/$FILE}
    echo "typed: $command"
    $command
}

# is_admitted SERVICE: the same process as before, and explain has nothing to say of it.
is_admitted() {
    expect 'the service that it takes by itself' "$1 ok" "$(ask choose)"
    ! names_a_service || { explained; return 1; }
}

members() { printf 'restricted_members: 1\nvnis: {vni: 20}\nmembers: [%s]\n' "$1"; }

the_default_service_is_off() {
    contain --network host --user 7:7
    expect 'the default service' '1 EKEYREVOKED' "$(ask 1)"
    expect 'by itself' none "$(ask choose)"
    is_named 'the default service (1) is off' 'user 7 and group 7 of the host' '-38 (Function not implemented)'
    mend enable-default
    is_admitted 1
    forget
}

all_are_for_others() {
    contain --network host --user 7:7
    expect 'a new one' 2 "$(make_one "$(members '{type: uid, id: 8}, {type: gid, id: 8}')")"
    expect 'that service' '2 EPERM' "$(ask 2)"
    expect 'by itself' none "$(ask choose)"
    is_named 'service 2 is for user 8, group 8'
    members '{type: uid, id: 7}' >"$FILE"
    mend 'create --file'
    is_admitted 3
    forget
}

a_further_group_does_not_count() {
    contain --network host --user 7:7 --group-add 9
    expect 'a new one' 2 "$(make_one "$(members '{type: gid, id: 9}')")"
    grep -qw 9 <<<"$(sed -n 's/^Groups://p' "/proc/$PID/status")"
    expect 'that service' '2 EPERM' "$(ask 2)"
    expect 'by itself' none "$(ask choose)"
    is_named 'service 2 is for group 9' 'user 7 and group 7 of the host'
    members '{type: gid, id: 7}' >"$FILE"
    mend 'create --file'
    is_admitted 3
    forget
}

another_namespace_is_meant() {
    local host own
    contain --network none --user 7:7
    host=$(stat -L -c %i /proc/self/ns/net)
    own=$(stat -L -c %i "/proc/$PID/ns/net")
    [[ $host != "$own" ]]
    expect 'a new one' 2 "$(make_one "$(members "{type: netns, id: $host}")")"
    expect 'that service' '2 EPERM' "$(ask 2)"
    expect 'by itself' none "$(ask choose)"
    is_named "service 2 is for network namespace $host" "in network namespace $own"
    members "{type: netns, id: $own}" >"$FILE"
    mend 'create --file'
    is_admitted 3
    forget
}

# launched ID: by a launcher that has named this service.
launched() {
    contain --network host --user 7:7 --env "SLINGSHOT_DEVICES=$CXI" --env "SLINGSHOT_SVC_IDS=$1" --env SLINGSHOT_VNIS=20
}

the_named_service_is_gone() {
    launched 2
    "$PLUGIN" services enable-default "$CXI"
    expect 'that service' '2 EINVAL' "$(ask choose)"
    is_named 'SLINGSHOT_SVC_IDS names service 2, which the NIC does not have' '-22 (Invalid argument)'
    members '{type: uid, id: 7}' >"$FILE"
    mend 'create --file'
    is_admitted 2
    forget
}

the_named_service_is_off() {
    launched 1
    expect 'that service' '1 EKEYREVOKED' "$(ask choose)"
    is_named 'SLINGSHOT_SVC_IDS names service 1, which is off' '-22 (Invalid argument)'
    mend enable-default
    is_admitted 1
    forget
}

# One for this user is of use only under the number that is named.
the_named_service_is_for_others() {
    launched 2
    expect 'a new one' 2 "$(make_one "$(members '{type: uid, id: 8}')")"
    "$PLUGIN" services enable-default "$CXI"
    expect 'that service' '2 EPERM' "$(ask choose)"
    is_named 'SLINGSHOT_SVC_IDS names service 2, which does not admit this process: it is for user 8' '-22 (Invalid argument)'
    "$PLUGIN" services delete "$CXI" 2
    members '{type: uid, id: 7}' >"$FILE"
    mend 'create --file'
    is_admitted 2
    forget
}

# The driver goes by the host's ids, libfabric by those that the process sees.
in_a_user_namespace() {
    with_ids_of_its_own
    expect 'a new one' 2 "$(make_one "$(members '{type: uid, id: 7}')")"
    expect 'what it takes by its own ids' '2 EPERM' "$(ask choose)"
    is_named 'it takes service 2, which is for user 7 of the host' '-22 (Invalid argument)' \
        'user 100007 and group 100007 of the host, which the ids in its user namespace stand for'
    "$PLUGIN" services delete "$CXI" 2
    expect 'another one' 2 "$(make_one "$(members '{type: uid, id: 100007}')")"
    expect 'that service' '2 ok' "$(ask 2)"
    expect 'by itself' none "$(ask choose)"
    is_named '(service 2 is for user 100007)' '-38 (Function not implemented)'
    mend enable-default
    is_admitted 1
    forget
}

# A service has none, and podman asks.
export HOME=/root
RUNTIME=crun
begin
check 'admission: the default service is off: EKEYREVOKED, and on after enable-default' the_default_service_is_off
check 'admission: all services are for others: EPERM, and one for this user after create' all_are_for_others
check 'admission: a further group does not count: EPERM, and one for its own group after create' a_further_group_does_not_count
check 'admission: the service is for another network namespace: EPERM, and one for its own after create' another_namespace_is_meant
check 'admission: the service that a launcher has named is gone: EINVAL, and it is there after create' the_named_service_is_gone
check 'admission: the service that a launcher has named is off: EKEYREVOKED, and on after enable-default' the_named_service_is_off
check 'admission: the service that a launcher has named is for others: EPERM' the_named_service_is_for_others
check 'admission: in a user namespace a service for a user is refused (EPERM) or not found, and one for everybody is after enable-default' in_a_user_namespace
clear_up

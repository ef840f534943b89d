# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_cxi_device_plugin_global_optspecs
    string join \n config= resource-name= kubelet-dir= cdi-dir= run-dir= enable-cdi= pulse= log-level= libraries= closure-all expose= netdev-view= presets= env-vars= root= sysfs-root= devfs-root= ofi-root= cxi-root= h/help V/version
end

function __fish_cxi_device_plugin_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_cxi_device_plugin_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_cxi_device_plugin_using_subcommand
    set -l cmd (__fish_cxi_device_plugin_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l config -d 'Configuration, with drop-ins in config.d beside it [default: /etc/cxi-device-plugin/config.toml, if there is one]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l resource-name -d 'Name of the extended resource' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l kubelet-dir -d 'Kubelet\'s directory for device plugins' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l cdi-dir -d 'Directory for the CDI spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l run-dir -d 'Directory for the daemon\'s own state [default: $RUNTIME_DIRECTORY of systemd, or /run/cxi-device-plugin]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l enable-cdi -d 'Answer kubelet with CDI names whatever the container runtime makes of them; DIR sets --cdi-dir, too [default: with CDI names where the runtime is known to honour them, else with device nodes and mounts]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l pulse -d 'Seconds between two looks at the node without an event, for what has none; 0 for no such looks' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l log-level -d 'Least severe messages to log' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l libraries -d 'Libraries that containers get from the host' -r -f -a "listed\t'libfabric and libcxi of the host'
closure\t'These and what they need, but neither glibc\'s own libraries nor those that images are likely to have'
directory\t'libfabric and libcxi, and the whole directory of libfabric as one: for stacks that are built to be in a container'
none\t'Nothing: for images that bring their own'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l expose -d 'How containers find these libraries' -r -f -a "loader-paths\t'Under their sonames in the directories that loaders search by themselves; no environment is touched. For most images; a libfabric of the image in its LD_LIBRARY_PATH or in the loader\'s cache comes first, and musl does not look there'
env\t'At the host\'s paths, with LD_LIBRARY_PATH set, which REPLACES the image\'s own value. For images with a libfabric that must not be used; not for musl, which then finds what it cannot load'
private\t'Under their sonames in /opt/cxi/lib64 and nowhere else: the image decides, by its own LD_LIBRARY_PATH or RPATH'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l netdev-view -d 'What containers see of their NICs\' network interfaces' -r -f -a "off\t'Those of their own network namespace: they have to share the host\'s, or be given the interface'
sysfs\t'Experimental: the host\'s /sys/class/net, read-only, with the interfaces of their own NICs; libfabric accepts these without the host\'s network. Hides the container\'s own interfaces there, and NICs whose interface was moved into it'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l presets -d 'Sets of variables for every container with a NIC, separated by commas; those of --env-vars go over them' -r -f -a "vf\t'Virtual functions: they have neither a retry handler nor a fabric address of their own'
mr-cache\t'The cache of memory registrations hears by /dev/kdreg2 that memory goes away'
ccl\t'Collectives of GPUs (NCCL, RCCL)'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l env-vars -d 'YAML file whose key \'env:\' lists KEY=VALUE for every container with a NIC' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -l closure-all -d 'With --libraries closure: also libraries that images are likely to have, such as libssl, libcurl and libstdc++'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -s V -l version -d 'Print version'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -f -a "run" -d 'Run the daemon in the foreground (the default)'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -f -a "status" -d 'Show what the running daemon says of itself and of the NICs'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -f -a "devices" -d 'List the NICs of this node as they look now'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -f -a "explain" -d 'Say why a NIC is as it is, or whether libfabric in a container would accept it, and what to do'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -f -a "cordon" -d 'Keep a NIC from new pods'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -f -a "uncordon" -d 'Let new pods have a NIC again'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -f -a "doctor" -d 'Say what is wrong with this node, and what to type'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -f -a "services" -d 'Show the CXI services of the NICs, and change them'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -f -a "isolation" -d 'Make a CXI service for each pod, so that nobody else can use its VNI on its NICs'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -f -a "config" -d 'Show what the daemon would run by, and where each value comes from'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_needs_command" -f -a "check-config" -d 'Check a configuration file with its drop-ins'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l config -d 'Configuration, with drop-ins in config.d beside it [default: /etc/cxi-device-plugin/config.toml, if there is one]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l resource-name -d 'Name of the extended resource' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l kubelet-dir -d 'Kubelet\'s directory for device plugins' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l cdi-dir -d 'Directory for the CDI spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l run-dir -d 'Directory for the daemon\'s own state [default: $RUNTIME_DIRECTORY of systemd, or /run/cxi-device-plugin]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l enable-cdi -d 'Answer kubelet with CDI names whatever the container runtime makes of them; DIR sets --cdi-dir, too [default: with CDI names where the runtime is known to honour them, else with device nodes and mounts]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l pulse -d 'Seconds between two looks at the node without an event, for what has none; 0 for no such looks' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l log-level -d 'Least severe messages to log' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l libraries -d 'Libraries that containers get from the host' -r -f -a "listed\t'libfabric and libcxi of the host'
closure\t'These and what they need, but neither glibc\'s own libraries nor those that images are likely to have'
directory\t'libfabric and libcxi, and the whole directory of libfabric as one: for stacks that are built to be in a container'
none\t'Nothing: for images that bring their own'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l expose -d 'How containers find these libraries' -r -f -a "loader-paths\t'Under their sonames in the directories that loaders search by themselves; no environment is touched. For most images; a libfabric of the image in its LD_LIBRARY_PATH or in the loader\'s cache comes first, and musl does not look there'
env\t'At the host\'s paths, with LD_LIBRARY_PATH set, which REPLACES the image\'s own value. For images with a libfabric that must not be used; not for musl, which then finds what it cannot load'
private\t'Under their sonames in /opt/cxi/lib64 and nowhere else: the image decides, by its own LD_LIBRARY_PATH or RPATH'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l netdev-view -d 'What containers see of their NICs\' network interfaces' -r -f -a "off\t'Those of their own network namespace: they have to share the host\'s, or be given the interface'
sysfs\t'Experimental: the host\'s /sys/class/net, read-only, with the interfaces of their own NICs; libfabric accepts these without the host\'s network. Hides the container\'s own interfaces there, and NICs whose interface was moved into it'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l presets -d 'Sets of variables for every container with a NIC, separated by commas; those of --env-vars go over them' -r -f -a "vf\t'Virtual functions: they have neither a retry handler nor a fabric address of their own'
mr-cache\t'The cache of memory registrations hears by /dev/kdreg2 that memory goes away'
ccl\t'Collectives of GPUs (NCCL, RCCL)'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l env-vars -d 'YAML file whose key \'env:\' lists KEY=VALUE for every container with a NIC' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -l closure-all -d 'With --libraries closure: also libraries that images are likely to have, such as libssl, libcurl and libstdc++'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand status" -l run-dir -d 'The daemon\'s own directory [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand status" -l root -d 'Where the host\'s file system is mounted; the default directory lies below it' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand status" -l pod-resources -d 'Kubelet\'s socket that tells which pod holds which NIC [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand status" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand devices" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand devices" -l pod-resources -d 'Kubelet\'s socket that tells which pod holds which NIC [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand devices" -l run-dir -d 'The daemon\'s own directory, where it is said which NICs are cordoned [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand devices" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand devices" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand devices" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand devices" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand devices" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand devices" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand explain" -l pid -d 'Instead of a NIC: a process in a container, as the host numbers it' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand explain" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand explain" -l run-dir -d 'The daemon\'s own directory, where it is said which NICs are cordoned [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand explain" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand explain" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand explain" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand explain" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand explain" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand cordon" -l reason -d 'Why, in one line; it shows wherever the NIC\'s state does' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand cordon" -l run-dir -d 'The daemon\'s own directory, where it is said which NICs are cordoned [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand cordon" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand cordon" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand cordon" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand cordon" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand cordon" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand cordon" -s h -l help -d 'Print help'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand uncordon" -l run-dir -d 'The daemon\'s own directory, where it is said which NICs are cordoned [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand uncordon" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand uncordon" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand uncordon" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand uncordon" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand uncordon" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand uncordon" -s h -l help -d 'Print help'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -l bundle -d 'Also write all that was looked at into this tar archive, without secrets, for somebody who cannot log in here; - is standard output, and the findings go to standard error then' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -l log -d 'A log to put into the bundle' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -l cdi-dir -d 'CDI directories, the daemon\'s last; may be repeated [default: /etc/cdi, and the daemon\'s]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -l kubelet-dir -d 'Kubelet\'s directory for device plugins [default: the daemon\'s]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -l run-dir -d 'Directory of the daemon\'s own state [default: the daemon\'s]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -l pod-resources -d 'Kubelet\'s socket that tells which pod holds which NIC [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -l run-dir -d 'The daemon\'s own directory, where it is said which NICs are cordoned [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -f -a "list" -d 'List the services of the NICs (the default)'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -f -a "enable-default" -d 'Switch the default service (1) on, which admits everybody'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -f -a "disable-default" -d 'Switch the default service (1) off'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -f -a "create" -d 'Make a service as a file describes it, or none'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and not __fish_seen_subcommand_from list enable-default disable-default create delete" -f -a "delete" -d 'End a service; one that is still in use is waited for'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from list" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from list" -l run-dir -d 'The daemon\'s own directory, where it is said which NICs are cordoned [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from list" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from list" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from list" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from list" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from list" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from enable-default" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from enable-default" -l state-dir -d 'Directory where it is kept for which life of a NIC its default service was switched [default: /run/cxi-default-service]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from enable-default" -l run-dir -d 'The daemon\'s own directory, where it is said which NICs are cordoned [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from enable-default" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from enable-default" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from enable-default" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from enable-default" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from enable-default" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from enable-default" -l once -d 'Only once in a NIC\'s life: where it was switched off since, leave it off'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from enable-default" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from disable-default" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from disable-default" -l state-dir -d 'Directory where it is kept for which life of a NIC its default service was switched [default: /run/cxi-default-service]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from disable-default" -l run-dir -d 'The daemon\'s own directory, where it is said which NICs are cordoned [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from disable-default" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from disable-default" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from disable-default" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from disable-default" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from disable-default" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from disable-default" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from create" -s f -l file -d 'What it is to be: the YAML of HPE\'s cxi_service create' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from create" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from create" -l run-dir -d 'The daemon\'s own directory, where it is said which NICs are cordoned [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from create" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from create" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from create" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from create" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from create" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from create" -s n -l dry-run -d 'Say what would be done, and do nothing'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from delete" -l wait -d 'Seconds to wait for a service that is in use' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from delete" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from delete" -l run-dir -d 'The daemon\'s own directory, where it is said which NICs are cordoned [default: the daemon\'s, by the host\'s configuration]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from delete" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from delete" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from delete" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from delete" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from delete" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from delete" -l ours -d 'Instead of one service: all that cxi-isolation.service has made, those of living pods, too; stop it first'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand services; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand isolation" -l config -d 'Configuration, with drop-ins in config.d beside it [default: /etc/cxi-device-plugin/config.toml, if there is one]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand isolation" -l run-dir -d 'Directory for its own state [default: $RUNTIME_DIRECTORY of systemd, or /run/cxi-isolation]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand isolation" -l nri-socket -d 'Where the container runtime takes plugins' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand isolation" -l pod-resources -d 'Kubelet\'s socket that tells which pod holds what [default: kubelet.pod_resources]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand isolation" -l log-level -d 'Least severe messages to log [default: log.level]' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand isolation" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand isolation" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand isolation" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand isolation" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand isolation" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand isolation" -s h -l help -d 'Print help'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l config -d 'Configuration, with drop-ins in config.d beside it [default: /etc/cxi-device-plugin/config.toml, if there is one]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l resource-name -d 'Name of the extended resource' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l kubelet-dir -d 'Kubelet\'s directory for device plugins' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l cdi-dir -d 'Directory for the CDI spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l run-dir -d 'Directory for the daemon\'s own state [default: $RUNTIME_DIRECTORY of systemd, or /run/cxi-device-plugin]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l enable-cdi -d 'Answer kubelet with CDI names whatever the container runtime makes of them; DIR sets --cdi-dir, too [default: with CDI names where the runtime is known to honour them, else with device nodes and mounts]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l pulse -d 'Seconds between two looks at the node without an event, for what has none; 0 for no such looks' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l log-level -d 'Least severe messages to log' -r
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l libraries -d 'Libraries that containers get from the host' -r -f -a "listed\t'libfabric and libcxi of the host'
closure\t'These and what they need, but neither glibc\'s own libraries nor those that images are likely to have'
directory\t'libfabric and libcxi, and the whole directory of libfabric as one: for stacks that are built to be in a container'
none\t'Nothing: for images that bring their own'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l expose -d 'How containers find these libraries' -r -f -a "loader-paths\t'Under their sonames in the directories that loaders search by themselves; no environment is touched. For most images; a libfabric of the image in its LD_LIBRARY_PATH or in the loader\'s cache comes first, and musl does not look there'
env\t'At the host\'s paths, with LD_LIBRARY_PATH set, which REPLACES the image\'s own value. For images with a libfabric that must not be used; not for musl, which then finds what it cannot load'
private\t'Under their sonames in /opt/cxi/lib64 and nowhere else: the image decides, by its own LD_LIBRARY_PATH or RPATH'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l netdev-view -d 'What containers see of their NICs\' network interfaces' -r -f -a "off\t'Those of their own network namespace: they have to share the host\'s, or be given the interface'
sysfs\t'Experimental: the host\'s /sys/class/net, read-only, with the interfaces of their own NICs; libfabric accepts these without the host\'s network. Hides the container\'s own interfaces there, and NICs whose interface was moved into it'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l presets -d 'Sets of variables for every container with a NIC, separated by commas; those of --env-vars go over them' -r -f -a "vf\t'Virtual functions: they have neither a retry handler nor a fabric address of their own'
mr-cache\t'The cache of memory registrations hears by /dev/kdreg2 that memory goes away'
ccl\t'Collectives of GPUs (NCCL, RCCL)'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l env-vars -d 'YAML file whose key \'env:\' lists KEY=VALUE for every container with a NIC' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'
toml\t'As a configuration file'"
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -l closure-all -d 'With --libraries closure: also libraries that images are likely to have, such as libssl, libcurl and libstdc++'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -n "__fish_cxi_device_plugin_using_subcommand check-config" -s h -l help -d 'Print help'

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_cxi_cdi_generator_global_optspecs
    string join \n v/version cdi-dir= n/dry-run o/output= format= device= functions= names= no-all V/verbose= run-dir= libraries= closure-all expose= netdev-view= presets= env-vars= root= sysfs-root= devfs-root= ofi-root= cxi-root= h/help
end

function __fish_cxi_cdi_generator_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_cxi_cdi_generator_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_cxi_cdi_generator_using_subcommand
    set -l cmd (__fish_cxi_cdi_generator_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l cdi-dir -d 'Directory for the spec, made if it is missing [default: /etc/cdi]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -s o -l output -d 'Write the spec to this file instead, as a whole or not at all; - prints it. The suffix .json or .yaml sets the format unless --format does' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l format -d 'Format of the spec [default: yaml]' -r -f -a "yaml\t'As hpe.com-cxi.yaml'
json\t'As hpe.com-cxi.json'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l device -d 'Only these NICs: PCI address, cxiN, N or network interface; may be repeated' -r
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l functions -d 'Which PCI functions get names' -r -f -a "pf\t'Physical functions'
vf\t'Virtual functions (SR-IOV)'
all\t'Both'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l names -d 'Names that each NIC gets, separated by commas' -r -f -a "pci\t'The PCI address, such as 0000:21:00.0, which stays'
cxi\t'The kernel\'s name, such as cxi0, which moves'
index\t'The kernel\'s number, such as 0, which moves'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -s V -l verbose -d 'How much to say of what was found: 0 problems, 1 each NIC, 2 each value that could not be read' -r
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l run-dir -d 'Where a running cxi-device-plugin keeps its lock; looked at to warn of it [default: /run/cxi-device-plugin]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l libraries -d 'Libraries that containers get from the host' -r -f -a "listed\t'libfabric and libcxi of the host'
closure\t'These and what they need, but neither glibc\'s own libraries nor those that images are likely to have'
directory\t'libfabric and libcxi, and the whole directory of libfabric as one: for stacks that are built to be in a container'
none\t'Nothing: for images that bring their own'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l expose -d 'How containers find these libraries' -r -f -a "loader-paths\t'Under their sonames in the directories that loaders search by themselves; no environment is touched. For most images; a libfabric of the image in its LD_LIBRARY_PATH or in the loader\'s cache comes first, and musl does not look there'
env\t'At the host\'s paths, with LD_LIBRARY_PATH set, which REPLACES the image\'s own value. For images with a libfabric that must not be used; not for musl, which then finds what it cannot load'
private\t'Under their sonames in /opt/cxi/lib64 and nowhere else: the image decides, by its own LD_LIBRARY_PATH or RPATH'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l netdev-view -d 'What containers see of their NICs\' network interfaces' -r -f -a "off\t'Those of their own network namespace: they have to share the host\'s, or be given the interface'
sysfs\t'Experimental: the host\'s /sys/class/net, read-only, with the interfaces of their own NICs; libfabric accepts these without the host\'s network. Hides the container\'s own interfaces there, and NICs whose interface was moved into it'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l presets -d 'Sets of variables for every container with a NIC, separated by commas; those of --env-vars go over them' -r -f -a "vf\t'Virtual functions: they have neither a retry handler nor a fabric address of their own'
mr-cache\t'The cache of memory registrations hears by /dev/kdreg2 that memory goes away'
ccl\t'Collectives of GPUs (NCCL, RCCL)'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l env-vars -d 'YAML file whose key \'env:\' lists KEY=VALUE for every container with a NIC' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -s v -l version -d 'Print the version'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -s n -l dry-run -d 'Print the spec instead of writing it'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l no-all -d 'Leave out the device \'all\''
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -l closure-all -d 'With --libraries closure: also libraries that images are likely to have, such as libssl, libcurl and libstdc++'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -f -a "generate" -d 'Write the CDI spec (the default)'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -f -a "list" -d 'List what the CDI directories offer, and which of it works'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -f -a "verify" -d 'Compare the spec on disk with what this node would get now'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_needs_command" -f -a "remove" -d 'Remove our spec from a CDI directory'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l cdi-dir -d 'Directory for the spec, made if it is missing [default: /etc/cdi]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -s o -l output -d 'Write the spec to this file instead, as a whole or not at all; - prints it. The suffix .json or .yaml sets the format unless --format does' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l format -d 'Format of the spec [default: yaml]' -r -f -a "yaml\t'As hpe.com-cxi.yaml'
json\t'As hpe.com-cxi.json'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l device -d 'Only these NICs: PCI address, cxiN, N or network interface; may be repeated' -r
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l functions -d 'Which PCI functions get names' -r -f -a "pf\t'Physical functions'
vf\t'Virtual functions (SR-IOV)'
all\t'Both'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l names -d 'Names that each NIC gets, separated by commas' -r -f -a "pci\t'The PCI address, such as 0000:21:00.0, which stays'
cxi\t'The kernel\'s name, such as cxi0, which moves'
index\t'The kernel\'s number, such as 0, which moves'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -s V -l verbose -d 'How much to say of what was found: 0 problems, 1 each NIC, 2 each value that could not be read' -r
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l run-dir -d 'Where a running cxi-device-plugin keeps its lock; looked at to warn of it [default: /run/cxi-device-plugin]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l libraries -d 'Libraries that containers get from the host' -r -f -a "listed\t'libfabric and libcxi of the host'
closure\t'These and what they need, but neither glibc\'s own libraries nor those that images are likely to have'
directory\t'libfabric and libcxi, and the whole directory of libfabric as one: for stacks that are built to be in a container'
none\t'Nothing: for images that bring their own'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l expose -d 'How containers find these libraries' -r -f -a "loader-paths\t'Under their sonames in the directories that loaders search by themselves; no environment is touched. For most images; a libfabric of the image in its LD_LIBRARY_PATH or in the loader\'s cache comes first, and musl does not look there'
env\t'At the host\'s paths, with LD_LIBRARY_PATH set, which REPLACES the image\'s own value. For images with a libfabric that must not be used; not for musl, which then finds what it cannot load'
private\t'Under their sonames in /opt/cxi/lib64 and nowhere else: the image decides, by its own LD_LIBRARY_PATH or RPATH'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l netdev-view -d 'What containers see of their NICs\' network interfaces' -r -f -a "off\t'Those of their own network namespace: they have to share the host\'s, or be given the interface'
sysfs\t'Experimental: the host\'s /sys/class/net, read-only, with the interfaces of their own NICs; libfabric accepts these without the host\'s network. Hides the container\'s own interfaces there, and NICs whose interface was moved into it'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l presets -d 'Sets of variables for every container with a NIC, separated by commas; those of --env-vars go over them' -r -f -a "vf\t'Virtual functions: they have neither a retry handler nor a fabric address of their own'
mr-cache\t'The cache of memory registrations hears by /dev/kdreg2 that memory goes away'
ccl\t'Collectives of GPUs (NCCL, RCCL)'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l env-vars -d 'YAML file whose key \'env:\' lists KEY=VALUE for every container with a NIC' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -s n -l dry-run -d 'Print the spec instead of writing it'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l no-all -d 'Leave out the device \'all\''
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -l closure-all -d 'With --libraries closure: also libraries that images are likely to have, such as libssl, libcurl and libstdc++'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand generate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand list" -l cdi-dir -d 'CDI directories, that of the highest priority last; may be repeated [default: /etc/cdi, /var/run/cdi]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand list" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand list" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand list" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand list" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand list" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand list" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l cdi-dir -d 'Directory of the spec [default: /etc/cdi]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l rootfs -d 'Instead of the spec on disk: foretell what an image that is unpacked here gets of the host\'s libraries' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l image-library-path -d 'LD_LIBRARY_PATH that this image sets itself' -r
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l format -d 'Format of the spec [default: yaml]' -r -f -a "yaml\t'As hpe.com-cxi.yaml'
json\t'As hpe.com-cxi.json'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l device -d 'Only these NICs: PCI address, cxiN, N or network interface; may be repeated' -r
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l functions -d 'Which PCI functions get names' -r -f -a "pf\t'Physical functions'
vf\t'Virtual functions (SR-IOV)'
all\t'Both'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l names -d 'Names that each NIC gets, separated by commas' -r -f -a "pci\t'The PCI address, such as 0000:21:00.0, which stays'
cxi\t'The kernel\'s name, such as cxi0, which moves'
index\t'The kernel\'s number, such as 0, which moves'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -s V -l verbose -d 'How much to say of what was found: 0 problems, 1 each NIC, 2 each value that could not be read' -r
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l run-dir -d 'Where a running cxi-device-plugin keeps its lock; looked at to warn of it [default: /run/cxi-device-plugin]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l libraries -d 'Libraries that containers get from the host' -r -f -a "listed\t'libfabric and libcxi of the host'
closure\t'These and what they need, but neither glibc\'s own libraries nor those that images are likely to have'
directory\t'libfabric and libcxi, and the whole directory of libfabric as one: for stacks that are built to be in a container'
none\t'Nothing: for images that bring their own'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l expose -d 'How containers find these libraries' -r -f -a "loader-paths\t'Under their sonames in the directories that loaders search by themselves; no environment is touched. For most images; a libfabric of the image in its LD_LIBRARY_PATH or in the loader\'s cache comes first, and musl does not look there'
env\t'At the host\'s paths, with LD_LIBRARY_PATH set, which REPLACES the image\'s own value. For images with a libfabric that must not be used; not for musl, which then finds what it cannot load'
private\t'Under their sonames in /opt/cxi/lib64 and nowhere else: the image decides, by its own LD_LIBRARY_PATH or RPATH'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l netdev-view -d 'What containers see of their NICs\' network interfaces' -r -f -a "off\t'Those of their own network namespace: they have to share the host\'s, or be given the interface'
sysfs\t'Experimental: the host\'s /sys/class/net, read-only, with the interfaces of their own NICs; libfabric accepts these without the host\'s network. Hides the container\'s own interfaces there, and NICs whose interface was moved into it'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l presets -d 'Sets of variables for every container with a NIC, separated by commas; those of --env-vars go over them' -r -f -a "vf\t'Virtual functions: they have neither a retry handler nor a fabric address of their own'
mr-cache\t'The cache of memory registrations hears by /dev/kdreg2 that memory goes away'
ccl\t'Collectives of GPUs (NCCL, RCCL)'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l env-vars -d 'YAML file whose key \'env:\' lists KEY=VALUE for every container with a NIC' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l cxi-root -d 'Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l no-all -d 'Leave out the device \'all\''
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -l closure-all -d 'With --libraries closure: also libraries that images are likely to have, such as libssl, libcurl and libstdc++'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand remove" -l cdi-dir -d 'Directory of the spec [default: /etc/cdi]' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand remove" -l root -d 'Where the host\'s file system is mounted; the default directory lies below it' -r -F
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand remove" -s o -l output -d 'For whom to write' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c cxi-cdi-generator -n "__fish_cxi_cdi_generator_using_subcommand remove" -s h -l help -d 'Print help (see more with \'--help\')'

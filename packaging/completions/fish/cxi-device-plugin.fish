complete -c cxi-device-plugin -l resource-name -d 'Name of the extended resource' -r
complete -c cxi-device-plugin -l kubelet-dir -d 'Kubelet\'s directory for device plugins' -r -F
complete -c cxi-device-plugin -l cdi-dir -d 'Directory for the CDI spec' -r -F
complete -c cxi-device-plugin -l run-dir -d 'Directory for the daemon\'s own state [default: $RUNTIME_DIRECTORY of systemd, or /run/cxi-device-plugin]' -r -F
complete -c cxi-device-plugin -l enable-cdi -d 'Answer kubelet with CDI names instead of device nodes and mounts; DIR sets --cdi-dir, too' -r -F
complete -c cxi-device-plugin -l pulse -d 'Seconds between two looks at the node without an event, for what has none; 0 for no such looks' -r
complete -c cxi-device-plugin -l log-level -d 'Least severe messages to log' -r
complete -c cxi-device-plugin -l libraries -d 'Libraries that containers get from the host' -r -f -a "listed\t'libfabric and libcxi of the host'
closure\t'These and what they need, but neither glibc\'s own libraries nor those that images are likely to have'
none\t'Nothing: for images that bring their own'"
complete -c cxi-device-plugin -l expose -d 'How containers find these libraries' -r -f -a "loader-paths\t'Under their sonames in the directories that loaders search by themselves; no environment is touched. For most images; a libfabric of the image in its LD_LIBRARY_PATH or in the loader\'s cache comes first, and musl does not look there'
env\t'At the host\'s paths, with LD_LIBRARY_PATH set, which REPLACES the image\'s own value. For images with a libfabric that must not be used; not for musl, which then finds what it cannot load'
private\t'Under their sonames in /opt/cxi/lib64 and nowhere else: the image decides, by its own LD_LIBRARY_PATH or RPATH'"
complete -c cxi-device-plugin -l env-vars -d 'YAML file whose key \'env:\' lists KEY=VALUE for every container with a NIC' -r -F
complete -c cxi-device-plugin -l root -d 'Where the host\'s file system is mounted; stripped from every path in the spec' -r -F
complete -c cxi-device-plugin -l sysfs-root -d 'sysfs on the host [default: /sys]' -r -F
complete -c cxi-device-plugin -l devfs-root -d 'Device nodes on the host [default: /dev]' -r -F
complete -c cxi-device-plugin -l ofi-root -d 'Directory of libfabric on the host [default: /opt/cray/lib64, then /opt/cray/libfabric/*/lib64 and the loader\'s cache]' -r -F
complete -c cxi-device-plugin -l cxi-root -d 'Directory of libcxi on the host [default: /usr/lib64, then the loader\'s cache]' -r -F
complete -c cxi-device-plugin -l closure-all -d 'With --libraries closure: also libraries that images are likely to have, such as libssl, libcurl and libstdc++'
complete -c cxi-device-plugin -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cxi-device-plugin -s V -l version -d 'Print version'

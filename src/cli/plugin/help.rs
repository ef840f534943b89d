//! Help below the flags; the manual pages are made from the same texts: headings, under them what to type or what is
//! meant, and under that what it does.

/// Of the program.
pub const PLUGIN: &str = "\
Examples:
  cxi-device-plugin
      Serve beta.hpe.com/cxi to kubelet and keep /var/run/cdi/hpe.com-cxi.yaml true
  cxi-device-plugin --enable-cdi
      Answer kubelet with CDI names, whatever its runtime makes of them
  kill -HUP $(pidof cxi-device-plugin)
      Have it read its configuration anew and look at the node again
  cxi-device-plugin status
      Show how the running daemon, its events, kubelet and the NICs stand
  cxi-device-plugin explain hsn0
      Say why a NIC is as it is, and what to type
  cxi-device-plugin explain --pid $(podman inspect -f '{{.State.Pid}}' NAME)
      Say whether libfabric in that container would accept each NIC

Files:
  /etc/cxi-device-plugin/config.toml
      The configuration; then config.d/*.toml beside it by name. Environment and flags win over files
  /var/run/cdi/hpe.com-cxi.yaml
      The CDI spec; files of other names are never touched
  /var/lib/kubelet/device-plugins/kubelet.sock
      Where kubelet is; its directory gets the daemon's own sockets, too
  /run/cxi-device-plugin/lock
      Held while an instance runs
  /run/cxi-device-plugin/first-start
      When the first start of this boot was; no later one waits for NICs
  /run/cxi-device-plugin/status.json
      What status shows; gone when the daemon has ended in order
  /run/cxi-device-plugin/cordoned/
      A file for each NIC that is kept from new pods, named by PCI address; its line says why

Environment:
  SYSFS_ROOT, DEVFS_ROOT, OFI_ROOT, CXI_ROOT
      Where the host keeps things, as the flags of these names; a flag wins, and an empty value counts as not set
  RUNTIME_DIRECTORY
      Set by systemd: directory for the daemon's own state, unless --run-dir names one
  NOTIFY_SOCKET, WATCHDOG_USEC, JOURNAL_STREAM
      Set by systemd: where it hears of the daemon's state, how often, and whether stderr is the journal

Exit codes:
  0
      Ended by SIGTERM or SIGINT
  1
      Failed
  2
      Wrong usage
  3
      Findings (doctor, explain --pid)
  75
      Another instance is running; or a directory was made after the start, out of reach of this sandbox: start again
  78
      Bad configuration: a file of it, a root, or the --env-vars file";

/// Of `run`.
pub const RUN: &str = "\
Examples:
  cxi-device-plugin run --enable-cdi
      The same as without 'run'

Exit codes:
  0, 1, 2, 75, 78
      As of cxi-device-plugin";

/// Of `status`.
pub const STATUS: &str = "\
Examples:
  cxi-device-plugin status
      The daemon, what it hears, kubelet, the CDI file, and each NIC with its state
  cxi-device-plugin status --output json | jq '.nics[] | select(.healthy | not)'
      The NICs that kubelet gives to no new pod, each with every condition
  cxi-device-plugin status --output json | jq '.pods.held[] | {nic, namespace, pod}'
      Which pod holds which NIC, as kubelet says; null in .pods.unknown, or why that is not known

Exit codes:
  0
      A daemon runs
  1
      None runs, or its record cannot be read
  2
      Wrong usage";

/// Of `devices`.
pub const DEVICES: &str = "\
Examples:
  cxi-device-plugin devices
      Needs no daemon; nothing is held back or remembered, as a daemon does. As root, with the pods that hold the NICs

Exit codes:
  0
      Listed, whatever their state
  1
      Failed
  2
      Wrong usage
  78
      Bad configuration: a root";

/// Of `explain`.
pub const EXPLAIN: &str = "\
Examples:
  cxi-device-plugin explain 0000:21:00.0
      Every condition of the NIC with what was read, and what to type for each that is not ok; from the record of the
      running daemon, else by a look at the node
  cxi-device-plugin explain --pid $(podman inspect -f '{{.State.Pid}}' NAME)
      Whether libfabric in that container would accept each NIC: device node, /sys, netdev, fabric address, retry
      handler, locked memory, libraries, and a CXI service that admits the process; as root
  cxi-device-plugin explain --pid $(crictl inspect --output go-template --template '{{.info.pid}}' CONTAINER)
      The same for a container of a pod; and which NICs it has without having been given them

Not looked at:
  SELinux and AppArmor, device rules of cgroup v2, libraries by a program's own RPATH, variables that
  a program has set after its start

Exit codes:
  0
      Explained; with --pid: each NIC that the container has would be accepted
  1
      Failed
  2
      Wrong usage
  3
      With --pid: a NIC would be refused, or the container has none, or one that it was not given
  78
      Bad configuration: a root";

/// Of `cordon`.
pub const CORDON: &str = "\
Examples:
  cxi-device-plugin cordon hsn0 --reason 'cable to be changed, ticket 4711'
      Kubelet gives the NIC to no new pod; running pods keep it. Lasts until uncordon or the next boot, with and
      without a daemon
  cxi-device-plugin cordon 0000:61:00.0
      By its PCI address, a NIC that hangs or is not there; the order counts once it comes

Exit codes:
  0
      Done, also when it was cordoned before
  1
      Failed, or no NIC has this name
  2
      Wrong usage
  78
      Bad configuration: a root";

/// Of `uncordon`.
pub const UNCORDON: &str = "\
Examples:
  cxi-device-plugin uncordon hsn0
      New pods may get the NIC again

Exit codes:
  0
      Done, also when it was not cordoned
  1
      Failed, or no NIC has this name
  2
      Wrong usage
  78
      Bad configuration: a root";
/// Of `doctor`.
pub const DOCTOR: &str = "\
Examples:
  cxi-device-plugin doctor
      Problems, warnings and notes of this node, each with what to do
  cxi-device-plugin doctor --output json | jq -r '.findings[].id'
      For programs
  cxi-device-plugin doctor --root /host
      From a container that has the host's tree there; the directories of the other flags are below it, too
  cxi-device-plugin doctor --bundle node.tar
      All that was looked at, for somebody who cannot log in here: sysfs of the NICs with addresses and serial numbers,
      specs, configurations and settings; no environment values, and of other programs' files only what matters

Exit codes:
  0
      Nothing, or notes only
  1
      Failed
  2
      Wrong usage
  3
      Problems or warnings
  78
      Bad configuration: a root";

/// Of `isolation`.
pub const ISOLATION: &str = "\
Examples:
  systemctl enable --now cxi-isolation
      As a service of its own, after the container runtime and before kubelet; it needs CAP_SYS_ADMIN
  cxi-device-plugin isolation --nri-socket /run/nri/nri.sock
      In the foreground

Files:
  /etc/cxi-device-plugin/config.toml
      [isolation]: which namespaces have which VNIs, and what becomes of pods with the host's network
  /var/run/nri/nri.sock
      Where the container runtime takes plugins
  /run/cxi-isolation/ADDRESS.ledger.json
      For each NIC: which services were made for which pods; it outlives this program, as they do
  /run/cxi-isolation/status.json
      Whether a runtime is connected, and the services; gone when it has ended in order

Exit codes:
  0
      Ended by SIGTERM or SIGINT; the services of pods that run stay
  1
      Failed
  2
      Wrong usage
  75
      Another instance is running
  78
      Bad configuration";

/// Of `config`.
pub const CONFIG: &str = "\
Examples:
  cxi-device-plugin config
      Each key with its value, and the file and line, variable or flag that it comes from
  cxi-device-plugin config --output toml > config.toml
      A file with all keys

Exit codes:
  0
      Shown
  78
      Bad configuration: every problem is named with its file and line";

/// Of `check-config`.
pub const CHECK_CONFIG: &str = "\
Examples:
  cxi-device-plugin check-config
      The configuration of this host
  cxi-device-plugin check-config new.toml && systemctl reload cxi-device-plugin
      Another file, before it is put in place

Exit codes:
  0
      The daemon would take it; there may be warnings
  78
      It would not: every problem is named with its file and line";

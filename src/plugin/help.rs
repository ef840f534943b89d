//! Help below the flags; the manual pages are made from the same texts: headings, under them what to type or what is
//! meant, and under that what it does.

/// Of the program.
pub const PLUGIN: &str = "\
Examples:
  cxi-device-plugin
      Serve beta.hpe.com/cxi to kubelet and keep /var/run/cdi/hpe.com-cxi.yaml true
  cxi-device-plugin --enable-cdi
      Answer kubelet with CDI names; containerd 2.0 or newer, or CRI-O
  kill -HUP $(pidof cxi-device-plugin)
      Have it read its configuration anew and look at the node again

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

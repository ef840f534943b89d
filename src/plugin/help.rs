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
      Have it look at the node again

Files:
  /var/run/cdi/hpe.com-cxi.yaml
      The CDI spec; files of other names are never touched
  /var/lib/kubelet/device-plugins/kubelet.sock
      Where kubelet is; its directory gets the daemon's own sockets, too
  /run/cxi-device-plugin/lock
      Held while an instance runs

Environment:
  SYSFS_ROOT, DEVFS_ROOT, OFI_ROOT, CXI_ROOT
      Where the host keeps things, as the flags of these names; a flag wins, and an empty value counts as not set
  RUNTIME_DIRECTORY
      Set by systemd: directory for the daemon's own state, unless --run-dir names one

Exit codes:
  0
      Ended by SIGTERM or SIGINT
  1
      Failed
  2
      Wrong usage
  75
      Another instance is running
  78
      Bad configuration: a root or the --env-vars file";

/// Of `run`.
pub const RUN: &str = "\
Examples:
  cxi-device-plugin run --enable-cdi
      The same as without 'run'

Exit codes:
  0, 1, 2, 75, 78
      As of cxi-device-plugin";

/// Of `doctor`.
pub const DOCTOR: &str = "\
Examples:
  cxi-device-plugin doctor
      Problems, warnings and notes of this node, each with what to do
  cxi-device-plugin doctor --output json | jq -r '.findings[].id'
      For programs
  cxi-device-plugin doctor --root /host
      From a container that has the host's tree there

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

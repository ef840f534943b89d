//! Help below the flags; the manual pages are made from the same texts: headings, under them what to type or what is
//! meant, and under that what it does.

/// Of the program.
pub const GENERATOR: &str = "\
Examples:
  cxi-cdi-generator
      Write /etc/cdi/hpe.com-cxi.yaml for this node
  cxi-cdi-generator --dry-run --format json
      Print the spec, write nothing
  cxi-cdi-generator list
      Show which names containers can ask for, and what is wrong with the others
  cxi-cdi-generator verify
      Compare the file with the node; exit code 3 when they differ
  podman run --device hpe.com/cxi=all IMAGE
      Run a container with all NICs; hpe.com/cxi=0000:21:00.0 is one NIC, whatever its number

Files:
  /etc/cdi/hpe.com-cxi.yaml
      The spec; hpe.com-cxi.json with --format json. Files of other names are never touched
  /var/run/cdi/hpe.com-cxi.yaml
      The spec of cxi-device-plugin, which wins over /etc/cdi name by name

Environment:
  SYSFS_ROOT, DEVFS_ROOT, OFI_ROOT, CXI_ROOT
      Where the host keeps things, as the flags of these names; a flag wins, and an empty value counts as not set
  NO_COLOR
      When set, no colours, also on a terminal

Exit codes:
  0
      Done
  1
      Failed; what was there is as it was
  2
      Wrong usage
  3
      Findings (verify)
  78
      Bad configuration: a root or the --env-vars file";

/// Of `generate`.
pub const GENERATE: &str = "\
Examples:
  cxi-cdi-generator generate --device cxi0,cxi1
      Names for two of the NICs only
  cxi-cdi-generator generate --names pci --no-all
      Only names that stay with their NIC
  cxi-cdi-generator generate --functions all
      Names for virtual functions, too
  cxi-cdi-generator generate --output /srv/image/cxi.json
      Write JSON to a file outside the CDI directories
  cxi-cdi-generator generate --root /host --cdi-dir /host/etc/cdi
      From a container that has the host's file system at /host

Exit codes:
  0
      Done, also when the node has no NIC and so no spec
  1
      Failed; what was there is as it was
  2
      Wrong usage
  78
      Bad configuration: a root or the --env-vars file";

/// Of `list`.
pub const LIST: &str = "\
Examples:
  cxi-cdi-generator list
      What /etc/cdi and /var/run/cdi offer
  cxi-cdi-generator list --cdi-dir /etc/cdi --cdi-dir /run/site/cdi
      Other directories; the last one has the highest priority
  cxi-cdi-generator list --output json | jq '.devices[] | select(.state != \"ok\")'
      What does not work, for programs

States:
  ok
      Containers get this device
  shadowed
      A directory with a higher priority has the name, too, and wins
  conflict
      Two files of one directory have the name: no reader resolves it, not even from another directory
  stale
      The node or the NIC is gone, or the node is another NIC's now

Exit codes:
  0
      Listed, whatever the states
  1
      Failed
  2
      Wrong usage
  78
      Bad configuration: a root";

/// Of `verify`.
pub const VERIFY: &str = "\
Examples:
  cxi-cdi-generator verify
      Compare /etc/cdi/hpe.com-cxi.yaml with this node; give the flags that it was generated with
  cxi-cdi-generator verify --cdi-dir /var/run/cdi
      The same for the spec of cxi-device-plugin
  cxi-cdi-generator verify --output json
      Findings for programs
  cxi-cdi-generator verify --rootfs /srv/image --expose env
      Foretell whether libfabric loads in the image that is unpacked there, and whose it is

Exit codes:
  0
      The spec is what this node would get now; with --rootfs: libfabric of the host loads in the image
  1
      Failed
  2
      Wrong usage
  3
      Findings: the spec is missing, differs, cannot be read, should not be there, or clashes with a foreign file;
      with --rootfs: something is in the way
  78
      Bad configuration: a root or the --env-vars file";

/// Of `remove`.
pub const REMOVE: &str = "\
Examples:
  cxi-cdi-generator remove
      Remove hpe.com-cxi.yaml and hpe.com-cxi.json from /etc/cdi; files of other names are never touched

Exit codes:
  0
      Done, also when there was none
  1
      Failed
  2
      Wrong usage";

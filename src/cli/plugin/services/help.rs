//! Help below the flags of `services`.

/// Of `services`.
pub const SERVICES: &str = "\
Examples:
  cxi-device-plugin services
      The services of every NIC: whom each admits, its VNIs, traffic classes and limits, and whether a plain pod could use the NIC
  cxi-device-plugin services enable-default
      The quick way for a site that lets everybody on the node use the fabric
  cxi-device-plugin services create --file job.yaml cxi0 cxi1
      The same as cxi_service create -y job.yaml -d cxi0, for both NICs or for none

Exit codes:
  0
      Done
  1
      Failed, or a NIC could not be asked
  2
      Wrong usage
  78
      Bad configuration: a root";

/// Of `services list`.
pub(super) const LIST: &str = "\
Examples:
  cxi-device-plugin services list --output json | jq '.nics[] | select(.plain_pod.service == null) | .address'
      The NICs that a pod of any user could not use
  cxi-device-plugin services list hsn0
      Those of one NIC
  cxi-device-plugin services list
      As root, with the process that is in the network namespace of a service, and the names of groups in configfs

Exit codes:
  0
      Listed
  1
      Failed, or a NIC could not be asked; what the others say is listed
  2
      Wrong usage
  78
      Bad configuration: a root";

/// Of `services enable-default`.
pub(super) const ENABLE_DEFAULT: &str = "\
Examples:
  cxi-device-plugin services enable-default
      On every NIC, until its driver is bound anew: everybody on the node may use the fabric then, on VNIs 1 and 10
  systemctl enable cxi-default-service@cxi0.service
      The same at each boot, for a NIC whose number does not move; docs/services.md has the udev rule for all of them
  cxi-device-plugin services enable-default --once hsn0
      As that unit does it: what was switched off in this life of the NIC stays off

Exit codes:
  0
      On; with --once also where it was switched off since
  1
      Failed, on one NIC at least; needs CAP_SYS_ADMIN of the host
  2
      Wrong usage
  78
      Bad configuration: a root";

/// Of `services disable-default`.
pub(super) const DISABLE_DEFAULT: &str = "\
Examples:
  cxi-device-plugin services disable-default hsn0
      No new process gets in by the default service, and cxi-default-service@.service leaves it off until the driver is bound anew

Exit codes:
  0
      Off
  1
      Failed, on one NIC at least; EBUSY: somebody uses the service, and it cannot be switched off
  2
      Wrong usage
  78
      Bad configuration: a root";

/// Of `services create`.
pub(super) const CREATE: &str = "\
Examples:
  cxi-device-plugin services create --file /usr/share/cxi/cxi_service_template.yaml --dry-run cxi0
      What HPE's template would make
  cxi-device-plugin services create --file job.yaml cxi0
      Make it; when a step of it is refused, it is taken back

Exit codes:
  0
      Made
  1
      Failed: there is no new service, or standard error names what is left
  2
      Wrong usage
  78
      Bad configuration: a root";

/// Of `services delete`.
pub(super) const DELETE: &str = "\
Examples:
  cxi-device-plugin services delete cxi0 5
      Waits for a minute while it is in use, as services of jobs that have just ended often are
  cxi-device-plugin services delete --wait 0 cxi0 5
      Tries once
  systemctl stop cxi-isolation && cxi-device-plugin services delete --ours
      Ends all services that were made for pods

Exit codes:
  0
      It is gone
  1
      Failed: still in use, not there, or not to be deleted by hand
  2
      Wrong usage
  78
      Bad configuration: a root";

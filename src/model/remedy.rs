//! What to type or to write when something is not as it should be. Pure: one sentence for each condition of a NIC and for
//! each finding about a container.
//!
//! A retry handler is never started again: after it has ended, the node needs a reboot (HPE's troubleshooting guide).

use super::health::Check;

/// How commands name a NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// PCI address.
    pub address: &'a str,
    /// `cxiN`.
    pub cxi: Option<&'a str>,
    /// Interface.
    pub netdev: Option<&'a str>,
}

/// What to do about a condition of a NIC that is not ok.
pub fn for_check(check: Check, names: Names<'_>) -> String {
    let address = names.address;
    let cxi = names.cxi.unwrap_or("cxiN");
    let netdev = names.netdev.unwrap_or("hsnN");
    match check {
        Check::Present => format!(
            "see which driver has it: lspci -nnk -s {address}; load what is missing: modprobe cxi-ss1; \
             modprobe -a cxi_user cxi_eth"
        ),
        Check::Readable => format!(
            "see whether the driver is stuck: dmesg | grep -e {address} -e {cxi} -e 'blocked for more'; cat \
             /sys/bus/pci/devices/{address}/properties/link must answer at once"
        ),
        Check::PciEnabled => format!(
            "see why the driver has disabled it: dmesg | grep -e {address} -e {cxi}; nothing enables it again but a reboot: \
             kubectl drain NODE, then reboot"
        ),
        Check::Cordoned => format!("give it back when it may be used: cxi-device-plugin uncordon {address}"),
        Check::Link => format!(
            "look at the port: cxi_stat -d {cxi}; a link comes back by itself, in up to 35 s; else see to the cable and to the \
             switch port"
        ),
        Check::RetryHandler => format!(
            "see whether it has run: systemctl status cxi_rh@{cxi}.service; once it has ended, do not start it again, but \
             reboot: kubectl drain NODE, then reboot"
        ),
        Check::FabricAddress => format!(
            "see the address: ip link show dev {netdev}; cxi_stat -d {cxi}; the fabric manager's agent sets it once the \
             fabric knows this node"
        ),
        Check::NetdevUp if names.netdev.is_none() => {
            "find it: lsns -t net; nsenter --net=NAMESPACE ip link; load what makes it: modprobe cxi_eth".to_owned()
        }
        Check::NetdevUp => format!("set it up: ip link set dev {netdev} up"),
        Check::CxiService => format!(
            "see whom they admit: cxi-device-plugin services; make one for your users, or let everybody in: cxi-device-plugin \
             services create --file FILE {cxi}; cxi-device-plugin services enable-default {cxi}"
        ),
        Check::Resources => format!("see who uses them: cxi-device-plugin services; fuser -v /dev/{cxi}"),
        Check::PcieErrors => format!("see them: cxi_stat -a -d {cxi}; dmesg | grep -i -e aer -e {address}"),
        Check::LinkFlaps => format!("look at the port: cxi_stat -d {cxi}; see to the cable and to the switch port"),
        Check::PcieLink => {
            format!("compare LnkCap with LnkSta: lspci -vv -s {address}; reseat the card or ask for service")
        }
        Check::LinkSpeed => {
            format!(
                "see what the port says: cxi_stat -d {cxi}; see to the cable and to the switch port's configuration"
            )
        }
        Check::CdiFile => {
            "see why it is not written: journalctl -u cxi-device-plugin -n 50; cxi-cdi-generator list".to_owned()
        }
        Check::DeviceLink => format!(
            "see what stands there: ls -ld /dev/cxi-by-pci /dev/cxi-by-pci/{address}; root alone may write there, and it leads \
             to ../{cxi}; what is in the way is to be removed by hand"
        ),
    }
}

/// What to do about a finding of this kind in a container.
pub fn in_container(kind: &str) -> &'static str {
    match kind {
        "no-node" => {
            "ask for it: in a pod 'beta.hpe.com/cxi: 1' under resources.limits, with podman --device hpe.com/cxi=all; if it was \
             asked for, the runtime drops CDI names: see cxi-device-plugin status, and leave out --enable-cdi"
        }
        "not-given" => {
            "delete the pod: a container keeps the nodes that it was made with; a privileged one, or one that mounts the host's \
             /dev, has all: let it ask for 'beta.hpe.com/cxi: 1' under resources.limits instead"
        }
        "given-and-gone" => "see lspci for what has become of it; if it does not come back, delete the pod",
        "node" | "environment" => "run this command as root on the host",
        "stale-node" => "make the container anew: the NIC's number has changed since it was made",
        "old-name" => {
            "kubectl delete pod POD: a new one gets the NIC by its present name; libfabric in this one takes it for the NIC that has \
             the name on the host"
        }
        "nodev" => "leave the option nodev out where the container mounts /dev or the node",
        "mode" => {
            "give the node back the driver's mode: chmod 0666 /dev/cxiN on the host, and remove the udev rule that changed it"
        }
        "cgroup" => "let the runtime give the device (--device, resources.limits) instead of mounting /dev",
        "sysfs" => "give the container the host's /sys, read-only is enough: with podman --volume /sys:/sys:ro",
        "memlock" => {
            "lift it: with podman --ulimit memlock=-1:-1; for pods LimitMEMLOCK=infinity in the unit of containerd or CRI-O \
             (systemctl edit containerd), then systemctl restart containerd and make the pod anew"
        }
        "netdev-view" => {
            "give the container the host's network: hostNetwork: true in the pod, --network host with podman; or, experimental, \
             run with --netdev-view sysfs; or, where the host does not use the NIC, move its netdev into it by the host-device CNI"
        }
        "provider" => {
            "take FI_PROVIDER out of the container's environment, or set it to cxi, or to lnx with FI_LNX_PROV_LINKS=shm+cxi"
        }
        "library-mode" => "let everybody read it, on the host where it comes from there: chmod a+rX FILE",
        "mr-cache-monitor" => {
            "give the container /dev/kdreg2 (load kdreg2 on the host; it is passed on where the host has it) and set \
             FI_MR_CACHE_MONITOR=kdreg2; or take FI_MR_CACHE_MONITOR out of its environment"
        }
        "slingshot-devices" => {
            "give the container the NICs that its launcher counts with, or take SLINGSHOT_DEVICES out of its environment"
        }
        "device-name" => "take the variable out of the container's environment: the number of a NIC moves",
        "cxi-service" => {
            "see which services there are and whom they admit, on the host: cxi-device-plugin services; let its administrator make one \
             for this user, or let everybody in: cxi-device-plugin services create --file FILE cxiN; cxi-device-plugin services \
             enable-default cxiN"
        }
        "musl" | "no-libc" | "glibc-too-old" => {
            "use an image with a newer glibc, or one with a libfabric of its own and --libraries none"
        }
        "image-first" => "see whether it knows the provider: fi_info -p cxi in the container; else use --expose env",
        "not-found" => {
            "see what the image needs: cxi-cdi-generator verify --rootfs /proc/PID/root; the host's libraries come by \
             cxi-device-plugin or cxi-cdi-generator, see --libraries and --expose"
        }
        "cut" => "no image needs as much: look at the RPATH of the libraries that are named (readelf -d)",
        _ => "have all of them mounted: --libraries closure, or --closure-all with it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_has_a_command_and_none_starts_a_retry_handler() {
        let names = Names {
            address: "0000:21:00.0",
            cxi: Some("cxi7"),
            netdev: Some("hsn3"),
        };
        for check in Check::OF_NIC.into_iter().chain([Check::CdiFile, Check::DeviceLink]) {
            let text = for_check(check, names);
            assert!(text.contains(": ") && text.len() > 30, "{check}: {text}");
            assert!(
                !text.contains("restart") && !text.contains("start cxi_rh"),
                "{check}: {text}"
            );
        }
        assert!(for_check(Check::RetryHandler, names).contains("cxi_rh@cxi7.service"));
    }
}

//! Device-info files of the Network Plumbing Working Group (specification 1.1.0, sections 3 and 4.1): Multus hands the one of
//! a pod's device to the CNI plugin. They hold the PCI address only; `cxiN` and netdev move, and such a file is copied. Pure.

use crate::model::alloc::resource::ResourceName;
use crate::model::nic::pci::PciAddress;

/// Version of the specification.
const VERSION: &str = "1.1.0";

/// Name of the file of a device: `<resource>-<device ID>-device.json`, with `/` as `-`.
pub fn file_name(resource: &ResourceName, address: PciAddress) -> String {
    format!("{}{address}{SUFFIX}", prefix(resource))
}

/// The device whose file has this name, if it is one of the resource.
pub fn device(resource: &ResourceName, file_name: &str) -> Option<PciAddress> {
    let rest = file_name.strip_prefix(&prefix(resource))?;
    rest.strip_suffix(SUFFIX)?.parse().ok()
}

/// The device whose file has this name, whatever its resource.
pub fn device_of_any(file_name: &str) -> Option<PciAddress> {
    let rest = file_name.strip_suffix(SUFFIX)?;
    // The address holds no dash, the resource's name may.
    rest.rsplit_once('-')?.1.parse().ok()
}

/// What the file says.
pub fn text(address: PciAddress) -> String {
    // An address holds nothing that JSON would escape.
    format!("{{\"type\":\"pci\",\"version\":\"{VERSION}\",\"pci\":{{\"pci-address\":\"{address}\"}}}}\n")
}

const SUFFIX: &str = "-device.json";

fn prefix(resource: &ResourceName) -> String {
    format!("{}-", resource.to_string().replace('/', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_device_and_no_other_name_does() {
        let resource: ResourceName = "beta.hpe.com/cxi".parse().unwrap();
        let address: PciAddress = "0000:21:00.0".parse().unwrap();
        let name = file_name(&resource, address);
        assert_eq!(name, "beta.hpe.com-cxi-0000:21:00.0-device.json");
        assert_eq!(device(&resource, &name), Some(address));
        assert_eq!(device_of_any(&name), Some(address));
        for other in [
            "beta.hpe.com-cxi-0000:21:00.0-device.json.tmp",
            "beta.hpe.com-cxi-vf-0000:21:00.0-device.json",
            "beta.hpe.com-cxi-cxi0-device.json",
            "intel.com-nics-0000:21:00.0-device.json",
        ] {
            assert_eq!(device(&resource, other), None, "{other}");
        }
    }
}

//! Resource groups that somebody has made in configfs: the driver lists them among the services, without a name.

use std::collections::BTreeMap;

use crate::host::files::roots::Roots;
use crate::model::nic::attributes::CxiName;

/// Where configfs is mounted, as seen from the host.
const CONFIGFS: &str = "/sys/kernel/config/cxi";

/// Their names by number; none where we may not look, or nobody has made any.
pub fn names(roots: &Roots, nic: CxiName) -> BTreeMap<u32, String> {
    let directory = std::path::Path::new(CONFIGFS).join(nic.to_string()).join("rgroup");
    let names = roots.names_if_there(&directory).unwrap_or_default();
    let numbered = names.into_iter().filter_map(|name| {
        let id = roots.number(&directory.join(&name).join("id")).ok()?;
        Some((u32::try_from(id).ok()?, name))
    });
    numbered.collect()
}

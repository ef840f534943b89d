//! Devices above the NICs' netdevs, by the links that the kernel keeps from each netdev to those directly above it. Of devices
//! in other network namespaces, such as a container's ipvlan, there is no link.

use std::collections::BTreeMap;

use crate::host::files::roots::Roots;
use crate::model::doctor::facts::Above;

/// More than a host stacks on its NICs.
const DEVICES: usize = 256;
const UPPER: &str = "upper_";

/// These netdevs and all above them.
pub fn above<'a>(roots: &Roots, netdevs: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Above> {
    let mut waiting: Vec<String> = netdevs.into_iter().map(str::to_owned).collect();
    let mut found = BTreeMap::new();
    while let Some(name) = waiting.pop() {
        if found.len() == DEVICES || found.contains_key(&name) {
            continue;
        }
        let above = directly_above(roots, &name);
        waiting.extend(above.uppers.iter().cloned());
        found.insert(name, above);
    }
    found
}

fn directly_above(roots: &Roots, name: &str) -> Above {
    let directory = roots.sysfs.join("class/net").join(name);
    let real = roots.resolve(&directory).unwrap_or_else(|_| directory.clone());
    let names = roots.names_if_there(&real).unwrap_or_default();
    let is_there = |upper: &str| roots.resolve(&roots.sysfs.join("class/net").join(upper)).is_ok();
    let uppers = names.iter().filter_map(|name| name.strip_prefix(UPPER));
    let master = roots.link_target(&real.join("master")).ok().flatten();
    Above {
        uppers: uppers.filter(|upper| is_there(upper)).map(str::to_owned).collect(),
        master: master.and_then(|target| Some(target.file_name()?.to_str()?.to_owned())),
        directory,
    }
}

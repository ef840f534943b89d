//! Device nodes of an emulated node that lead to devices which everybody may open, each to another one: what is written to one of
//! them can be answered by a driver in memory.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cxi_sim::driver::{Nic, Nics, Parameters};
use cxi_sim::node::Node;

/// For `cxi0`, `cxi1` and so on, with their numbers.
pub const STAND_INS: [(&str, u64, u64); 6] = [
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/null", 1, 3),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/fuse", 10, 229),
];

/// The first so many, each with a driver of these parameters.
pub fn drivers(node: &Node, count: usize, parameters: Parameters) -> Nics {
    let mut nics = BTreeMap::new();
    for (number, (device, major, minor)) in STAND_INS.iter().take(count).enumerate() {
        stand_in(node, number, device, &format!("{major}:{minor}"));
        nics.insert(PathBuf::from(device), Nic::new(parameters));
    }
    Arc::new(Mutex::new(nics))
}

/// With the driver of `cxiN`.
pub fn with_driver<T>(nics: &Nics, number: usize, with: impl FnOnce(&mut Nic) -> T) -> T {
    let mut nics = nics.lock().unwrap();
    with(nics.get_mut(Path::new(STAND_INS[number].0)).unwrap())
}

/// Makes the node of `cxiN` another device, of which sysfs says the same.
pub fn stand_in(node: &Node, number: usize, device: &str, numbers: &str) {
    let path = node.root().join(format!("dev/cxi{number}"));
    fs::remove_file(&path).unwrap();
    symlink(device, &path).unwrap();
    let attribute = node.root().join(format!("sys/class/cxi_user/cxi{number}/dev"));
    fs::remove_file(&attribute).unwrap();
    fs::write(&attribute, format!("{numbers}\n")).unwrap();
}

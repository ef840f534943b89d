//! Which NICs there are: PCI functions, class `cxi_user` and class `cxi`, joined by PCI address.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::host::files::roots::Roots;
use crate::model::nic::attributes::{CxiName, Function, Generation};
use crate::model::nic::inventory::Nic;
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};

/// All PCI functions, below sysfs.
const PCI_FUNCTIONS: &str = "bus/pci/devices";

/// What the PCI ids of a function say, as far as they can be read.
pub(super) type FunctionId = Reading<(Generation, Option<Function>)>;

/// The directory of all PCI functions.
pub(super) fn functions_directory(roots: &Roots) -> PathBuf {
    roots.sysfs.join(PCI_FUNCTIONS)
}

/// The NICs, before any of them is read.
#[derive(Debug)]
pub(super) struct Survey {
    /// Every Cassini function, and whatever else the classes name.
    pub functions: BTreeMap<PciAddress, FunctionId>,
    /// What the classes say.
    pub classes: ClassEntries,
    /// What could not be made sense of.
    pub problems: Vec<ReadError>,
}

/// The names under which the two classes list NICs.
#[derive(Debug)]
pub(super) struct ClassEntries {
    /// Class `cxi_user`, which owns the device nodes.
    pub cxi_user: BTreeMap<PciAddress, CxiName>,
    /// Class `cxi`.
    pub cxi: Reading<BTreeSet<PciAddress>>,
}

impl ClassEntries {
    /// Every PCI function that a class names.
    fn addresses(&self) -> BTreeSet<PciAddress> {
        let in_cxi = self.cxi.iter().flatten();
        self.cxi_user.keys().chain(in_cxi).copied().collect()
    }
}

impl Survey {
    /// All NICs.
    ///
    /// # Errors
    /// The PCI functions or class `cxi_user` cannot be listed: that says nothing of the NICs, least of all that there are none.
    pub(super) fn take(roots: &Roots) -> Reading<Self> {
        let names = roots.names(&functions_directory(roots))?;
        let mut problems = Vec::new();
        let classes = class_entries(roots, &mut problems)?;
        let functions = functions(roots, &names, &classes, &mut problems);
        Ok(Self {
            functions,
            classes,
            problems,
        })
    }

    /// One NIC alone; none when the classes or the ids no longer say what they said of it: then other NICs may have changed
    /// with it.
    pub(super) fn of_one(roots: &Roots, known: &Nic) -> Option<Self> {
        let address = known.address;
        let directory = functions_directory(roots).join(address.to_string());
        let id = generation(roots, &directory).ok()??;
        if known.generation != Ok(id.0) {
            return None;
        }
        let names = |class: &str| roots.names_if_there(&directory.join(class)).ok();
        let leads_here = |class: &str, name: CxiName| {
            let entry = roots.sysfs.join("class").join(class).join(name.to_string());
            pci_function_of(roots, &entry) == Ok(address)
        };
        let name = known.cxi.as_ref().ok().copied();
        let in_cxi = *known.in_class_cxi.as_ref().ok()?;
        let is_as_known = match name {
            Some(name) => names("cxi_user")? == [name.to_string()] && leads_here("cxi_user", name),
            None => names("cxi_user")?.is_empty(),
        } && match name.filter(|_| in_cxi) {
            Some(name) => leads_here("cxi", name),
            None => !in_cxi && names("cxi")?.is_empty(),
        };
        is_as_known.then(|| Self {
            functions: BTreeMap::from([(address, Ok(id))]),
            classes: ClassEntries {
                cxi_user: name.map(|name| (address, name)).into_iter().collect(),
                cxi: Ok(in_cxi.then_some(address).into_iter().collect()),
            },
            problems: Vec::new(),
        })
    }
}

/// Without class `cxi_user`, its module is not loaded; unless all of sysfs has gone, or the class cannot be listed: that says
/// nothing of the NICs.
fn class_entries(roots: &Roots, problems: &mut Vec<ReadError>) -> Reading<ClassEntries> {
    let mut cxi_user = BTreeMap::new();
    for (address, name) in class(roots, "cxi_user", problems)? {
        if let Some(older) = cxi_user.insert(address, name) {
            let path = roots.sysfs.join("class/cxi_user").join(older.to_string());
            problems.push(ReadError::new(path, format!("{address} is {name} now")));
        }
    }
    let addresses = |entries: Vec<(PciAddress, CxiName)>| entries.into_iter().map(|(address, _)| address).collect();
    let cxi = class(roots, "cxi", problems).map(addresses);
    Ok(ClassEntries { cxi_user, cxi })
}

/// The entries of a class with the PCI function each belongs to, by rising number; none without its module.
pub(super) fn class(roots: &Roots, class: &str, problems: &mut Vec<ReadError>) -> Reading<Vec<(PciAddress, CxiName)>> {
    let directory = roots.sysfs.join("class").join(class);
    let mut entries = Vec::new();
    for name in roots.names_if_there(&directory)? {
        let path = directory.join(&name);
        match (name.parse(), pci_function_of(roots, &path)) {
            (Ok(cxi), Ok(address)) => entries.push((address, cxi)),
            (Err(()), _) => problems.push(ReadError::new(path, "not a name of the form cxiN")),
            (_, Err(read_error)) => problems.push(read_error),
        }
    }
    entries.sort_by_key(|(_, name)| *name);
    Ok(entries)
}

fn pci_function_of(roots: &Roots, class_entry: &Path) -> Reading<PciAddress> {
    let link = class_entry.join("device");
    let target = roots
        .link_target(&link)?
        .ok_or_else(|| ReadError::new(&link, "missing"))?;
    let name = target
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    name.parse().map_err(|error| ReadError::new(link, error))
}

/// Cassini functions by id, and whatever else the classes name: a NIC with an unreadable id is still a NIC.
fn functions(
    roots: &Roots,
    names: &[String],
    classes: &ClassEntries,
    problems: &mut Vec<ReadError>,
) -> BTreeMap<PciAddress, FunctionId> {
    let directory = functions_directory(roots);
    let in_classes = classes.addresses();
    let mut functions = BTreeMap::new();
    for (path, address) in names
        .iter()
        .filter_map(|name| Some((directory.join(name), name.parse().ok()?)))
    {
        let in_class = in_classes.contains(&address);
        match generation(roots, &path) {
            Ok(Some(generation)) => drop(functions.insert(address, Ok(generation))),
            Ok(None) if in_class => problems.push(ReadError::new(
                path,
                "a CXI device with a PCI id that this version does not know: not offered; is there a newer version?",
            )),
            Err(read_error) if in_class => drop(functions.insert(address, Err(read_error))),
            Ok(None) | Err(_) => {}
        }
    }
    for address in in_classes {
        if names.binary_search(&address.to_string()).is_err() {
            problems.push(ReadError::new(
                directory.join(address.to_string()),
                "named by a class, but missing",
            ));
        }
    }
    functions
}

/// Reads the device id only of the vendors in question: a node has hundreds of PCI functions.
fn generation(roots: &Roots, function: &Path) -> Reading<Option<(Generation, Option<Function>)>> {
    let id = |name: &str| -> Reading<u16> {
        let path = function.join(name);
        let number = roots.number(&path)?;
        number
            .try_into()
            .map_err(|_| ReadError::new(path, format!("{number:#x} is not a PCI id")))
    };
    match id("vendor")? {
        vendor @ (0x17db | 0x1590) => Ok(Generation::from_pci_id(vendor, id("device")?)),
        _ => Ok(None),
    }
}

//! What is there before any NIC: buses, classes, the loaded modules, and `/run/cxi` of the retry handlers.

use super::attributes::{Attribute, DRIVER_FILES, MODULES};
use super::error::Result;
use super::tree::{Tree, make_directories, make_directory, write_files};

/// Name of the PCI driver.
pub(super) const DRIVER: &str = "cxi_ss1";

const DIRECTORIES: [&str; 5] = ["bus/pci/devices", "bus/pci/drivers", "class/net", "devices", "module"];
/// The classes that come and go with the modules.
const CLASSES: [&str; 2] = ["class/cxi", "class/cxi_user"];

/// What a node's directory has at the top, and what rebuilding it removes.
pub(super) const TOP: [&str; 5] = ["sys", "dev", "usr", "opt", "run"];

/// Makes the directories, the modules and the driver.
pub(super) fn install(tree: &Tree) -> Result<()> {
    make_directory(&tree.root().join("dev"))?;
    make_directories(&tree.root().join("run/cxi"))?;
    for directory in DIRECTORIES {
        make_directories(&tree.sys(directory))?;
    }
    install_driver(tree)
}

/// Makes what comes with the driver's modules.
pub(super) fn install_driver(tree: &Tree) -> Result<()> {
    for class in CLASSES {
        make_directories(&tree.sys(class))?;
    }
    for (module, attributes) in MODULES {
        let files: Vec<_> = attributes.iter().filter_map(Attribute::constant).collect();
        let directory = tree.sys("module").join(module);
        make_directory(&directory)?;
        write_files(&directory, &files)?;
    }
    let driver = format!("bus/pci/drivers/{DRIVER}");
    make_directory(&tree.sys(&driver))?;
    let files: Vec<_> = DRIVER_FILES.iter().filter_map(Attribute::constant).collect();
    write_files(&tree.sys(&driver), &files)?;
    tree.link(&format!("{driver}/module"), &format!("module/{DRIVER}"))?;
    make_directory(&tree.sys(&format!("module/{DRIVER}/drivers")))?;
    tree.link(&format!("module/{DRIVER}/drivers/pci:{DRIVER}"), &driver)
}

/// Removes it, once no NIC is bound.
pub(super) fn remove_driver(tree: &Tree) -> Result<()> {
    tree.withdraw(&format!("bus/pci/drivers/{DRIVER}"))?;
    CLASSES.iter().try_for_each(|class| tree.withdraw(class))?;
    MODULES
        .iter()
        .try_for_each(|(module, _)| tree.withdraw(&format!("module/{module}")))
}

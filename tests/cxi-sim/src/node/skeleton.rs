//! What is there before any NIC: buses, classes, the loaded modules, and `/run/cxi` of the retry handlers.

use super::attributes::{Attribute, DRIVER_FILES, MODULES};
use super::error::Result;
use super::tree::{Tree, make_directories, make_directory, remove_file, write_files};

/// Name of the PCI driver.
pub(super) const DRIVER: &str = "cxi_ss1";

const DIRECTORIES: [&str; 5] = ["bus/pci/devices", "bus/pci/drivers", "class/net", "devices", "module"];

/// The classes that the driver's modules bring and take with them.
const CLASSES: [&str; 2] = ["class/cxi", "class/cxi_user"];

/// What a node's directory has at the top, and what rebuilding it removes.
pub(super) const TOP: [&str; 5] = ["sys", "dev", "usr", "opt", "run"];

/// Makes the directories, and loads the driver.
pub(super) fn install(tree: &Tree) -> Result<()> {
    make_directory(&tree.root().join("dev"))?;
    make_directories(&tree.root().join("run/cxi"))?;
    for directory in DIRECTORIES {
        make_directories(&tree.sys(directory))?;
    }
    load_driver(tree)
}

/// What the driver's modules show of themselves: each module, the PCI driver, and the two classes.
pub(super) fn load_driver(tree: &Tree) -> Result<()> {
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

/// Takes away what [`load_driver`] made. No NIC may be bound.
pub(super) fn unload_driver(tree: &Tree) -> Result<()> {
    remove_file(&tree.sys(&format!("module/{DRIVER}/drivers/pci:{DRIVER}")))?;
    tree.withdraw(&format!("bus/pci/drivers/{DRIVER}"))?;
    for class in CLASSES {
        tree.withdraw(class)?;
    }
    MODULES
        .iter()
        .try_for_each(|(module, _)| tree.withdraw(&format!("module/{module}")))
}

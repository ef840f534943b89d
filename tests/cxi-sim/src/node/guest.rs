//! The kernel of a machine as a node: the modules of tests/vm/module make the NICs, and their control file, class
//! directories and `ip` change them. For a virtual machine only; it needs root.
//!
//! The modules know hardware (`cxi-emu`) and driver (`cxi-sbl`, `cxi-sl`, `cxi-ss1`, `cxi-user`, `cxi-eth`) apart, so a
//! NIC can be there without its driver.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::NicSpec;
use super::backend::{self, Backend};
use super::error::{Context, Error, Result};

const CONTROL: &str = "/sys/kernel/debug/cxi-emu/control";
const NICS: &str = "/sys/kernel/debug/cxi-emu/nics";
const DRIVER: &str = "/sys/bus/pci/drivers/cxi_ss1";
const DEVICES: &str = "/sys/bus/pci/devices";
const HARDWARE: &str = "cxi-emu";
/// The driver's modules in the order in which they can be loaded.
const MODULES: [&str; 5] = ["cxi-sbl", "cxi-sl", "cxi-ss1", "cxi-user", "cxi-eth"];

/// The kernel of this machine.
#[derive(Debug)]
pub struct Guest {
    modules: PathBuf,
}

impl Guest {
    /// Loads the modules of this directory anew, so that there is no NIC and every number starts at 0.
    ///
    /// # Errors
    /// When a module cannot be unloaded or loaded; the kernel's log says why.
    pub fn fresh(modules: &Path) -> Result<Self> {
        let guest = Self {
            modules: modules.to_owned(),
        };
        if is_loaded(HARDWARE) {
            control("remove-all")?;
        }
        guest.unload()?;
        unload(HARDWARE)?;
        guest.load(HARDWARE)?;
        MODULES.iter().try_for_each(|module| guest.load(module))?;
        Ok(guest)
    }

    fn load(&self, module: &str) -> Result<()> {
        let file = self.modules.join(format!("{module}.ko"));
        run(Command::new("insmod").arg(&file), &file)
    }

    fn unload(&self) -> Result<()> {
        MODULES.iter().rev().try_for_each(|module| unload(module))
    }

    /// What a site's network configuration does to a new netdev: it is administratively up, so that its carrier shows.
    fn set_up(pci: &str) -> Result<()> {
        let directory = PathBuf::from(DEVICES).join(pci).join("net");
        let Ok(entries) = fs::read_dir(&directory) else {
            return Ok(());
        };
        for entry in entries {
            let name = entry.context("read", &directory)?.file_name();
            run(
                Command::new("ip").args(["link", "set", "up", "dev"]).arg(&name),
                &directory,
            )?;
        }
        Ok(())
    }
}

impl Backend for Guest {
    fn root(&self) -> Option<&Path> {
        None
    }

    fn add(&mut self, spec: &NicSpec) -> Result<String> {
        let before = addresses()?;
        control(&format!("add {spec}"))?;
        let new = addresses()?.into_iter().find(|pci| !before.contains(pci));
        let pci = new.ok_or_else(|| Error::Spec {
            spec: spec.to_string(),
            why: format!("{NICS} shows no new NIC"),
        })?;
        Self::set_up(&pci)?;
        Ok(pci)
    }

    fn remove(&mut self, pci: &str) -> Result<()> {
        control(&format!("remove {pci}"))
    }

    fn unbind(&mut self, pci: &str) -> Result<()> {
        write(&format!("{DRIVER}/unbind"), pci)
    }

    fn bind(&mut self, pci: &str) -> Result<()> {
        write(&format!("{DRIVER}/bind"), pci)?;
        Self::set_up(pci)
    }

    fn unload_driver(&mut self) -> Result<()> {
        self.unload()
    }

    fn load_driver(&mut self) -> Result<()> {
        MODULES.iter().try_for_each(|module| self.load(module))?;
        addresses()?.iter().try_for_each(|pci| Self::set_up(pci))
    }

    fn link(&mut self, pci: &str, up: bool) -> Result<()> {
        control(&format!("link {pci} {}", if up { "up" } else { "down" }))
    }

    fn retry_handler(&mut self, pci: &str, alive: bool) -> Result<()> {
        control(&format!("pct_eq {pci} {}", u8::from(alive)))
    }

    fn fatal_error(&mut self, pci: &str) -> Result<()> {
        control(&format!("fatal {pci}"))
    }

    fn open(&mut self, pci: &str) -> Result<File> {
        let directory = PathBuf::from(DEVICES).join(pci).join("cxi_user");
        let mut entries = fs::read_dir(&directory).context("read", &directory)?;
        let entry = entries.next().ok_or_else(|| Error::Unbound(pci.to_owned()))?;
        let name = entry.context("read", &directory)?.file_name();
        backend::open(&PathBuf::from("/dev").join(name))
    }
}

/// PCI addresses of the emulated hardware.
fn addresses() -> Result<Vec<String>> {
    let text = fs::read_to_string(NICS).context("read", Path::new(NICS))?;
    let first = |line: &str| line.split(' ').next().map(str::to_owned);
    Ok(text.lines().filter_map(first).collect())
}

fn control(command: &str) -> Result<()> {
    write(CONTROL, command)
}

/// One write, as each of these files wants it.
fn write(file: &str, text: &str) -> Result<()> {
    let written = fs::OpenOptions::new()
        .write(true)
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    let said = |error: io::Error| io::Error::new(error.kind(), format!("\"{text}\": {error}"));
    written.map_err(said).context("write to", Path::new(file))
}

fn is_loaded(module: &str) -> bool {
    Path::new("/sys/module").join(module.replace('-', "_")).exists()
}

fn unload(module: &str) -> Result<()> {
    if is_loaded(module) {
        run(Command::new("rmmod").arg(module), Path::new(module))
    } else {
        Ok(())
    }
}

/// Runs a program of the machine; what it complains of is the error.
fn run(command: &mut Command, about: &Path) -> Result<()> {
    let output = command.output().context("handle", about)?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(io::Error::other(complaint)).context("handle", about)
}

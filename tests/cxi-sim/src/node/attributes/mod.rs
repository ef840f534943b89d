//! Names, modes and values of the attributes, as tables: one file per directory or family of them.

mod board;
mod class;
mod module;
mod pci;
mod port;
mod properties;
mod statistics;

use std::borrow::Cow;

use super::state::NicState;
pub(super) use class::{cxi, cxi_user, netdev};
pub(super) use module::{DRIVER_FILES, MODULES};
pub(super) use pci::{PHYSICAL_BAR_SIZE, VIRTUAL_BAR_SIZE, config, enable, pci, root_port, uevent};
pub(super) use port::link_words;

/// A file to write: path below the directory at hand, mode and content.
#[derive(Debug)]
pub(super) struct File {
    pub path: Cow<'static, str>,
    pub mode: u32,
    pub content: Cow<'static, [u8]>,
}

/// One attribute of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute {
    path: &'static str,
    mode: u32,
    value: Value,
}

#[derive(Debug, Clone, Copy)]
enum Value {
    Fixed(&'static str),
    Of(fn(&NicState) -> String),
}

/// A read-only attribute (0444) with the same value on every NIC. Newlines are part of the value.
const fn fixed(path: &'static str, value: &'static str) -> Attribute {
    Attribute {
        path,
        mode: 0o444,
        value: Value::Fixed(value),
    }
}

/// A read-only attribute (0444) whose value depends on the NIC.
const fn of(path: &'static str, value: fn(&NicState) -> String) -> Attribute {
    Attribute {
        path,
        mode: 0o444,
        value: Value::Of(value),
    }
}

impl Attribute {
    /// The same attribute with another mode.
    const fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    pub fn file(&self, nic: &NicState) -> File {
        let content = match self.value {
            Value::Fixed(text) => Cow::Borrowed(text.as_bytes()),
            Value::Of(function) => Cow::Owned(function(nic).into_bytes()),
        };
        File {
            path: Cow::Borrowed(self.path),
            mode: self.mode,
            content,
        }
    }

    /// The file of an attribute that belongs to no NIC; none if its value depends on one.
    pub fn constant(&self) -> Option<File> {
        match self.value {
            Value::Fixed(text) => {
                let content = Cow::Borrowed(text.as_bytes());
                Some(File {
                    path: Cow::Borrowed(self.path),
                    mode: self.mode,
                    content,
                })
            }
            Value::Of(_) => None,
        }
    }
}

fn files(table: &[Attribute], nic: &NicState) -> Vec<File> {
    table.iter().map(|attribute| attribute.file(nic)).collect()
}

type Directory = (&'static str, fn(&NicState) -> Vec<File>);

/// The directories of a PF in the PCI directory, in the order in which the driver makes them (cass_core.c, `cass_probe()`).
const PHYSICAL: [Directory; 10] = [
    ("uc", board::uc),
    ("sensors", board::sensors),
    ("port", port::port),
    ("properties", properties::properties),
    ("fru", board::fru),
    ("link_restarts", statistics::link_restarts),
    ("settings", board::settings),
    ("err_flgs_irqa", statistics::error_flags),
    ("traffic_classes", statistics::traffic_classes),
    ("telemetry", statistics::telemetry),
];

/// A VF has one of them.
const VIRTUAL: [Directory; 1] = [("properties", properties::properties)];

/// The driver's directories of this NIC, in the order in which they appear.
pub(super) fn driver_directories(nic: &NicState) -> &'static [Directory] {
    if nic.kind().is_vf() { &VIRTUAL } else { &PHYSICAL }
}

/// The attributes every device has for power management; the NIC's devices do not use it.
const POWER: [Attribute; 3] = [
    fixed("power/control", "auto\n").mode(0o644),
    fixed("power/runtime_active_time", "0\n"),
    fixed("power/runtime_status", "unsupported\n"),
];

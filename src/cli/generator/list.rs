//! `list`: what every CDI directory offers of our kind, and what comes of it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::args::ListArgs;
use crate::cli::exit::{self, Ended};
use crate::cli::terminal::output::{self, Audience, BAD, GOOD, WARNING, visible};
use crate::cli::terminal::table::{Cell, plain, table};
use crate::host::cdi_dir::spec_files;
use crate::host::files::roots::Roots;
use crate::host::nics::scan::Scanner;
use crate::model::cdi::survey::{self, HostDevices, NameState, SpecFile, SurveyedName};
use crate::model::cdi::{KIND, naming};
use crate::model::libs::library_mode::LibraryMode;
use crate::model::nic::inventory::Inventory;

/// For programs.
#[derive(Serialize)]
struct Listed {
    devices: Vec<ListedDevice>,
    invalid: Vec<InvalidFile>,
}

#[derive(Serialize)]
struct ListedDevice {
    /// With the kind, as runtimes take it.
    name: String,
    file: PathBuf,
    /// On the host.
    nodes: Vec<String>,
    /// Whether the name may be another NIC's after a driver was bound anew.
    moves: bool,
    /// ok, shadowed, conflict or stale.
    state: &'static str,
    /// Why it is not ok, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct InvalidFile {
    file: PathBuf,
    reason: String,
}

/// Lists.
pub fn run(args: &ListArgs) -> anyhow::Result<Ended> {
    let roots = Roots::new(&args.roots)?;
    let cdi_dir = args.directories();
    let directories: Vec<Vec<SpecFile>> = cdi_dir.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let inventory = scan(&roots);
    let host = HostDevices {
        inventory: inventory.as_ref(),
        missing: spec_files::missing_nodes(&directories, &roots),
    };
    let listed = Listed {
        devices: survey::survey(&directories, &host).into_iter().map(device).collect(),
        invalid: invalid(&directories),
    };
    match args.output {
        Audience::Json => output::json(&listed)?,
        Audience::Table => output::styled(&described(&listed, &cdi_dir))?,
    }
    Ok(Ended::Done)
}

fn read(directory: &Path) -> anyhow::Result<Vec<SpecFile>> {
    spec_files::read_all(directory).with_context(|| format!("cannot list the CDI directory {}", directory.display()))
}

/// The NICs alone; a node that cannot be scanned still has files to list.
fn scan(roots: &Roots) -> Option<Inventory> {
    match Scanner::new(roots.clone(), LibraryMode::None).scan() {
        Ok(inventory) => Some(inventory),
        Err(read_error) => {
            exit::warn(&format!(
                "cannot look for NICs, so moved names do not show: {read_error}"
            ));
            None
        }
    }
}

fn device(entry: SurveyedName) -> ListedDevice {
    let (state, reason) = match entry.state {
        NameState::Resolved => ("ok", None),
        NameState::Shadowed { by } => ("shadowed", Some(format!("by {}", by.display()))),
        NameState::Conflict { files } => ("conflict", Some(format!("no reader resolves it: both {}", and(&files)))),
        NameState::Stale { reason } => ("stale", Some(reason)),
    };
    ListedDevice {
        moves: naming::moves(&entry.name),
        name: format!("{KIND}={}", entry.name),
        file: entry.file,
        nodes: entry.nodes,
        state,
        reason,
    }
}

fn and(files: &[PathBuf]) -> String {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    files.join(" and ") + " have it"
}

fn invalid(directories: &[Vec<SpecFile>]) -> Vec<InvalidFile> {
    let files = directories.iter().flatten();
    files
        .filter_map(|file| {
            let reason = file.content.as_ref().err()?.clone();
            Some(InvalidFile {
                file: file.path.clone(),
                reason,
            })
        })
        .collect()
}

fn described(listed: &Listed, directories: &[PathBuf]) -> String {
    let mut text = if listed.devices.is_empty() {
        let directories: Vec<String> = directories.iter().map(|path| path.display().to_string()).collect();
        format!("no {KIND} device in {}\n", visible(&directories.join(" or ")))
    } else {
        let rows = listed.devices.iter().map(row).collect();
        table(["NAME", "NODES", "FILE", "MOVES", "STATE"], rows)
    };
    if listed.devices.iter().any(|device| device.moves) {
        text += "\nmoves: the kernel gives such a number to another NIC when drivers are bound anew; addresses stay.\n";
    }
    if !listed.invalid.is_empty() {
        let rows = listed.invalid.iter();
        let rows = rows.map(|file| [plain(file.file.display()), (BAD, file.reason.clone())]);
        text += "\n";
        text += &table(["INVALID FILE", "REASON"], rows.collect());
    }
    text
}

fn row(device: &ListedDevice) -> [Cell; 5] {
    let style = match device.state {
        "ok" => GOOD,
        "shadowed" => WARNING,
        _ => BAD,
    };
    let state = match &device.reason {
        None => device.state.to_owned(),
        Some(reason) => format!("{}: {reason}", device.state),
    };
    let moves = if device.moves { "yes" } else { "" };
    [
        plain(&device.name),
        plain(nodes(&device.nodes)),
        plain(device.file.display()),
        plain(moves),
        (style, state),
    ]
}

/// So that one line stays one line where a device stands for all NICs.
fn nodes(nodes: &[String]) -> String {
    match nodes {
        [first, second, _, rest @ ..] => format!("{first} {second} +{}", rest.len() + 1),
        few => few.join(" "),
    }
}

//! `generate`: the spec into a CDI directory, a file, or standard output.

use std::path::Path;

use anyhow::{Context, bail};

use super::args::{GenerateArgs, Target};
use super::build_spec;
use crate::cli::exit::{self, Ended};
use crate::cli::terminal::output;
use crate::host::cdi_dir::directory::CdiDirectory;
use crate::host::files::atomic_file::{self, WriteOutcome};
use crate::host::files::instance::{self, Life};
use crate::host::files::roots::RootArgs;
use crate::model::cdi::format::{self, SpecFormat};
use crate::model::cdi::model::Spec;

/// Where the daemon keeps its own spec by default, by both names of the directory.
const DYNAMIC: [&str; 2] = ["/var/run/cdi", "/run/cdi"];

/// Generates.
pub fn run(args: &GenerateArgs) -> anyhow::Result<Ended> {
    let spec = build_spec::spec(&args.spec)?;
    let format = args.format();
    match args.target() {
        Target::Stdout => print(spec.as_ref(), format, &args.cdi().file())?,
        Target::File(file) => write_file(spec.as_ref(), format, &file)?,
        Target::Directory(directory) => {
            publish(spec.as_ref(), &directory)?;
            if spec.is_some() {
                warn_of_daemon(&args.spec.run_dir(), &args.spec.host.roots, &directory);
            }
        }
    }
    Ok(Ended::Done)
}

fn print(spec: Option<&Spec>, format: SpecFormat, file: &Path) -> anyhow::Result<()> {
    let Some(spec) = spec else {
        let would_be = format!("no usable CXI NIC: {} would be removed", file.display());
        exit::note(&(output::visible(&would_be) + "\n"));
        return Ok(());
    };
    output::raw(&format::to_text(spec, format)?)
}

/// Like in a CDI directory: no NIC, no file.
fn write_file(spec: Option<&Spec>, format: SpecFormat, file: &Path) -> anyhow::Result<()> {
    let (Some(directory), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str())) else {
        bail!("--output {} names no file: give its path", file.display());
    };
    // A bare name is one of the working directory.
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    // Who names a file means that place, and not one that is to be made.
    if !directory.is_dir() {
        bail!(
            "the directory {} of --output {} is not there: make it, or correct the path",
            directory.display(),
            file.display()
        );
    }
    // Else a device such as /dev/null would become a plain file.
    if file.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
        bail!(
            "{} is not a regular file, and is left alone: use '--output -' and redirect it",
            file.display()
        );
    }
    let stored = match spec {
        None => atomic_file::remove(directory, name),
        Some(spec) => atomic_file::replace(directory, name, None, format::to_text(spec, format)?.as_bytes()),
    };
    let outcome = stored.with_context(|| format!("{} stays as it was", file.display()))?;
    say(outcome, spec, file, file)
}

fn publish(spec: Option<&Spec>, directory: &CdiDirectory) -> anyhow::Result<()> {
    let file = directory.file();
    let outcome = directory
        .publish(spec)
        .with_context(|| format!("{} stays as it was", file.display()))?;
    say(outcome, spec, &file, &directory.path)
}

fn say(outcome: WriteOutcome, spec: Option<&Spec>, file: &Path, place: &Path) -> anyhow::Result<()> {
    let names = spec.map_or(0, |spec| spec.devices.len());
    let file = file.display();
    output::line(&match outcome {
        WriteOutcome::Written => format!("wrote {file}: {names} device names"),
        WriteOutcome::Unchanged => format!("{file} is up to date: {names} device names"),
        WriteOutcome::Removed => format!("no usable CXI NIC: removed {file}"),
        WriteOutcome::Absent => format!("no usable CXI NIC: nothing written to {}", place.display()),
    })
}

/// The daemon's spec wins name by name, so a name that it has taken away lives on in a static file.
pub fn warn_of_daemon(run_dir: &Path, roots: &RootArgs, directory: &CdiDirectory) {
    if DYNAMIC
        .iter()
        .any(|dynamic| directory.path == roots.usual_place(dynamic))
    {
        return;
    }
    let runs = match instance::life(run_dir) {
        Life::Stopped => return,
        Life::Runs(pid) => format!("is running (pid {pid})"),
        Life::Unknown(reason) => format!("may be running ({reason})"),
    };
    exit::warn(&format!(
        "cxi-device-plugin {runs} and keeps a spec of its own: a name that goes away there stays \
         in {}; undo with: cxi-cdi-generator remove --cdi-dir {}",
        directory.file().display(),
        directory.path.display()
    ));
}

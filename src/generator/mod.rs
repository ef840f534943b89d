//! The generator: the same spec as the daemon's, by hand.

mod args;
mod report;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Parser;

use self::args::{Args, GenerateArgs};
use crate::cdi::format;
use crate::cdi::model::Spec;
use crate::cdi::render;
use crate::exit;
use crate::host::roots::Roots;
use crate::host::scan::Scanner;
use crate::host::store::Outcome;

/// Parses the command line, runs, and says how it went.
pub fn main() -> ExitCode {
    let args = Args::parse().generate();
    exit::report("cxi-cdi-generator", generate(&args))
}

fn generate(args: &GenerateArgs) -> anyhow::Result<()> {
    let roots = Roots::new(&args.host.roots)?;
    let policy = args.host.policy()?;
    let scanned = Scanner::new(roots, args.host.libraries).scan();
    let inventory = scanned.map_err(|unread| anyhow!("cannot look for NICs, so all stays as it was: {unread}"))?;
    // Notes that nobody reads (`2>&1 | head`) are no reason to leave the spec unwritten.
    let _ = report::inventory(&mut io::stderr(), &inventory, args.verbose);
    let spec = render::spec(&inventory, &policy);
    if args.dry_run {
        print(spec.as_ref(), args)
    } else {
        write(spec.as_ref(), args)
    }
}

fn print(spec: Option<&Spec>, args: &GenerateArgs) -> anyhow::Result<()> {
    match spec {
        None => writeln!(
            io::stderr(),
            "no usable CXI NIC: {} would be removed",
            args.cdi().file().display()
        )?,
        Some(spec) => io::stdout().write_all(format::to_text(spec, args.format)?.as_bytes())?,
    }
    Ok(())
}

fn write(spec: Option<&Spec>, args: &GenerateArgs) -> anyhow::Result<()> {
    let directory = args.cdi();
    let file = directory.file();
    let outcome = directory
        .publish(spec)
        .with_context(|| format!("{} stays as it was", file.display()))?;
    let names = spec.map_or(0, |spec| spec.devices.len());
    let line = match outcome {
        Outcome::Written => format!("wrote {}: {names} device names", file.display()),
        Outcome::Unchanged => format!("{} is up to date: {names} device names", file.display()),
        Outcome::Removed => format!("no usable CXI NIC: removed {}", file.display()),
        Outcome::Absent => format!("no usable CXI NIC: nothing written to {}", directory.path.display()),
    };
    Ok(writeln!(io::stdout(), "{line}")?)
}

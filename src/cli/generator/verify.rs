//! `verify`: the spec on disk against the one that the node would get now.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::VerifyArgs;
use super::generate::warn_of_daemon;
use super::{build_spec, rootfs};
use crate::cli::exit::Ended;
use crate::cli::terminal::output::{self, Audience, BAD, GOOD, HEADING, paint, visible};
use crate::host::cdi_dir::directory::{CdiDirectory, PublishError};
use crate::host::files::read;
use crate::model::cdi::drift::{self, SpecDifference};
use crate::model::cdi::format;
use crate::model::cdi::model::Spec;

/// For programs.
#[derive(Serialize)]
struct Verified {
    file: PathBuf,
    equal: bool,
    findings: Vec<SpecDifference>,
}

/// Verifies.
pub fn run(args: &VerifyArgs) -> anyhow::Result<Ended> {
    match &args.rootfs {
        Some(rootfs) => rootfs::run(args, rootfs),
        None => run_on_spec(args),
    }
}

fn run_on_spec(args: &VerifyArgs) -> anyhow::Result<Ended> {
    let directory = args.cdi();
    let spec = build_spec::spec(&args.spec)?;
    if directory.file().exists() {
        warn_of_daemon(&args.spec.run_dir(), &args.spec.host.roots, &directory);
    }
    let findings = findings(&directory, spec.as_ref())?;
    let ended = if findings.is_empty() {
        Ended::Done
    } else {
        Ended::Findings
    };
    match args.output {
        Audience::Json => output::json(&Verified {
            file: directory.file(),
            equal: findings.is_empty(),
            findings,
        })?,
        Audience::Table if findings.is_empty() => output::line(&in_step(&directory, spec.as_ref()))?,
        Audience::Table => output::styled(&described(&findings, &directory.path))?,
    }
    Ok(ended)
}

fn findings(directory: &CdiDirectory, spec: Option<&Spec>) -> anyhow::Result<Vec<SpecDifference>> {
    match directory.refuse_foreign() {
        Err(PublishError::Foreign { file, kind }) => return Ok(vec![drift::foreign(&file, &kind)]),
        refused => refused?,
    }
    let (file, other) = (directory.file(), directory.other_file());
    let expected = spec.map(|spec| format::to_text(spec, directory.format)).transpose()?;
    let mut findings = drift::file_differences(&file, &read::look_at(&file), expected.as_deref());
    findings.extend(drift::other_format_difference(&other, &read::look_at(&other)));
    match spec.map(|spec| directory.refuse_clash(spec)) {
        None | Some(Ok(())) => {}
        Some(Err(PublishError::Clash { file, device })) => findings.push(drift::clash(&file, &device)),
        Some(Err(error)) => return Err(error.into()),
    }
    Ok(findings)
}

fn in_step(directory: &CdiDirectory, spec: Option<&Spec>) -> String {
    match spec {
        None => format!("no usable CXI NIC, and no spec of ours in {}", directory.path.display()),
        Some(spec) => format!(
            "{} is up to date: {} device names",
            directory.file().display(),
            spec.devices.len()
        ),
    }
}

/// Each finding with its diff, and what to do.
fn described(findings: &[SpecDifference], directory: &Path) -> String {
    let mut text = String::new();
    for finding in findings {
        let file = visible(&finding.file.display().to_string());
        text += &format!("{} {}\n", paint(HEADING, &file), visible(&finding.text));
        let lines = finding.diff.iter().flat_map(|diff| diff.lines());
        text.extend(lines.map(|line| painted(line) + "\n"));
    }
    let again = "run cxi-cdi-generator with the same flags to put it right, or remove to take our spec away";
    let directory = visible(&directory.display().to_string());
    text + &format!("findings: {} in {directory}: {again}\n", findings.len())
}

fn painted(line: &str) -> String {
    let text = visible(line);
    match line.chars().next() {
        Some('+') => paint(GOOD, &text),
        Some('-') => paint(BAD, &text),
        _ => text,
    }
}

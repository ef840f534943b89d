//! `verify --rootfs`: what an unpacked image makes of the host's libraries, foretold.

use std::io;
use std::mem;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Serialize;

use super::args::VerifyArgs;
use super::build_spec;
use crate::cli::exit::{self, Ended};
use crate::cli::terminal::output::{self, Audience, BAD, GOOD, HEADING, WARNING, paint, visible};
use crate::cli::terminal::table::{Cell, plain, table};
use crate::host::containers::loader_view;
use crate::host::files::patience;
use crate::host::files::roots::Roots;
use crate::host::files::untrusted::Place;
use crate::host::libraries;
use crate::model::cdi::render;
use crate::model::libs::image::{self, ImageFacts, ImageFinding, LIBFABRIC, Libc, LoadResult};
use crate::model::nic::inventory::Inventory;

/// For programs.
#[derive(Serialize)]
struct ImageReport {
    rootfs: PathBuf,
    libc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    glibc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    glibc_needed: Option<String>,
    libfabric: LoadResult,
    libraries: Vec<ForetoldLibrary>,
    findings: Vec<ImageFinding>,
}

#[derive(Serialize)]
struct ForetoldLibrary {
    name: String,
    /// host, image or none.
    from: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    /// What the image alone has.
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<PathBuf>,
}

/// Foretells.
pub fn run(args: &VerifyArgs, rootfs: &Path) -> anyhow::Result<Ended> {
    let host = Roots::new(&args.spec.host.roots)?;
    // Taken hold of at once: what is given and what is looked at later is the same, whatever is renamed.
    let place = Place::default();
    let (top, seen) = (rootfs.to_owned(), place.clone());
    let image = patience::within(&place, move || Roots::untrusted(&top, &top, &seen))?;
    let image = image.map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::NotFound => anyhow!(
            "--rootfs {} is not a directory: give the root of an unpacked image",
            rootfs.display()
        ),
        _ => anyhow!(error).context(format!("cannot look into --rootfs {}", rootfs.display())),
    })?;
    let mut found = libraries::find(&host, args.spec.host.libraries()?, &[]);
    let inventory = Inventory {
        libraries: mem::take(&mut found.libraries),
        library_directory: found.directory.take(),
        ..Inventory::default()
    };
    found.said().iter().for_each(exit::warn);
    let policy = args.spec.host.policy()?;
    build_spec::refuse_unnameable(&inventory, &policy)?;
    let edits = render::common_edits(&inventory, &policy);
    let path = args.image_library_path.clone();
    let facts = patience::within(&place, move || {
        loader_view::image_facts(&host, &image, &inventory.libraries, &edits, &path)
    })?;
    let report = image_report(rootfs, &facts);
    let ended = if report.findings.is_empty() && report.libfabric.loads {
        Ended::Done
    } else {
        Ended::Findings
    };
    match args.output {
        Audience::Json => output::json(&report)?,
        Audience::Table => output::styled(&described(&report)).context("the forecast is not complete")?,
    }
    Ok(ended)
}

fn image_report(rootfs: &Path, facts: &ImageFacts) -> ImageReport {
    let (libc, glibc) = match &facts.libc {
        Libc::Glibc(version) => ("glibc", version.as_ref().map(ToString::to_string)),
        Libc::Musl => ("musl", None),
        Libc::None => ("none", None),
    };
    let libraries = facts.exposed.iter().map(|library| ForetoldLibrary {
        name: library.name.clone(),
        from: match &library.found {
            Some(found) if found.ours => "host",
            Some(_) => "image",
            None => "none",
        },
        path: library.found.as_ref().map(|found| found.path.clone()),
        own: library.own.clone(),
    });
    ImageReport {
        rootfs: rootfs.to_owned(),
        libc,
        glibc,
        glibc_needed: facts.needs.as_ref().map(|(needs, _)| needs.to_string()),
        libfabric: image::load_result(facts),
        libraries: libraries.collect(),
        findings: image::findings(facts),
    }
}

fn described(report: &ImageReport) -> String {
    let rootfs = visible(&report.rootfs.display().to_string());
    let version = report
        .glibc
        .iter()
        .map(|version| format!(" with symbols up to GLIBC_{version}"));
    let mut text = format!(
        "{}: {}{}",
        paint(HEADING, &rootfs),
        report.libc,
        version.collect::<String>()
    );
    text.extend(
        report
            .glibc_needed
            .iter()
            .map(|needed| format!("; the host's libraries need GLIBC_{needed}")),
    );
    text += "\n";
    if !report.libraries.is_empty() {
        let rows = report.libraries.iter().map(row).collect();
        text += &table(["LIBRARY", "FROM", "FOUND AT", "THE IMAGE'S OWN"], rows);
    }
    let findings = report.findings.iter();
    text.extend(findings.map(|finding| format!("{}: {}\n", paint(BAD, finding.kind), visible(&finding.text))));
    let LoadResult { loads, from, .. } = &report.libfabric;
    text + &match (loads, from) {
        (true, Some(from)) => format!("{LIBFABRIC} of the {from} loads in this image\n"),
        _ => format!("{LIBFABRIC} does not load in this image\n"),
    }
}

fn row(library: &ForetoldLibrary) -> [Cell; 4] {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let style = match library.from {
        "host" => GOOD,
        "image" => WARNING,
        _ => BAD,
    };
    [
        plain(&library.name),
        (style, library.from.to_owned()),
        plain(path(&library.path)),
        plain(path(&library.own)),
    ]
}

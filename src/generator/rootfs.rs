//! `verify --rootfs`: what an unpacked image makes of the host's libraries, foretold.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;

use super::args::VerifyArgs;
use crate::cdi::model::ContainerEdits;
use crate::cdi::render;
use crate::exit::Ended;
use crate::glibc::Version;
use crate::host::closure::{self, Libraries};
use crate::host::image_loader;
use crate::host::libraries;
use crate::host::roots::{RootArgs, Roots};
use crate::image::{self, Exposed, Facts, Finding, Forecast, Found, LIBFABRIC, Libc};
use crate::inventory::{Inventory, Library};
use crate::loader::{self, Candidate, Disk, Loaded, Search, Start};
use crate::terminal::output::{self, Audience, BAD, GOOD, HEADING, WARNING, paint, visible};
use crate::terminal::table::{Cell, plain, table};

/// For programs.
#[derive(Serialize)]
struct Foretold {
    rootfs: PathBuf,
    libc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    glibc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    glibc_needed: Option<String>,
    libfabric: Forecast,
    libraries: Vec<ForetoldLibrary>,
    findings: Vec<Finding>,
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
    if !rootfs.is_dir() {
        bail!(
            "--rootfs {} is not a directory: give the root of an unpacked image",
            rootfs.display()
        );
    }
    let image = Roots::new(&RootArgs {
        prefix: Some(rootfs.to_owned()),
        ..RootArgs::default()
    })?;
    let mut problems = Vec::new();
    let inventory = Inventory {
        libraries: libraries::find(&host, args.spec.host.libraries()?, &[], &mut problems),
        ..Inventory::default()
    };
    for problem in problems {
        // A warning that nobody reads changes nothing about what is foretold.
        let _ = writeln!(io::stderr(), "warning: {problem}");
    }
    let edits = render::common_edits(&inventory, &args.spec.host.policy()?);
    let facts = facts(&host, &image, &inventory.libraries, &edits, &args.image_library_path);
    let foretold = foretold(rootfs, &facts);
    let ended = if foretold.findings.is_empty() && foretold.libfabric.loads {
        Ended::Done
    } else {
        Ended::Findings
    };
    match args.output {
        Audience::Json => output::json(&foretold)?,
        Audience::Table => output::styled(&described(&foretold)).context("the forecast is not complete")?,
    }
    Ok(ended)
}

/// An image with the mounts of the spec.
struct Container<'a> {
    host: &'a Roots,
    image: &'a Roots,
    own: Libraries<'a>,
    /// From where a mount lands in the image to the host's file.
    mounts: BTreeMap<PathBuf, PathBuf>,
}

impl Container<'_> {
    fn is_ours(&self, path: &Path) -> bool {
        self.mounts.contains_key(&landing(self.image, path))
    }
}

impl Disk for Container<'_> {
    fn look(&mut self, path: &Path) -> Candidate {
        match self.mounts.get(&landing(self.image, path)) {
            Some(file) => closure::look(self.host, file),
            None => self.own.look(path),
        }
    }

    fn cached(&mut self, name: &str) -> Vec<PathBuf> {
        self.own.cached(name)
    }
}

/// Where a path leads to with the image's links followed, as far as there is anything; runtimes mount there.
fn landing(image: &Roots, path: &Path) -> PathBuf {
    let there = path
        .ancestors()
        .find_map(|ancestor| Some((ancestor, image.resolve(ancestor).ok()?)));
    match there {
        Some((ancestor, real)) => real.join(path.strip_prefix(ancestor).unwrap_or(Path::new(""))),
        None => path.to_owned(),
    }
}

fn facts(host: &Roots, image: &Roots, libraries: &[Library], edits: &ContainerEdits, image_path: &str) -> Facts {
    let mounts = edits.mounts.iter();
    let mut container = Container {
        host,
        image,
        own: Libraries::new(image),
        mounts: mounts
            .map(|mount| {
                (
                    landing(image, Path::new(&mount.container_path)),
                    PathBuf::from(&mount.host_path),
                )
            })
            .collect(),
    };
    let (libc, alone) = image_loader::of(image, image_path);
    // The last of one name wins, and the image's own value is gone.
    let ours = edits
        .env
        .iter()
        .rev()
        .find_map(|variable| variable.strip_prefix("LD_LIBRARY_PATH="));
    let search = Search {
        library_path: ours.map_or_else(|| alone.library_path.clone(), image_loader::directories),
        ..alone.clone()
    };
    let loading = loader::load(&mut container, &search, &[Start::Name(LIBFABRIC.to_owned())], &|_| true);
    let mut seen = BTreeSet::new();
    let exposed = libraries
        .iter()
        .filter(|library| seen.insert(&library.soname))
        .map(|library| {
            let name = &library.soname;
            let in_container = loading
                .get(name)
                .cloned()
                .or_else(|| find(&mut container, &search, name));
            let own = find(&mut container.own, &alone, name);
            Exposed {
                name: name.clone(),
                found: in_container.as_ref().map(|found| Found {
                    path: found.path.clone(),
                    ours: container.is_ours(&found.path),
                }),
                lost: lost(own.as_ref(), in_container.as_ref()),
                own: own.map(|own| own.path),
            }
        });
    Facts {
        libc,
        exposed: exposed.collect(),
        needs: libraries
            .iter()
            .filter_map(|library| needs(host, library))
            .max_by(|a, b| a.0.cmp(&b.0)),
        ours: loading
            .loaded
            .iter()
            .map(|loaded| loaded.path.clone())
            .filter(|path| container.is_ours(path))
            .collect(),
        loading,
    }
}

/// One library, without what it needs.
fn find(disk: &mut dyn Disk, search: &Search, name: &str) -> Option<Loaded> {
    let start = [Start::Name(name.to_owned())];
    loader::load(disk, search, &start, &|wanted| wanted == name)
        .loaded
        .into_iter()
        .next()
}

fn lost(own: Option<&Loaded>, found: Option<&Loaded>) -> Vec<String> {
    let (Some(own), Some(found)) = (own, found) else {
        return Vec::new();
    };
    let kept = &found.object.defines;
    own.object
        .defines
        .iter()
        .filter(|version| !kept.contains(version) && !is_name(version, own))
        .cloned()
        .collect()
}

/// The first version of a library is its own name.
fn is_name(version: &str, library: &Loaded) -> bool {
    library.is_called(version) || library.path.ends_with(version)
}

fn needs(host: &Roots, library: &Library) -> Option<(Version, String)> {
    match closure::look(host, &library.file) {
        Candidate::Library(object) => Some((Version::required(&object)?, library.soname.clone())),
        _ => None,
    }
}

fn foretold(rootfs: &Path, facts: &Facts) -> Foretold {
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
    Foretold {
        rootfs: rootfs.to_owned(),
        libc,
        glibc,
        glibc_needed: facts.needs.as_ref().map(|(needs, _)| needs.to_string()),
        libfabric: image::forecast(facts),
        libraries: libraries.collect(),
        findings: image::findings(facts),
    }
}

fn described(foretold: &Foretold) -> String {
    let rootfs = visible(&foretold.rootfs.display().to_string());
    let version = foretold
        .glibc
        .iter()
        .map(|version| format!(" with symbols up to GLIBC_{version}"));
    let mut text = format!(
        "{}: {}{}",
        paint(HEADING, &rootfs),
        foretold.libc,
        version.collect::<String>()
    );
    text.extend(
        foretold
            .glibc_needed
            .iter()
            .map(|needed| format!("; the host's libraries need GLIBC_{needed}")),
    );
    text += "\n";
    if !foretold.libraries.is_empty() {
        let rows = foretold.libraries.iter().map(row).collect();
        text += &table(["LIBRARY", "FROM", "FOUND AT", "THE IMAGE'S OWN"], rows);
    }
    let findings = foretold.findings.iter();
    text.extend(findings.map(|finding| format!("{}: {}\n", paint(BAD, finding.kind), visible(&finding.text))));
    let Forecast { loads, from, .. } = &foretold.libfabric;
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

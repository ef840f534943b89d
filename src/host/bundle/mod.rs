//! A node in one file, for somebody who cannot log in there: what the doctor has looked at, without secrets.
//!
//! A tar archive, sorted, without times and owners: the same node gives the same bytes. `root/` is a tree that `--root`
//! takes; beside it stand the doctor's report, the libraries by name and need, and what was left out.

mod archive;
mod collection;
mod nics;
mod software;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use self::archive::BundleError;
use self::collection::{Collection, Entry};
use super::files::roots::Roots;
use super::probe::Site;
use crate::model::doctor::facts::NodeFacts;

/// The log that an admin gives along with it.
const LOG: &str = "log.txt";
/// Only the end of a log matters.
const LOG_LIMIT: u64 = 4 << 20;

/// Everything that goes into a bundle.
#[derive(Debug)]
pub struct Contents<'a, Report> {
    /// What came of the facts.
    pub report: &'a Report,
    /// What has been looked at.
    pub facts: &'a NodeFacts,
    /// What the site has chosen.
    pub site: &'a Site,
    /// A log to go with it.
    pub log: Option<&'a Path>,
}

/// Writes a bundle, as a whole or not at all, readable for its owner only. Returns how many files are in it.
///
/// # Errors
/// Something that is no bundle stands there, the log cannot be read, or the file system refuses.
pub fn write<Report: Serialize>(
    roots: &Roots,
    contents: &Contents<'_, Report>,
    target: &Path,
) -> Result<usize, BundleError> {
    archive::refuse_other(target)?;
    let (beside, tree) = collect(roots, contents)?;
    archive::write(target, &beside, &tree)
}

/// The same on standard output.
///
/// # Errors
/// A terminal is there, which an archive is not for; or as for [`write`].
pub fn print<Report: Serialize>(roots: &Roots, contents: &Contents<'_, Report>) -> Result<usize, BundleError> {
    archive::refuse_terminal()?;
    let (beside, tree) = collect(roots, contents)?;
    archive::print(&beside, &tree)
}

/// What stands beside the tree, and the tree.
type Parts = (Vec<(&'static str, Vec<u8>)>, BTreeMap<PathBuf, Entry>);

fn collect<Report: Serialize>(roots: &Roots, contents: &Contents<'_, Report>) -> Result<Parts, BundleError> {
    let mut collection = Collection::new(roots);
    nics::collect(&mut collection, contents.facts);
    software::collect(&mut collection, contents.facts, contents.site);
    let mut beside = vec![
        (archive::REPORT, archive::json(contents.report)),
        ("left-out.txt", collection.left_out_text().into_bytes()),
        ("libraries.json", archive::json(&software::libraries(roots))),
    ];
    if let Some(log) = contents.log {
        beside.push((LOG, archive::end_of(log, LOG_LIMIT)?));
    }
    Ok((beside, collection.entries))
}

//! Units of systemd, as files.

use std::path::{Path, PathBuf};

use super::configurations::matching_files;
use super::text_files::{entries, text_file};
use crate::host::files::roots::Roots;
use crate::model::doctor::facts::TextFile;
use crate::model::reading::Reading;

/// Our unit.
pub const OURS: &str = "cxi-device-plugin.service";
/// The admin's, and what is wanted at boot.
const ADMIN: &str = "/etc/systemd/system";
/// Where units are, the first one wins.
const DIRECTORIES: [&str; 4] = [
    ADMIN,
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Our unit; where it is masked, that to which its link leads.
pub fn daemon_unit(roots: &Roots) -> Option<PathBuf> {
    let paths = DIRECTORIES.iter().map(|directory| Path::new(directory).join(OURS));
    let mut units = paths.filter_map(|path| match roots.link_target(&path) {
        Ok(Some(target)) if target == Path::new("/dev/null") => Some(target),
        _ => roots.resolve(&path).ok().map(|_| path),
    });
    units.next()
}

/// The link that has our unit started at boot.
pub fn wanted_by(roots: &Roots) -> Reading<Option<PathBuf>> {
    let names = entries(roots, Path::new(ADMIN))?;
    let wanted = links_in(roots, &names).into_iter().next();
    Ok(wanted.map(|(link, _)| link))
}

/// Every link of the admin's to our unit, with its target: those that have it started, and the one that masks it.
pub fn links(roots: &Roots) -> Vec<(PathBuf, PathBuf)> {
    let names = entries(roots, Path::new(ADMIN)).unwrap_or_default();
    let own = Path::new(ADMIN).join(OURS);
    let mask = roots.link_target(&own).ok().flatten();
    let mut links = links_in(roots, &names);
    links.extend(mask.map(|target| (own, target)));
    links
}

fn links_in(roots: &Roots, names: &[String]) -> Vec<(PathBuf, PathBuf)> {
    let is_target = |name: &&String| name.ends_with(".wants") || name.ends_with(".requires");
    let links = names
        .iter()
        .filter(is_target)
        .map(|target| Path::new(ADMIN).join(target).join(OURS));
    links
        .filter_map(|link| {
            let target = roots.link_target(&link).ok().flatten()?;
            Some((link, target))
        })
        .collect()
}

/// A unit and its drop-ins, in the order in which they count; nothing where there is no unit.
pub fn with_dropins(roots: &Roots, unit: &str) -> Vec<TextFile> {
    let paths = DIRECTORIES.map(|directory| Path::new(directory).join(unit));
    let Some(main) = paths.into_iter().find(|path| roots.resolve(path).is_ok()) else {
        return Vec::new();
    };
    let mut files = vec![text_file(roots, main)];
    // The admin's count last.
    for directory in DIRECTORIES.iter().rev() {
        let dropins = Path::new(directory).join(format!("{unit}.d"));
        files.extend(matching_files(roots, &dropins, |name| name.ends_with(".conf")).unwrap_or_default());
    }
    files
}

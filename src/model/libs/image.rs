//! What an image makes of the host's libraries: whose are found, and whether they load. Pure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::glibc::Version;
use super::loader::Loading;
use super::places;

/// What programs ask the loader for.
pub const LIBFABRIC: &str = "libfabric.so.1";
/// Without the host's own of these, libfabric does not know the host's NICs.
pub const CORE: [&str; 2] = [LIBFABRIC, "libcxi.so.1"];

/// The C library of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Libc {
    /// glibc, with the highest version that its symbols have. That of 2.31 is 2.30 on x86_64: it brought no new symbols.
    Glibc(Option<Version>),
    /// musl.
    Musl,
    /// No loader is there.
    None,
}

/// Where a name leads to in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLibrary {
    /// In the container.
    pub path: PathBuf,
    /// Whether the host's file is mounted there.
    pub ours: bool,
}

/// A library that containers get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// Its soname.
    pub name: String,
    /// What the loader finds in a container.
    pub found: Option<FoundLibrary>,
    /// What it finds in the image alone.
    pub own: Option<PathBuf>,
    /// Versions that the image's own has and ours has not.
    pub lost: Vec<String>,
}

/// What there is to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// Of the image.
    pub libc: Libc,
    /// What was too much, so that the search is not complete.
    pub cut: Option<String>,
    /// The highest version of glibc that an exposed library asks for, and which one does.
    pub needs: Option<(Version, String)>,
    /// In the order of the spec.
    pub exposed: Vec<Exposed>,
    /// What comes of loading libfabric in a container.
    pub loading: Loading,
    /// Which of the paths are the host's.
    pub ours: BTreeSet<PathBuf>,
}

/// Something in the way.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ImageFinding {
    /// For programs: no-libc, musl, glibc-too-old, not-found, image-first, lacks, version, replaced or cut.
    pub kind: &'static str,
    /// For people.
    pub text: String,
}

/// What becomes of libfabric.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LoadResult {
    /// Whether `dlopen` succeeds.
    pub loads: bool,
    /// `host` or `image`; none when it is not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<&'static str>,
    /// In the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

/// What becomes of libfabric.
pub fn load_result(facts: &ImageFacts) -> LoadResult {
    let libfabric = facts.loading.get(LIBFABRIC);
    let refused = match facts.libc {
        Libc::None => true,
        Libc::Musl => loads_ours(facts),
        Libc::Glibc(_) => !facts.loading.unmet().is_empty(),
    };
    LoadResult {
        loads: libfabric.is_some() && facts.loading.missing.is_empty() && !refused,
        from: libfabric.map(|found| {
            if facts.ours.contains(&found.path) {
                "host"
            } else {
                "image"
            }
        }),
        path: libfabric.map(|found| found.path.clone()),
    }
}

fn loads_ours(facts: &ImageFacts) -> bool {
    facts
        .loading
        .loaded
        .iter()
        .any(|loaded| facts.ours.contains(&loaded.path))
}

/// All that is in the way, the gravest first.
pub fn findings(facts: &ImageFacts) -> Vec<ImageFinding> {
    let mut findings: Vec<ImageFinding> = libc_finding(facts).into_iter().collect();
    findings.extend(
        facts
            .exposed
            .iter()
            .filter_map(|library| library_finding(facts, library)),
    );
    findings.extend(loading_findings(facts));
    findings.extend(cut_findings(facts));
    findings
}

/// What was not looked at, so that the rest may be wrong.
fn cut_findings(facts: &ImageFacts) -> Vec<ImageFinding> {
    let unread = facts.loading.loaded.iter().flat_map(|loaded| {
        let unread = loaded.object.unread.iter();
        unread.map(|unread| format!("{}: {unread}", loaded.path.display()))
    });
    let cut = facts.cut.iter().map(|cut| format!("the search was cut: {cut}"));
    let finding = |text| ImageFinding { kind: "cut", text };
    unread.chain(cut).map(finding).collect()
}

fn libc_finding(facts: &ImageFacts) -> Option<ImageFinding> {
    let finding = |kind, text: String| Some(ImageFinding { kind, text });
    match (&facts.libc, &facts.needs) {
        (Libc::None, _) => finding(
            "no-libc",
            "no loader of glibc or musl: programs of this image load no libraries, unless they bring their own loader".into(),
        ),
        (Libc::Musl, Some(_)) => finding(
            "musl",
            "the host's libraries are made for glibc, and musl has not all that they call: use an image with glibc, or one with \
             a libfabric built for musl and --libraries none"
                .into(),
        ),
        (Libc::Glibc(Some(has)), Some((needs, by))) if needs > has => finding(
            "glibc-too-old",
            format!(
                "{by} of the host needs GLIBC_{needs}, and the image's glibc ends at GLIBC_{has}: use an image with a newer \
                 glibc, or one with its own libfabric and --libraries none"
            ),
        ),
        _ => None,
    }
}

fn library_finding(facts: &ImageFacts, library: &Exposed) -> Option<ImageFinding> {
    let Exposed { name, found, own, lost } = library;
    // A loader that gives up says at what.
    let given_up = || {
        let missing = facts.loading.missing.iter().find(|missing| missing.name == *name)?;
        (missing.reason != places::NOT_FOUND).then(|| format!("{name} does not load: {}", missing.reason))
    };
    let core = CORE.contains(&name.as_str());
    let (kind, text) = match (found, own) {
        (None, _) if core => (
            "not-found",
            given_up().unwrap_or_else(|| format!("{name} is not where this image's loader looks")),
        ),
        (Some(found), _) if core && !found.ours => (
            "image-first",
            format!(
                "{name} of the image at {} is found before the host's",
                found.path.display()
            ),
        ),
        (Some(found), Some(own)) if found.ours && !lost.is_empty() => (
            "replaced",
            format!(
                "{name} of the host takes the place of the image's own {}, and lacks {}: programs of the image that need \
                 that do not start",
                own.display(),
                lost.join(", ")
            ),
        ),
        _ => return None,
    };
    Some(ImageFinding { kind, text })
}

fn loading_findings(facts: &ImageFacts) -> Vec<ImageFinding> {
    let exposed = |name: &str| facts.exposed.iter().any(|library| library.name == name);
    let missing = facts.loading.missing.iter();
    // What is exposed and not found has been said.
    let lacks = missing
        .filter(|missing| missing.by.is_some() || !exposed(&missing.name))
        .map(|missing| {
            let by = missing.by.as_deref().unwrap_or(Path::new("programs"));
            let text = format!("{} is needed by {}: {}", missing.name, by.display(), missing.reason);
            ImageFinding { kind: "lacks", text }
        });
    let too_old = |version: &str| {
        let version = Version::from_symbol(version);
        facts.libc != Libc::Musl
            && version.is_some()
            && matches!(&facts.needs, Some((needs, _)) if version.as_ref() <= Some(needs))
    };
    let unmet = facts.loading.unmet();
    let versions = unmet
        .iter()
        .filter(|unmet| facts.libc != Libc::Musl && !too_old(&unmet.version))
        .map(|unmet| {
            let (by, library, found) = (unmet.by.display(), &unmet.library, unmet.found.display());
            let text = format!(
                "{by} needs version {} of {library}, which {found} has not",
                unmet.version
            );
            ImageFinding { kind: "version", text }
        });
    lacks.chain(versions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(libc: Libc, exposed: Vec<Exposed>) -> ImageFacts {
        ImageFacts {
            libc,
            needs: Version::from_symbol("GLIBC_2.34").map(|version| (version, LIBFABRIC.to_owned())),
            exposed,
            loading: Loading::default(),
            ours: BTreeSet::new(),
            cut: None,
        }
    }

    fn kinds(facts: &ImageFacts) -> Vec<&'static str> {
        findings(facts).iter().map(|finding| finding.kind).collect()
    }

    fn exposed(found: Option<(&str, bool)>, own: Option<&str>, lost: &[&str]) -> Exposed {
        Exposed {
            name: LIBFABRIC.to_owned(),
            found: found.map(|(path, ours)| FoundLibrary {
                path: path.into(),
                ours,
            }),
            own: own.map(PathBuf::from),
            lost: lost.iter().map(|version| (*version).to_owned()).collect(),
        }
    }

    #[test]
    fn glibc_is_too_old_when_it_is_older_than_what_is_needed() {
        for (has, expected) in [
            ("GLIBC_2.33", vec!["glibc-too-old"]),
            ("GLIBC_2.34", vec![]),
            ("GLIBC_2.40", vec![]),
        ] {
            let facts = facts(Libc::Glibc(Version::from_symbol(has)), Vec::new());
            assert_eq!(kinds(&facts), expected, "{has}");
        }
        assert_eq!(kinds(&facts(Libc::Musl, Vec::new())), ["musl"]);
        assert_eq!(kinds(&facts(Libc::None, Vec::new())), ["no-libc"]);
    }

    #[test]
    fn a_library_is_in_the_way_when_it_is_not_ours_or_ours_lacks_what_the_image_had() {
        let glibc = || Libc::Glibc(None);
        let of = |library| kinds(&facts(glibc(), vec![library]));
        assert_eq!(of(exposed(None, None, &[])), ["not-found"]);
        assert_eq!(of(exposed(Some(("/own", false)), Some("/own"), &[])), ["image-first"]);
        assert_eq!(
            of(exposed(Some(("/ours", true)), Some("/own"), &["FABRIC_1.9"])),
            ["replaced"]
        );
        assert_eq!(of(exposed(Some(("/ours", true)), Some("/own"), &[])), [""; 0]);
    }
}

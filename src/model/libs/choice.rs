//! Which of several libraries of one name was taken, and why. Pure.

use std::fmt;
use std::path::PathBuf;

/// What makes a directory one for a library of the host, in the order in which they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// A root that was set.
    Set,
    /// The usual directory for links.
    Usual,
    /// The link that names a release.
    Default,
    /// libfabric itself.
    Needed,
    /// The host's loader.
    Loader,
    /// Its age.
    Release,
}

impl Because {
    /// Why a library was taken from there.
    pub fn of_taken(self) -> &'static str {
        match self {
            Self::Set => "the site has set it",
            Self::Usual => "it is the usual directory",
            Self::Default => "the site's link 'default' leads there",
            Self::Needed => "this libfabric loads it from there",
            Self::Loader => "the host's loader takes it from there",
            Self::Release => "it is the newest release",
        }
    }
}

/// What such a directory is called.
impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "what the site has set",
            Self::Usual => "the usual directory",
            Self::Default => "the release that 'default' names",
            Self::Needed => "what libfabric loads",
            Self::Loader => "what the host's loader takes",
            Self::Release => "the newest release",
        })
    }
}

/// What became of the search for one library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryChoice {
    /// Its name.
    pub soname: &'static str,
    /// Where it was taken from.
    pub directory: PathBuf,
    /// Why.
    pub because: Because,
    /// Other files of this name.
    pub passed_over: Vec<PassedOver>,
}

/// A library that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Where.
    pub directory: PathBuf,
    /// Why not.
    pub reason: String,
}

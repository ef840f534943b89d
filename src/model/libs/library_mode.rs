//! Which of the host's libraries go into containers.

/// Which libraries go into containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LibraryMode {
    /// libfabric and libcxi of the host
    #[default]
    Listed,
    /// These and what they need, but neither glibc's own libraries nor those that images are likely to have
    Closure,
    /// The same with those that images are likely to have.
    #[value(skip)]
    ClosureAll,
    /// libfabric and libcxi, and the whole directory of libfabric as one: for stacks that are built to be in a container
    Directory,
    /// Nothing: for images that bring their own
    None,
}

impl LibraryMode {
    /// This choice, with those libraries of a closure that images are likely to have, or without; none where that makes no
    /// sense.
    pub fn with_all(self, closure_all: bool) -> Option<Self> {
        match (self, closure_all) {
            (mode, false) => Some(mode),
            (Self::Closure | Self::ClosureAll, true) => Some(Self::ClosureAll),
            (Self::Listed | Self::Directory | Self::None, true) => None,
        }
    }
}

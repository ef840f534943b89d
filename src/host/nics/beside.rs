//! What containers get beside NICs: the host's libraries, and other device nodes that CXI programs use.

use std::fs;
use std::mem;
use std::os::unix::fs::FileTypeExt;

use super::scan_options::ScanOptions;
use crate::host::files::roots::Roots;
use crate::host::libraries;
use crate::model::libs::choice::LibraryChoice;
use crate::model::nic::companion::CompanionNode;
use crate::model::nic::inventory::{Library, LibraryDirectory};
use crate::model::reading::{ReadError, Reading};

/// Its name in messages.
pub(super) const WHAT: &str = "the host's libraries";

/// What was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    /// In the order in which they are mounted.
    pub libraries: Vec<Library>,
    /// Which of several they are.
    pub library_choices: Vec<LibraryChoice>,
    /// A directory of theirs, as a whole.
    pub library_directory: Option<LibraryDirectory>,
    /// Those that the host has.
    pub companion_nodes: Vec<CompanionNode>,
    /// What is missing or makes no sense.
    pub problems: Vec<ReadError>,
}

impl Beside {
    /// What there is now.
    ///
    /// # Errors
    /// This process may open no more files, so that it sees nothing.
    pub(super) fn look(roots: &Roots, options: &ScanOptions) -> Reading<Self> {
        let roots = &roots.apart();
        let mut found = libraries::find(roots, options.libraries, &options.extra);
        let libraries = mem::take(&mut found.libraries);
        let library_choices = mem::take(&mut found.choices);
        let library_directory = found.directory.take();
        let mut problems = found.said();
        let companion_nodes = companion_nodes(roots, options, &mut problems);
        if roots.take_fd_exhausted() {
            return Err(ReadError::new(WHAT, "too many open files"));
        }
        Ok(Self {
            libraries,
            library_choices,
            library_directory,
            companion_nodes,
            problems,
        })
    }

    /// The same, as it was found before, and why that is.
    pub(super) fn as_before(&self, reason: &ReadError) -> Self {
        let mut before = self.clone();
        before.problems.push(reason.clone());
        before
    }
}

fn companion_nodes(roots: &Roots, options: &ScanOptions, problems: &mut Vec<ReadError>) -> Vec<CompanionNode> {
    let mut nodes = Vec::new();
    for companion in &options.companions {
        let host_path = roots.dev.join(&companion.name);
        let is_there =
            fs::metadata(roots.local_path(&host_path)).is_ok_and(|metadata| metadata.file_type().is_char_device());
        if is_there {
            let container_path = companion.container_path();
            nodes.push(CompanionNode {
                container_path,
                host_path,
            });
        } else if !companion.is_optional {
            problems.push(ReadError::new(
                host_path,
                "no such device node: containers go without it",
            ));
        }
    }
    nodes
}

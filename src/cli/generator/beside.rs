//! A running daemon beside a static spec.

use std::io::{self, Write};
use std::path::Path;

use crate::host::cdi_dir::cdi_directory::CdiDirectory;
use crate::host::files::lock;

/// Where the daemon keeps its own spec by default, by both names of the directory.
const DYNAMIC: [&str; 2] = ["/var/run/cdi", "/run/cdi"];

/// The daemon's spec wins name by name, so a name that it has taken away lives on in a static file.
pub fn warn_of_daemon(run_dir: &Path, directory: &CdiDirectory) {
    if DYNAMIC.iter().any(|dynamic| directory.path == Path::new(dynamic)) {
        return;
    }
    let Some(pid) = lock::running(run_dir) else { return };
    // A warning that nobody reads changes nothing about what was done.
    let _ = writeln!(
        io::stderr(),
        "warning: cxi-device-plugin is running (pid {pid}) and keeps a spec of its own: a name that goes away there stays \
         in {}; undo with: cxi-cdi-generator remove --cdi-dir {}",
        directory.file().display(),
        directory.path.display()
    );
}

//! A test that this machine or this user cannot run says so, and why. For cargo it has passed; `tests/run` knows better.

use std::env;
use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::thread;

use super::say;

/// Names the file that `tests/run` reads at the end.
const FILE: &str = "CXI_TEST_SKIPS";

/// What is lacking.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// Everybody but root lacks it.
    Root,
    /// To be root at least of a namespace of one's own.
    Namespaces,
    Ptrace,
    Fuse,
    /// A program that the test runs.
    Program,
}

impl Need {
    /// The name by which `tests/run` tells what was to be expected.
    fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Namespaces => "namespaces",
            Self::Ptrace => "ptrace",
            Self::Fuse => "/dev/fuse",
            Self::Program => "a program",
        }
    }
}

/// The test that runs in this thread ends without having tested; the caller returns.
pub fn skip(need: Need, why: impl Display) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("?");
    let line = format!("{}::{test}: needs {}: {why}", env!("CARGO_CRATE_NAME"), need.name()).replace('\n', " ");
    let line = format!("SKIPPED {line}");
    say(&line);
    if let Some(file) = env::var_os(FILE) {
        // One write, so that tests which skip at the same time do not mix their lines.
        let mut file = File::options().append(true).open(file).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

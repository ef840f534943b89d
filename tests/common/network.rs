//! A network namespace of a test's own, in which the kernel sends nobody else's events and nobody hears ours.

use std::env;
use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use super::say;
use super::skip::{Need, skip};

/// Set for the copy of a test that runs as root of its own user namespace.
const INSIDE: &str = "CXI_TEST_INSIDE_USER_NAMESPACE";

/// Moves the thread of `test` and what it starts into a network namespace. Where that takes root, the test runs as a
/// process with its own user namespace instead; then, or where that is not allowed either, the answer is no.
pub fn is_own(test: &str) -> bool {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => true,
        Err(Errno::EPERM) if env::var_os(INSIDE).is_none() => {
            run_inside(test);
            false
        }
        Err(error) => {
            skip(Need::Namespaces, format!("no network namespace: {error}"));
            false
        }
    }
}

fn run_inside(test: &str) {
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user"])
            .args(arguments)
            .env(INSIDE, "1");
        command.output()
    };
    if !unshare(&["true"]).is_ok_and(|output| output.status.success()) {
        return skip(Need::Namespaces, "neither root nor user namespaces (unshare --user)");
    }
    let program = env::current_exe().unwrap();
    let output = unshare(&[program.to_str().unwrap(), "--exact", test, "--nocapture"]).unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // Indented, so that nobody takes the results in it for those of this process.
    let shown = said.replace('\n', "\n    ");
    assert!(output.status.success(), "{shown}");
    assert!(said.contains("test result: ok. 1 passed"), "no such test: {shown}");
    said.lines().filter(|line| line.starts_with("SKIPPED")).for_each(say);
}

//! How a program begins and ends: its command line is understood or explained; an error is one line with what, where and
//! what to do, the chain of causes under it; and an exit code tells systemd whether another start could help.

use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::host_args::{ClosureAllError, EnvVarsError};
use crate::host::files::lock::LockError;
use crate::host::files::roots::RootError;
use crate::host::files::sandbox::StaleSandbox;
use crate::model::config::ConfigError;
use crate::model::printable;

/// There are findings, as a caller who asked for them can tell by this code alone.
const FINDINGS: u8 = 3;
/// Wrong usage, as of most programs.
const USAGE: u8 = 2;
/// EX_TEMPFAIL of sysexits.h.
const TRY_AGAIN: u8 = 75;
/// EX_CONFIG of sysexits.h.
const BAD_CONFIGURATION: u8 = 78;

/// Milliseconds that stderr may take to have room.
const STDERR_MS: u8 = 250;

/// How a run ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Done.
    Done,
    /// Done, and something is not as it should be.
    Findings,
}

/// A program from its command line to its exit code.
pub fn program<Args: clap::Parser>(name: &str, run: impl FnOnce(Args) -> anyhow::Result<Ended>) -> ExitCode {
    match arguments(name) {
        Ok(args) => report(name, run(args)),
        Err(ended) => ended,
    }
}

/// The command line; or, once help, version or what is wrong with it has been said, how to end.
fn arguments<Args: clap::Parser>(program: &str) -> Result<Args, ExitCode> {
    Args::try_parse().map_err(|answer| {
        let text = answer.render().ansi().to_string();
        if answer.use_stderr() {
            note(&text);
            return ExitCode::from(USAGE);
        }
        let said = write!(anstream::stdout(), "{}", printable::styled(&text)).and_then(|()| io::stdout().flush());
        let said = unless_closed(said).context("cannot write to standard output");
        report(program, said.map(|()| Ended::Done))
    })
}

/// Says on stderr what went wrong, if something did.
fn report(program: &str, result: anyhow::Result<Ended>) -> ExitCode {
    let error = match result {
        Ok(Ended::Done) => return ExitCode::SUCCESS,
        Ok(Ended::Findings) => return ExitCode::from(FINDINGS),
        Err(error) => error,
    };
    // It has lines of its own, each made printable.
    let said = error.downcast_ref::<ConfigError>().map(ToString::to_string);
    let mut text = format!("{program}: {}\n", said.unwrap_or_else(|| in_lines(&error)));
    for cause in error.chain().skip(1) {
        text += &format!("  because: {}\n", in_lines(&cause));
    }
    note(&text);
    code(&error)
}

/// What came from outside cannot begin a line.
fn in_lines(text: &impl Display) -> String {
    text.to_string().trim_end().replace('\n', "\n    ")
}

/// A daemon that cannot go on must end, even where its last words would wait in a full pipe for ever.
fn stderr_takes_text() -> bool {
    let stderr = io::stderr();
    let mut stderr = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    poll(&mut stderr, PollTimeout::from(STDERR_MS)) != Ok(0)
}

/// Says on stderr what a user should know beside what was asked for.
pub fn warn(text: &impl Display) {
    note(&format!("warning: {}\n", printable::line(&text.to_string())));
}

/// Writes to stderr, in its own colours where that is a terminal. All that is said there goes this way.
pub fn note(text: &str) {
    if stderr_takes_text() {
        // What nobody reads is no reason to fail, nor to end otherwise.
        let _ = write!(anstream::stderr(), "{}", printable::styled(text));
    }
}

fn code(error: &anyhow::Error) -> ExitCode {
    if error.is::<StaleSandbox>() || matches!(error.downcast_ref(), Some(LockError::Held { .. })) {
        ExitCode::from(TRY_AGAIN)
    } else if error.is::<ClosureAllError>() || error.downcast_ref().is_some_and(ConfigError::is_wrong_usage) {
        ExitCode::from(USAGE)
    } else if error.is::<ConfigError>() || error.is::<RootError>() || error.is::<EnvVarsError>() {
        ExitCode::from(BAD_CONFIGURATION)
    } else {
        ExitCode::FAILURE
    }
}

/// What was written to a reader, who may have seen enough and be gone: no error, and no other end of the program either.
pub fn unless_closed(said: io::Result<()>) -> io::Result<()> {
    said.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
}

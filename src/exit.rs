//! How a program ends: one line with what, where and what to do, the chain of causes under it, and an exit code that
//! tells systemd whether another start could help.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::host::lock::LockError;
use crate::host::roots::RootError;
use crate::host_args::EnvVarsError;

/// EX_TEMPFAIL of sysexits.h.
const TRY_AGAIN: u8 = 75;
/// EX_CONFIG of sysexits.h.
const BAD_CONFIGURATION: u8 = 78;

/// Says on stderr what went wrong, if something did.
pub fn report(program: &str, result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if is_closed_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    let mut text = format!("{program}: {error}\n");
    for cause in error.chain().skip(1) {
        text += &format!("  because: {}\n", cause.to_string().trim_end().replace('\n', "\n    "));
    }
    // Nobody is left to tell if stderr is closed.
    let _ = io::stderr().write_all(text.as_bytes());
    code(&error)
}

fn code(error: &anyhow::Error) -> ExitCode {
    if matches!(error.downcast_ref(), Some(LockError::Held { .. })) {
        ExitCode::from(TRY_AGAIN)
    } else if error.is::<RootError>() || error.is::<EnvVarsError>() {
        ExitCode::from(BAD_CONFIGURATION)
    } else {
        ExitCode::FAILURE
    }
}

/// Whoever reads our output has seen enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io_errors = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    io_errors
        .map(io::Error::kind)
        .any(|kind| kind == io::ErrorKind::BrokenPipe)
}

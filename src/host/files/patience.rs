//! Looks at what may hang for ever, such as a file system whose server is gone or does not mean well, from a command that
//! must end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::untrusted::Place;

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// While it stays at one place.
    pub at_one_place: Duration,
    /// For all of it together.
    pub in_all: Duration,
}

/// Nothing on a node that works takes this long.
const USUAL: Patience = Patience {
    at_one_place: Duration::from_secs(10),
    in_all: Duration::from_secs(60),
};
/// How often it is seen whether it goes on.
const TICK: Duration = Duration::from_millis(500);

/// Why there is no result.
#[derive(Debug, Error)]
pub enum Hung {
    /// One place does not answer.
    #[error(
        "{} does not answer for {} s: the file system there hangs, or somebody makes it; nothing can be said of the rest",
        shown(.0), .1.as_secs()
    )]
    At(PathBuf, Duration),
    /// It goes on and on.
    #[error("it takes more than {} s, lately at {}: given up", .1.as_secs(), shown(.0))]
    Endless(PathBuf, Duration),
    /// No thread, or none that came to an end.
    #[error("no thread for it")]
    NoThread(#[source] io::Error),
}

/// The path may come from whoever makes it hang.
fn shown(path: &Path) -> String {
    path.to_string_lossy().escape_debug().to_string()
}

/// Does this on a thread that is left alone if it hangs; it ends with the program. What is looked at is told by `place`.
pub fn within<T: Send + 'static>(place: &Place, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Hung> {
    within_at_most(USUAL, place, job)
}

/// The same with another patience.
pub fn within_at_most<T: Send + 'static>(
    patience: Patience,
    place: &Place,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Hung> {
    let Patience { at_one_place, in_all } = patience;
    let (send, answer) = mpsc::channel();
    let work = move || {
        // Nobody may be waiting any more.
        let _ = send.send(job());
    };
    let name = "look".to_owned();
    thread::Builder::new().name(name).spawn(work).map_err(Hung::NoThread)?;
    let begin = Instant::now();
    let (mut seen, mut since) = (place.last().0, begin);
    loop {
        match answer.recv_timeout(TICK.min(at_one_place)) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Disconnected) => return Err(Hung::NoThread(io::Error::other("it ended early"))),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let (count, path) = place.last();
        if count != seen {
            (seen, since) = (count, Instant::now());
        }
        if since.elapsed() >= at_one_place {
            return Err(Hung::At(path, at_one_place));
        }
        if begin.elapsed() >= in_all {
            return Err(Hung::Endless(path, in_all));
        }
    }
}

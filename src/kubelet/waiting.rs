//! Waits for a kubelet that takes calls.

use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::connection::pid_of;
use super::directory::{Epoch, Found, KubeletDir};
use super::registration;
use super::standing::Standing;
use super::streams::Pid;
use crate::host::files::unix_socket::Call;
use crate::host::files::watch::DirectoryWatch;
use crate::host::worker::NotDone;
use crate::model::backoff::BackoffOf;

/// Between two looks at the directory, however much happens in it. The first change is looked at at once.
const SETTLE: Duration = Duration::from_millis(20);
/// How soon a kubelet that did not answer is called again: at first, and at most where no event tells of a change.
const FIRST_CALL: Duration = Duration::from_millis(10);
const BLIND_CALL: Duration = Duration::from_secs(1);
/// How long a kubelet may take to listen, before that is worth a word.
const STARTING: Duration = Duration::from_secs(5);

/// A kubelet that has taken our call.
#[derive(Debug)]
pub struct Kubelet {
    /// Its life.
    pub epoch: Epoch,
    /// Its process.
    pub pid: Pid,
    /// The call.
    pub stream: UnixStream,
}

/// What happens in kubelet's directory, not faster than it can be looked at.
#[derive(Debug)]
pub struct Changes {
    watch: DirectoryWatch,
    last: Instant,
}

impl Changes {
    /// Of this watch.
    pub fn new(watch: DirectoryWatch) -> Self {
        let last = Instant::now();
        Self { watch, last }
    }

    /// Returns when something may have changed. Who cancels it has to look before the next one.
    pub async fn next(&mut self) {
        self.watch.changed().await;
        sleep_until(self.last + SETTLE).await;
        // What came meanwhile is of the same look.
        loop {
            tokio::select! {
                biased;
                () = self.watch.changed() => {}
                () = std::future::ready(()) => break,
            }
        }
        self.last = Instant::now();
    }
}

/// Returns with a kubelet that takes calls.
pub async fn kubelet(dir: &KubeletDir, changes: &mut Changes, standing: &mut Standing) -> Kubelet {
    let mut backoff = BackoffOf::from_first(FIRST_CALL);
    let mut since = None;
    loop {
        let found = dir.find().await;
        // A new socket at which nobody listens is that of a kubelet that will in a moment, and no event tells of it. How long
        // the one before it was in vain, such as that of a kubelet that was killed, says nothing about it.
        if let Ok(Found::Called(epoch, _)) = &found
            && backoff.turns_to(*epoch)
        {
            since = None;
        }
        let place = dir.path().display();
        let (reason, patience, longest) = match found {
            Ok(Found::Called(epoch, Call::Taken(stream))) => match UnixStream::from_std(stream) {
                Ok(stream) => {
                    let pid = pid_of(&stream);
                    return Kubelet { epoch, pid, stream };
                }
                Err(error) => (format!("cannot call kubelet: {error}"), Duration::ZERO, BLIND_CALL),
            },
            Ok(Found::Absent) => {
                standing.waiting(dir.path());
                (backoff, since) = (BackoffOf::from_first(FIRST_CALL), None);
                changes.next().await;
                continue;
            }
            Ok(Found::Called(_, Call::Refused)) => {
                let reason = format!("nobody listens at kubelet.sock in {place}");
                (reason, STARTING, Duration::MAX)
            }
            Ok(Found::Called(_, Call::QueueFull)) => {
                let reason = "kubelet takes no more callers at the moment".to_owned();
                (reason, registration::DEADLINE, BLIND_CALL)
            }
            Ok(Found::Failed(error)) => {
                let reason = format!("cannot connect to kubelet.sock in {place}: {error}");
                (reason, Duration::ZERO, Duration::MAX)
            }
            Err(not_done) => (silent(dir, &not_done), Duration::ZERO, BLIND_CALL),
        };
        if since.get_or_insert_with(Instant::now).elapsed() < patience {
            tracing::debug!("not registered yet: {reason}");
        } else {
            standing.not_registered(reason);
        }
        let wait = backoff.next(fastrand::f64()).min(longest);
        tracing::debug!("next call in {} ms", wait.as_millis());
        // Whichever comes first, it is called again.
        let _ = timeout(wait, changes.next()).await;
    }
}

/// Why a look at the directory gave nothing, in the same words as long as it is so.
pub fn silent(dir: &KubeletDir, not_done: &NotDone) -> String {
    let place = dir.path().display();
    match not_done {
        NotDone::Hangs(_) | NotDone::Busy => format!("kubelet's directory {place} does not answer"),
        NotDone::NoThread(_) | NotDone::Ended => format!("cannot look at kubelet's directory {place}: {not_done}"),
    }
}

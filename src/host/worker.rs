//! A thread for work that may be slow or hang, such as reading a file system. It lives as long as the daemon, so that a
//! node without a free process id stops nothing, and the runtime's own thread never waits.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;

type Job = Box<dyn FnOnce() + Send>;

/// Does one job after the other on a thread of its own.
#[derive(Debug, Clone)]
pub struct Worker(Arc<Shared>);

struct Shared {
    name: &'static str,
    state: Mutex<State>,
    on_late: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    thread: Option<Sender<Job>>,
    /// Ends with the job that was not waited for.
    hanging: Option<oneshot::Receiver<()>>,
}

/// Why a job has no result.
#[derive(Debug, Error)]
pub enum NotDone {
    /// The system gives us no thread now; the next job tries again.
    #[error("cannot start a thread: {0}")]
    NoThread(io::Error),
    /// It has not ended in time. It goes on, and what is asked for until then fails with [`Busy`](Self::Busy).
    #[error("it hangs for {} s", .0.as_secs_f32())]
    Hangs(Duration),
    /// An earlier job hangs.
    #[error("an earlier one still hangs")]
    Busy,
    /// The thread ended without an answer.
    #[error("its thread ended")]
    Ended,
}

impl Worker {
    /// Starts the thread; if that fails, the first job tries again.
    pub fn new(name: &'static str) -> Self {
        Self::telling(name, || {})
    }

    /// The same; it calls `on_late` when a job has ended that was not waited for.
    pub fn telling(name: &'static str, on_late: impl Fn() + Send + Sync + 'static) -> Self {
        let worker = Self::resting(name, on_late);
        worker.be_ready();
        worker
    }

    /// As by [`new`](Self::new), but the thread starts with the first job, or when it is to [`be_ready`](Self::be_ready).
    pub fn later(name: &'static str) -> Self {
        Self::resting(name, || {})
    }

    fn resting(name: &'static str, on_late: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            name,
            state: Mutex::default(),
            on_late: Arc::new(on_late),
        }))
    }

    /// Starts the thread if there is none yet; if that fails, the next job tries again.
    pub fn be_ready(&self) {
        let mut state = self.state();
        if state.thread.is_none() {
            state.thread = start(self.0.name).ok();
        }
    }

    /// Does this after what was asked for before, and waits for it as long as it takes.
    ///
    /// # Errors
    /// It was not begun.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, NotDone> {
        let (answer, _) = self.begin(job)?;
        answer.await.map_err(|_| NotDone::Ended)
    }

    /// The same, but waits only so long.
    ///
    /// # Errors
    /// It was not begun, or hangs.
    pub async fn run_within<T: Send + 'static>(
        &self,
        patience: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotDone> {
        let (mut answer, ended) = self.begin(job)?;
        if let Ok(answer) = timeout(patience, &mut answer).await {
            return answer.map_err(|_| NotDone::Ended);
        }
        // From here on it is late; before, its result is there.
        answer.close();
        if let Ok(answer) = answer.try_recv() {
            return Ok(answer);
        }
        self.state().hanging = Some(ended);
        Err(NotDone::Hangs(patience))
    }

    /// Does this after what was asked for before, whether or not anybody waits for what is returned.
    ///
    /// # Errors
    /// It was not begun.
    pub fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, NotDone> {
        self.begin(job).map(|(answer, _)| answer)
    }

    /// Hands the job to the thread. What is returned gets its result, and hears of its end.
    fn begin<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(oneshot::Receiver<T>, oneshot::Receiver<()>), NotDone> {
        let mut state = self.state();
        if let Some(hanging) = &mut state.hanging {
            if matches!(hanging.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                return Err(NotDone::Busy);
            }
            state.hanging = None;
        }
        let thread = match &state.thread {
            Some(thread) => thread,
            None => state.thread.insert(start(self.0.name).map_err(NotDone::NoThread)?),
        };
        let (send, answer) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let on_late = Arc::clone(&self.0.on_late);
        let job = move || {
            let is_late = send.send(job()).is_err();
            drop(end);
            if is_late {
                on_late();
            }
        };
        thread.send(Box::new(job)).map_err(|_| NotDone::Ended)?;
        Ok((answer, ended))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that ends when nobody can ask it for anything any more.
fn start(name: &str) -> io::Result<Sender<Job>> {
    let (jobs, queue) = mpsc::channel::<Job>();
    let work = move || queue.into_iter().for_each(|job| job());
    thread::Builder::new().name(name.to_owned()).spawn(work)?;
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_are_done_in_order_on_one_thread() {
        let worker = Worker::new("test");
        let first = worker.run(|| thread::current().id()).await.unwrap();
        let second = worker.run(|| thread::current().id()).await.unwrap();
        assert_eq!(first, second);
        assert_ne!(first, thread::current().id());
    }

    #[tokio::test]
    async fn a_job_that_hangs_is_left_alone_until_it_ends() {
        let (ended, has_ended) = mpsc::channel();
        let ended = Mutex::new(ended);
        let worker = Worker::telling("test", move || ended.lock().unwrap().send(()).unwrap());
        let (release, released) = mpsc::channel::<()>();
        let hangs = move || {
            let _ = released.recv();
        };
        let patience = Duration::from_millis(1);
        assert!(matches!(
            worker.run_within(patience, hangs).await,
            Err(NotDone::Hangs(_))
        ));
        assert!(matches!(worker.run(|| 1).await, Err(NotDone::Busy)));
        drop(release);
        has_ended.recv().unwrap();
        assert_eq!(worker.run(|| 2).await.unwrap(), 2);
    }
}

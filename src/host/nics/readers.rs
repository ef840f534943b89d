//! Threads that read NICs. One reads them all as long as they answer. Where a read hangs, further threads read the others; what
//! has not answered in time is passed over, now and later, until it does. So there is one bounded wait for all of them, and at
//! most one thread for each NIC that hangs.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::model::nic::inventory::Nic;
use crate::model::nic::pci::PciAddress;

/// How long the NICs of one look are waited for. The driver answers from memory, in microseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// When nothing has come for so long, more threads take part.
const STALL: Duration = Duration::from_millis(100);

/// What a read brings: the NIC, or none when it takes a look at the whole node to tell.
type Answer = Option<Nic>;
/// A read to be done.
pub(super) type Read = Box<dyn FnOnce() -> Answer + Send>;

/// The threads.
pub(super) struct Readers(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Something is to be read.
    wake: Condvar,
    /// All of them have answered: whoever asked is not woken for each.
    complete: Condvar,
    on_news: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// The NICs at which a thread is, and whether nobody waits for it any more.
    reading: BTreeMap<PciAddress, bool>,
    answers: BTreeMap<PciAddress, Answer>,
    missing: usize,
    threads: usize,
    handles: Vec<JoinHandle<()>>,
    idle: usize,
    is_over: bool,
}

struct Job {
    address: PciAddress,
    read: Read,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reading = self.0.lock().reading.clone();
        f.debug_struct("Readers")
            .field("reading", &reading)
            .finish_non_exhaustive()
    }
}

impl Readers {
    /// Calls `on_news` when a read that was passed over has ended.
    pub(super) fn new(on_news: impl Fn() + Send + Sync + 'static) -> Self {
        let readers = Self(Arc::new(Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
            complete: Condvar::new(),
            on_news: Box::new(on_news),
        }));
        // A thread that cannot be started now is tried again with the first job.
        let _ = Shared::start(&readers.0);
        readers
    }

    /// What answers in time. What still hangs since an earlier call is not asked.
    pub(super) fn read(&mut self, reads: Vec<(PciAddress, Read)>) -> BTreeMap<PciAddress, Answer> {
        self.0.ask(reads);
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.0.lock();
        let mut come = 0;
        while state.missing > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.0.complete.wait_timeout(state, STALL.min(left));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.missing > 0 && state.answers.len() == come {
                drop(state);
                self.0.grow();
                state = self.0.lock();
            }
            come = state.answers.len();
        }
        state.pass_over()
    }
}

impl Drop for Readers {
    /// Leaves no thread behind, but for those that hang.
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_over = true;
        let handles = std::mem::take(&mut state.handles);
        let all_answer = state.reading.is_empty();
        drop(state);
        self.0.wake.notify_all();
        for thread in handles.into_iter().filter(|_| all_answer) {
            let _ = thread.join();
        }
    }
}

impl State {
    /// Takes what has answered; nobody waits for the rest.
    fn pass_over(&mut self) -> BTreeMap<PciAddress, Answer> {
        self.jobs.clear();
        self.reading.values_mut().for_each(|is_late| *is_late = true);
        self.missing = 0;
        std::mem::take(&mut self.answers)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(self: &Arc<Self>, reads: Vec<(PciAddress, Read)>) {
        let mut state = self.lock();
        for (address, read) in reads {
            if !state.reading.contains_key(&address) {
                state.jobs.push_back(Job { address, read });
            }
        }
        state.missing = state.jobs.len();
        let has_none_free = state.missing > 0 && state.threads == state.reading.len();
        drop(state);
        if has_none_free {
            let _ = Self::start(self);
        }
        self.wake.notify_one();
    }

    /// As many more threads as there are that make no way.
    fn grow(self: &Arc<Self>) {
        let state = self.lock();
        let more = state.reading.len().max(1).min(state.jobs.len());
        drop(state);
        // Without a free process id, those that there are have to do.
        let _ = (0..more).try_for_each(|_| Self::start(self));
    }

    fn start(self: &Arc<Self>) -> io::Result<()> {
        let shared = Arc::clone(self);
        // Counted first: the thread may be asked before this one goes on.
        self.lock().threads += 1;
        let started = thread::Builder::new()
            .name("nics".to_owned())
            .spawn(move || shared.work());
        let mut state = self.lock();
        match started {
            Ok(thread) => {
                state.handles.retain(|thread| !thread.is_finished());
                state.handles.push(thread);
                Ok(())
            }
            Err(error) => {
                state.threads -= 1;
                Err(error)
            }
        }
    }

    /// Reads until there is another thread that waits for something to read.
    fn work(&self) {
        let mut state = self.lock();
        while !state.is_over {
            if let Some(job) = state.jobs.pop_front() {
                state.reading.insert(job.address, false);
                drop(state);
                let answer = (job.read)();
                state = self.lock();
                if state.reading.remove(&job.address) == Some(true) {
                    drop(state);
                    (self.on_news)();
                    state = self.lock();
                } else {
                    state.answers.insert(job.address, answer);
                    state.missing = state.missing.saturating_sub(1);
                    if state.missing == 0 {
                        self.complete.notify_one();
                    }
                }
            } else if state.idle > 0 {
                break;
            } else {
                state.idle += 1;
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn address(number: u32) -> PciAddress {
        format!("{number:04x}:21:00.0").parse().unwrap()
    }

    fn reads(count: u32, hang: impl Fn(u32) -> Option<mpsc::Receiver<()>>) -> Vec<(PciAddress, Read)> {
        let read = |number| -> (PciAddress, Read) {
            let hang = hang(number);
            let read = move || {
                // Until the sender goes.
                hang.map(|hang| hang.recv());
                None
            };
            (address(number), Box::new(read))
        };
        (0..count).map(read).collect()
    }

    #[test]
    fn those_that_hang_keep_no_other_waiting_and_are_asked_again_when_they_have_ended() {
        let (news, heard) = mpsc::channel();
        let news = Mutex::new(news);
        let mut readers = Readers::new(move || news.lock().unwrap().send(()).unwrap());
        let mut release = Vec::new();
        let release_of = std::cell::RefCell::new(&mut release);
        let answers = readers.read(reads(40, |number| {
            (number % 4 == 0).then(|| {
                let (send, hang) = mpsc::channel();
                release_of.borrow_mut().push(send);
                hang
            })
        }));
        let expected: Vec<_> = (0..40).filter(|number| number % 4 != 0).map(address).collect();
        assert_eq!(answers.into_keys().collect::<Vec<_>>(), expected);
        // What hangs is not asked again, and costs nothing.
        let asked = readers.read(reads(40, |_| None));
        assert_eq!(asked.into_keys().collect::<Vec<_>>(), expected);
        drop(release);
        for _ in 0..10 {
            heard.recv().unwrap();
        }
        assert_eq!(readers.read(reads(40, |_| None)).len(), 40);
    }
}

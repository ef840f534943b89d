//! The way out of the log: a bounded queue, and a thread that may wait for stderr or the journal as long as it takes.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Where the journal listens.
pub const JOURNAL: &str = "/run/systemd/journal/socket";
/// Bytes that wait at most; some thousand usual lines.
const LIMIT: usize = 256 * 1024;
/// How long the end waits for what is still to be written.
const FLUSH: Duration = Duration::from_secs(1);

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// As text.
    Stderr,
    /// As records.
    Journal,
}

/// Takes lines, in this order. When too many wait, those that come are lost until all have gone out, and their number is
/// said then.
#[derive(Debug, Clone)]
pub struct Outlet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    target: Target,
    queue: Mutex<Queue>,
    has_news: Condvar,
    is_idle: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    lost: u64,
    has_thread: bool,
    is_writing: bool,
}

impl Outlet {
    /// Starts the thread; if that fails, each line tries again.
    pub fn new(target: Target) -> Self {
        let outlet = Self(Arc::new(Shared {
            target,
            queue: Mutex::default(),
            has_news: Condvar::new(),
            is_idle: Condvar::new(),
        }));
        outlet.start(&mut outlet.0.queue());
        outlet
    }

    fn start(&self, queue: &mut Queue) {
        let shared = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("log".to_owned());
        queue.has_thread = thread.spawn(move || shared.write_out()).is_ok();
    }

    /// Hands over a line. Waits for nobody.
    pub fn put(&self, line: Vec<u8>) {
        let mut queue = self.0.queue();
        if !queue.has_thread {
            self.start(&mut queue);
        }
        if queue.lost > 0 || queue.bytes + line.len() > LIMIT {
            queue.lost += 1;
            return;
        }
        queue.bytes += line.len();
        queue.lines.push_back(line);
        self.0.has_news.notify_one();
    }

    /// Waits until all is written, but not for ever.
    pub fn flush(&self) {
        let is_busy = |queue: &mut Queue| queue.is_writing || queue.lost > 0 || !queue.lines.is_empty();
        // Either way there is nothing more to do.
        let _ = self.0.is_idle.wait_timeout_while(self.0.queue(), FLUSH, is_busy);
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_out(&self) {
        let socket = match self.target {
            Target::Stderr => None,
            Target::Journal => UnixDatagram::unbound().ok(),
        };
        loop {
            let line = self.next();
            // A log that nobody takes is no reason to do anything else.
            let _ = match &socket {
                Some(socket) => socket.send_to(&line, JOURNAL).map(drop),
                None => io::stderr().write_all(&line),
            };
        }
    }

    /// Waits for a line.
    fn next(&self) -> Vec<u8> {
        let mut queue = self.queue();
        queue.is_writing = false;
        loop {
            if let Some(line) = queue.lines.pop_front() {
                queue.bytes -= line.len();
                queue.is_writing = true;
                return line;
            }
            let lost = std::mem::take(&mut queue.lost);
            if lost > 0 {
                queue.lines.shrink_to_fit();
                drop(queue);
                tracing::warn!("{lost} messages of the log are lost: nobody took them in time");
                queue = self.queue();
                continue;
            }
            self.is_idle.notify_all();
            queue = self.has_news.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without a thread that takes anything.
    fn stuck() -> Outlet {
        let queue = Queue {
            has_thread: true,
            ..Queue::default()
        };
        Outlet(Arc::new(Shared {
            target: Target::Stderr,
            queue: Mutex::new(queue),
            has_news: Condvar::new(),
            is_idle: Condvar::new(),
        }))
    }

    #[test]
    fn what_waits_is_bounded_in_order_and_what_is_lost_is_counted() {
        let outlet = stuck();
        outlet.put(vec![b'a'; LIMIT / 2]);
        outlet.put(vec![b'b'; LIMIT / 2]);
        outlet.put(vec![b'c'; 2]);
        assert_eq!(outlet.0.queue().lost, 1);
        assert_eq!(outlet.0.next().first(), Some(&b'a'));
        // There is room, but nothing may be told after what is lost before that is said.
        outlet.put(vec![b'd'; 2]);
        assert_eq!(outlet.0.queue().lost, 2);
        assert_eq!(outlet.0.next().first(), Some(&b'b'));
        assert_eq!(outlet.0.queue().bytes, 0);
    }
}

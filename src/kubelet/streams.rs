//! Which of the streams on our socket is kubelet's. Anyone with the right to connect may watch, too; their streams are
//! neither a registration, nor do they hide the end of one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Streams of others at a time; more are refused.
const OTHERS: usize = 32;

/// How kubelet's stream stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Streams {
    /// Open ListAndWatch streams of kubelet's: one, or none.
    pub open: usize,
    /// Generation of the last snapshot that kubelet has taken.
    pub delivered: u64,
}

/// A process id; none where it is of another namespace and cannot be seen.
pub type Pid = Option<i32>;

/// The streams of one server.
#[derive(Debug)]
pub struct StreamBook {
    kubelet: Pid,
    shown: Arc<watch::Sender<Streams>>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    count: u64,
    /// Whether kubelet may know of our socket.
    is_announced: bool,
    kubelets: Option<u64>,
    /// Whether kubelet's has been there: it opens no second one.
    was_there: bool,
    others: BTreeSet<u64>,
}

/// An open stream, until it is dropped.
#[derive(Debug)]
pub struct OpenStream {
    book: Arc<StreamBook>,
    number: u64,
}

impl StreamBook {
    /// For a server that this process will be told of.
    pub fn new(kubelet: Pid, shown: Arc<watch::Sender<Streams>>) -> Self {
        let book = Mutex::default();
        Self { kubelet, shown, book }
    }

    /// Kubelet is told of our socket now: streams of before are others'.
    pub fn announce(&self) {
        self.lock().is_announced = true;
    }

    /// Takes a stream of this process: kubelet's is the first one after the announcement that comes from kubelet's process, or
    /// from one that cannot be seen. None if there are too many.
    pub fn open(self: &Arc<Self>, peer: Pid) -> Option<OpenStream> {
        let mut book = self.lock();
        book.count += 1;
        let number = book.count;
        let may_be_kubelet = self.kubelet.is_none() || peer.is_none() || peer == self.kubelet;
        if book.is_announced && !book.was_there && may_be_kubelet {
            self.take(&mut book, number);
        } else if book.others.len() < OTHERS {
            book.others.insert(number);
        } else {
            return None;
        }
        let book = Arc::clone(self);
        Some(OpenStream { book, number })
    }

    /// Kubelet's stream comes by way of another process, as nobody else's can be it: takes the newest. Returns whether there is
    /// any.
    pub fn adopt(&self) -> bool {
        let mut book = self.lock();
        let newest = book.others.pop_last().filter(|_| !book.was_there);
        if let Some(number) = newest {
            self.take(&mut book, number);
        }
        newest.is_some()
    }

    fn take(&self, book: &mut Book, number: u64) {
        (book.kubelets, book.was_there) = (Some(number), true);
        self.shown.send_modify(|shown| shown.open = 1);
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenStream {
    /// It has passed on the snapshot of this generation.
    pub fn delivered(&self, generation: u64) {
        if self.book.lock().kubelets == Some(self.number) {
            let later = |shown: &mut Streams| {
                let is_news = shown.delivered < generation;
                shown.delivered = shown.delivered.max(generation);
                is_news
            };
            self.book.shown.send_if_modified(later);
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut book = self.book.lock();
        if book.kubelets == Some(self.number) {
            book.kubelets = None;
            self.book.shown.send_modify(|shown| shown.open = 0);
        }
        book.others.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBELET: Pid = Some(17);
    const OTHER: Pid = Some(18);

    fn book(kubelet: Pid) -> (Arc<StreamBook>, watch::Receiver<Streams>) {
        let shown = Arc::new(watch::Sender::default());
        let seen = shown.subscribe();
        (Arc::new(StreamBook::new(kubelet, shown)), seen)
    }

    #[test]
    fn others_neither_open_nor_hide_nor_deliver() {
        let (book, seen) = book(KUBELET);
        let early = book.open(KUBELET).unwrap();
        book.announce();
        let other = book.open(OTHER).unwrap();
        other.delivered(3);
        assert_eq!(*seen.borrow(), Streams::default());
        let kubelets = book.open(KUBELET).unwrap();
        let second = book.open(KUBELET).unwrap();
        kubelets.delivered(4);
        second.delivered(5);
        assert_eq!(*seen.borrow(), Streams { open: 1, delivered: 4 });
        drop((other, early, second));
        assert_eq!(seen.borrow().open, 1);
        drop(kubelets);
        assert_eq!(seen.borrow().open, 0);
        let _third = book.open(KUBELET).unwrap();
        assert_eq!(seen.borrow().open, 0, "kubelet opens one for each registration");
    }

    #[test]
    fn where_processes_cannot_be_seen_the_first_one_counts() {
        for (kubelet, peer) in [(None, OTHER), (KUBELET, None), (None, None)] {
            let (book, seen) = book(kubelet);
            book.announce();
            let _stream = book.open(peer).unwrap();
            assert_eq!(seen.borrow().open, 1);
        }
    }

    #[test]
    fn the_newest_of_others_is_adopted_once() {
        let (book, seen) = book(KUBELET);
        book.announce();
        assert!(!book.adopt());
        let _one = book.open(OTHER).unwrap();
        let other = book.open(OTHER).unwrap();
        assert!(book.adopt() && !book.adopt());
        other.delivered(1);
        assert_eq!(*seen.borrow(), Streams { open: 1, delivered: 1 });
        drop(other);
        assert_eq!(seen.borrow().open, 0);
    }

    #[test]
    fn too_many_others_are_refused_and_kubelet_is_not() {
        let (book, seen) = book(KUBELET);
        book.announce();
        let others: Vec<_> = (0..100).filter_map(|_| book.open(OTHER)).collect();
        assert_eq!(others.len(), OTHERS);
        assert!(book.open(KUBELET).is_some());
        assert_eq!(seen.borrow().delivered, 0);
    }
}

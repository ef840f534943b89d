//! Looks at the node on threads of their own and waits only so long: what hangs must stop neither kubelet's service nor the news
//! of the other NICs.
//!
//! NICs and what is beside them are looked at apart. A NIC at which a look hangs is passed over, and stays as it was; so do the
//! libraries.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::beside::{self, Beside};
use super::cordons::Orders;
use super::readers::{PATIENCE, Readers};
use super::scan::Scanner;
use super::scan_options::ScanOptions;
use crate::host::worker::{NotDone, Worker};
use crate::model::message_id;
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};

/// How long libraries that are known already, and other things beside NICs, are waited for. One that hangs costs it once: then its
/// worker is busy. On a busy node a look of milliseconds has taken 260.
const BESIDE_PATIENCE: Duration = Duration::from_secs(1);

/// What is done before a look, on a thread of its own, because it may hang as well.
pub type Preparation = Arc<dyn Fn() + Send + Sync>;

/// What a look at some NICs alone has found.
#[derive(Debug)]
pub enum PartialLook {
    /// They are as they were.
    Same,
    /// The whole node with what is new of them.
    Changed(Inventory),
    /// It takes a look at the whole node to tell.
    Unclear,
}

/// Looks at the node.
pub struct ScanRunner {
    scanner: Arc<Scanner>,
    /// Lists the NICs and waits for those who read them.
    nics: Worker,
    readers: Arc<Mutex<Readers>>,
    /// What is beside NICs.
    libraries: Worker,
    preparations: Worker,
    /// The admin's orders.
    cordons: Worker,
    known: Arc<BTreeMap<PciAddress, Nic>>,
    problems: Vec<ReadError>,
    beside: Option<Beside>,
    /// What is published of what is beside NICs, with what is wrong.
    shown: Beside,
    orders: Reading<Orders>,
    has_hung: bool,
    has_looked: bool,
    on_news: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for ScanRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanRunner")
            .field("known", &self.known.keys())
            .finish_non_exhaustive()
    }
}

impl ScanRunner {
    /// Calls `on_news` when a look that hung has ended, and after the first look, which leaves things out for the sake of time.
    pub fn new(scanner: Scanner, on_news: impl Fn() + Send + Sync + 'static) -> Self {
        let on_news: Arc<dyn Fn() + Send + Sync> = Arc::new(on_news);
        scanner.put_off_texts(true);
        let tell = || {
            let on_news = Arc::clone(&on_news);
            move || on_news()
        };
        Self {
            scanner: Arc::new(scanner),
            nics: Worker::telling("scan", tell()),
            readers: Arc::new(Mutex::new(Readers::new(tell()))),
            libraries: Worker::telling("libraries", tell()),
            preparations: Worker::new("watches"),
            cordons: Worker::telling("cordons", tell()),
            known: Arc::default(),
            problems: Vec::new(),
            beside: None,
            shown: Beside::default(),
            orders: Err(ReadError::new("the cordons", "not read")),
            has_hung: false,
            has_looked: false,
            on_news,
        }
    }

    /// From the next look on, something else is looked for beside NICs.
    pub fn adopt(&mut self, options: ScanOptions) {
        self.scanner = Arc::new(self.scanner.with_options(options));
    }

    /// Everything there is now; of what does not answer, what was known before.
    ///
    /// # Errors
    /// The node as a whole could not be looked at.
    pub async fn look(&mut self, prepare: &Preparation) -> Reading<Inventory> {
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        let prepare = Arc::clone(prepare);
        // Whoever cannot watch finds less, and no less now.
        let preparing = self.preparations.run_within(BESIDE_PATIENCE, move || prepare());
        let patience = if self.beside.is_some() {
            BESIDE_PATIENCE
        } else {
            PATIENCE
        };
        let scanner = Arc::clone(&self.scanner);
        let beside = self.libraries.run_within(patience, move || scanner.beside());
        let (scanner, readers, known) = (
            Arc::clone(&self.scanner),
            Arc::clone(&self.readers),
            Arc::clone(&self.known),
        );
        let look = move || scanner.nics(&mut lock(&readers), &known);
        let looking = async { tokio::join!(in_time(&self.nics, look), beside, self.read_orders()) };
        let (nics, beside, orders) = if is_first {
            // Kubelet waits. What changes under this look before it is watched is found by the second one, and the cards' texts
            // are read then.
            let (_, found) = tokio::join!(preparing, looking);
            self.scanner.put_off_texts(false);
            (self.on_news)();
            found
        } else {
            let _ = preparing.await;
            looking.await
        };
        self.orders = orders;
        self.shown = self.take_beside(beside);
        let (nics, problems) = nics?;
        self.tell_of_hangs(&nics);
        if !self.known.values().eq(&nics) {
            self.known = Arc::new(nics.iter().map(|nic| (nic.address, nic.clone())).collect());
        }
        self.problems.clone_from(&problems);
        Ok(self
            .scanner
            .inventory((nics, problems), self.shown.clone(), &self.orders))
    }

    /// These NICs alone.
    ///
    /// # Errors
    /// As those of [`look`](Self::look).
    pub async fn look_at(&mut self, nics: &BTreeSet<PciAddress>) -> Reading<PartialLook> {
        let known: Option<Vec<Nic>> = nics.iter().map(|address| self.known.get(address).cloned()).collect();
        let Some(known) = known else {
            return Ok(PartialLook::Unclear);
        };
        let (scanner, readers) = (Arc::clone(&self.scanner), Arc::clone(&self.readers));
        let look = move || scanner.again(&mut lock(&readers), &known);
        let (nics, orders) = tokio::join!(in_time(&self.nics, look), self.read_orders());
        let Some(nics) = nics? else {
            return Ok(PartialLook::Unclear);
        };
        self.tell_of_hangs(&nics);
        let mut is_same = orders == self.orders;
        self.orders = orders;
        for nic in nics {
            is_same &= self.known.get(&nic.address) == Some(&nic);
            Arc::make_mut(&mut self.known).insert(nic.address, nic);
        }
        if is_same {
            return Ok(PartialLook::Same);
        }
        let found = (self.known.values().cloned().collect(), self.problems.clone());
        let inventory = self.scanner.inventory(found, self.shown.clone(), &self.orders);
        Ok(PartialLook::Changed(inventory))
    }

    /// The admin's orders. Those of NICs that were known are remembered by their health.
    async fn read_orders(&self) -> Reading<Orders> {
        let scanner = Arc::clone(&self.scanner);
        let read = self.cordons.run_within(BESIDE_PATIENCE, move || scanner.orders()).await;
        read.unwrap_or_else(|_| Err(ReadError::new("the cordons", "reading them hangs")))
    }

    /// What could be seen, or else what was known; that it hangs is said once.
    fn take_beside(&mut self, found: Result<Reading<Beside>, NotDone>) -> Beside {
        let problem = match found {
            Ok(Ok(found)) => {
                if std::mem::take(&mut self.has_hung) {
                    tracing::info!("{} can be looked at again", beside::WHAT);
                }
                self.beside = Some(found.clone());
                return found;
            }
            Ok(Err(read_error)) => read_error,
            // The same words as long as it lasts: what is compared must not change.
            Err(NotDone::Hangs(_) | NotDone::Busy) => {
                ReadError::new(beside::WHAT, "a look at them hangs: they stay as they were")
            }
            Err(error) => ReadError::new(beside::WHAT, error),
        };
        if !std::mem::replace(&mut self.has_hung, true) {
            tracing::error!(
                message_id = message_id::NODE_UNREADABLE,
                reason = problem.reason,
                "{problem}"
            );
        }
        self.beside.as_ref().unwrap_or(&Beside::default()).as_before(&problem)
    }

    /// Says once of a NIC that reading it hangs, and once that it answers.
    fn tell_of_hangs(&self, nics: &[Nic]) {
        for nic in nics {
            let before = self.known.get(&nic.address);
            match (
                before.is_some_and(|before| before.answers.is_err()),
                nic.answers.is_err(),
            ) {
                (false, true) => tracing::error!(
                    message_id = message_id::NIC_HANGS,
                    pci = %nic.address,
                    "reading it hangs for {} s: it stays as it was until it answers",
                    PATIENCE.as_secs()
                ),
                (true, false) => tracing::info!(pci = %nic.address, "it answers again"),
                _ => {}
            }
        }
    }
}

fn lock(readers: &Mutex<Readers>) -> MutexGuard<'_, Readers> {
    readers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A look at the NICs on its thread. Its own waits come first.
async fn in_time<T: Send + 'static>(worker: &Worker, look: impl FnOnce() -> Reading<T> + Send + 'static) -> Reading<T> {
    let the_node = |reason: &dyn fmt::Display| ReadError::new("the node", reason);
    match worker.run_within(2 * PATIENCE, look).await {
        Ok(found) => found,
        // The same words as long as it lasts.
        Err(NotDone::Hangs(_) | NotDone::Busy) => Err(the_node(&"a look at it hangs")),
        Err(error) => Err(the_node(&error)),
    }
}

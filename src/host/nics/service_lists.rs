//! The services of the NICs, asked for in the background: a command may hang, and no look at the node waits for one. Asked is at the
//! beginning of a NIC's life and then with a look, not more often than now and then. These commands are answered from the
//! driver's memory, or by a read of the NIC's registers; the one that may wake its microcontroller is not among them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::host::device::asking::PATIENCE;
use crate::host::device::commands::Commands;
use crate::host::device::node::Node;
use crate::host::device::survey;
use crate::host::files::roots::Roots;
use crate::model::nic::attributes::CxiName;
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};
use crate::model::services::refused::Refused;
use crate::model::services::service::Service;

/// Looks that follow each other sooner share an answer.
const INTERVAL: Duration = Duration::from_secs(10);

/// One life of a NIC: an address under one kernel name.
type NicLife = (PciAddress, CxiName);

#[derive(Debug)]
struct State {
    answer: Reading<Vec<Service>>,
    /// When it was asked for last, and whether that is still going on.
    asked: Instant,
    is_asking: bool,
}

/// What is known.
#[derive(Clone)]
pub(super) struct ServiceLists {
    known: Arc<Mutex<BTreeMap<NicLife, State>>>,
    on_news: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for ServiceLists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceLists")
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

impl ServiceLists {
    /// Calls `on_news` whenever a NIC has told something else than before.
    pub(super) fn new(on_news: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            known: Arc::default(),
            on_news: Arc::new(on_news),
        }
    }

    /// What the NIC said last; it is asked again in the background, if that was not just now.
    pub(super) fn known(&self, address: PciAddress, name: CxiName, roots: &Roots) -> Reading<Vec<Service>> {
        let life = (address, name);
        let node = roots.dev.join(name.to_string());
        let mut known = self.lock();
        if let Some(state) = known.get_mut(&life) {
            if state.is_asking && state.asked.elapsed() > PATIENCE {
                return Err(ReadError::new(&node, "a command on it hangs"));
            }
            if state.is_asking || state.asked.elapsed() < INTERVAL {
                return state.answer.clone();
            }
            state.asked = Instant::now();
            state.is_asking = true;
        }
        let state = known.entry(life).or_insert_with(|| State {
            answer: Err(ReadError::new(&node, "no answer yet")),
            asked: Instant::now(),
            is_asking: true,
        });
        let answer = state.answer.clone();
        drop(known);
        self.ask(life, roots);
        answer
    }

    fn ask(&self, life: NicLife, roots: &Roots) {
        // Beside looks: what it cannot open is none of their business.
        let (lists, roots) = (self.clone(), roots.apart());
        let (_, name) = life;
        let asking = thread::Builder::new().name(format!("svc-{name}")).spawn(move || {
            let answer = ask(&roots, name).map_err(|refused| ReadError::new(roots.dev.join(name.to_string()), refused));
            lists.take(life, answer);
        });
        if asking.is_err() {
            // The next look tries again.
            self.lock().remove(&life);
        }
    }

    fn take(&self, life: NicLife, answer: Reading<Vec<Service>>) {
        let is_news = self.lock().get_mut(&life).is_some_and(|state| {
            let has_hung = state.asked.elapsed() > PATIENCE;
            state.is_asking = false;
            let is_news = has_hung || state.answer != answer;
            state.answer = answer;
            is_news
        });
        if is_news {
            (self.on_news)();
        }
    }

    /// Forgets driver instances that are gone.
    pub(super) fn keep_only(&self, living: &BTreeMap<PciAddress, CxiName>) {
        self.lock()
            .retain(|(address, name), _| living.get(address) == Some(name));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NicLife, State>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ask(roots: &Roots, name: CxiName) -> Result<Vec<Service>, Refused> {
    let node = Node::open(roots, name)?;
    // Names of groups are for people who look.
    survey::services(Commands::to(&node), &BTreeMap::new())
}

//! The services of the NICs, asked for in the background: a command may hang, and no look at the node waits for one. Asked is at the
//! beginning of a NIC's life and then with a look, not more often than now and then. These commands are answered from the
//! driver's memory, or by a read of the NIC's registers; the one that may wake its microcontroller is not among them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::host::device::asking::PATIENCE;
use crate::host::device::commands::Commands;
use crate::host::device::node::Node;
use crate::host::device::{endings, survey};
use crate::host::files::roots::Roots;
use crate::model::nic::attributes::CxiName;
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};
use crate::model::services::lingering::Ending;
use crate::model::services::refused::Refused;
use crate::model::services::service::Service;

/// Looks that follow each other sooner share an answer.
const INTERVAL: Duration = Duration::from_secs(10);

/// One life of a NIC: an address under one kernel name.
type NicLife = (PciAddress, CxiName);

/// What is known of a NIC's services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// What the driver says.
    pub(super) services: Reading<Vec<Service>>,
    /// What is noted of those that are to end.
    pub(super) endings: Vec<Ending>,
}

impl Answer {
    fn unknown(node: &Path, reason: &str) -> Self {
        Self {
            services: Err(ReadError::new(node, reason)),
            endings: Vec::new(),
        }
    }
}

#[derive(Debug)]
struct State {
    answer: Answer,
    /// When it was asked for last, if ever, and whether that is still going on.
    asked: Option<Instant>,
    is_asking: bool,
}

type Known = Arc<Mutex<BTreeMap<NicLife, State>>>;

/// What is known.
#[derive(Clone)]
pub(super) struct ServiceLists {
    known: Known,
    /// One thread asks NIC after NIC; one that is stuck with a NIC is left to it, and another goes on with the rest.
    asker: Arc<Mutex<Option<Asker>>>,
    /// Where endings are noted.
    endings: Arc<PathBuf>,
    on_news: Arc<dyn Fn() + Send + Sync>,
}

/// A thread that asks. It ends with this.
struct Asker {
    queue: Sender<(NicLife, Roots)>,
    busy: Arc<Mutex<Option<(NicLife, Instant)>>>,
}

impl std::fmt::Debug for ServiceLists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceLists")
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

impl ServiceLists {
    /// Calls `on_news` whenever a NIC has told something else than before. `endings` is where it is noted which services are to end.
    pub(super) fn new(endings: PathBuf, on_news: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            known: Arc::default(),
            asker: Arc::default(),
            endings: Arc::new(endings),
            on_news: Arc::new(on_news),
        }
    }

    /// What the NIC said last; it is asked again in the background, if that was not just now.
    pub(super) fn known(&self, address: PciAddress, name: CxiName, roots: &Roots) -> Answer {
        let life = (address, name);
        let node = roots.dev.join(name.to_string());
        let mut asker = locked(&self.asker);
        let mut known = locked(&self.known);
        if let Some((stuck, _)) = asker.as_ref().and_then(Asker::stuck) {
            *asker = None;
            // Those behind it were not asked.
            let others = known.iter_mut().filter(|(life, _)| **life != stuck);
            others.for_each(|(_, state)| state.is_asking = false);
        }
        let state = known.entry(life).or_insert_with(|| State {
            answer: Answer::unknown(&node, "no answer yet"),
            asked: None,
            is_asking: false,
        });
        let age = state.asked.map(|asked| asked.elapsed());
        if state.is_asking && age > Some(PATIENCE) {
            return Answer::unknown(&node, "a command on it hangs");
        }
        if !state.is_asking && age.is_none_or(|age| age >= INTERVAL) && self.ask(&mut asker, life, roots) {
            state.asked = Some(Instant::now());
            state.is_asking = true;
        }
        state.answer.clone()
    }

    /// Whether it will be asked; without a thread the next look tries again.
    fn ask(&self, asker: &mut Option<Asker>, life: NicLife, roots: &Roots) -> bool {
        if asker.is_none() {
            *asker = Asker::start(
                Arc::clone(&self.known),
                Arc::clone(&self.endings),
                Arc::clone(&self.on_news),
            )
            .ok();
        }
        // Beside looks: what it cannot open is none of their business.
        let job = (life, roots.apart());
        asker.as_ref().is_some_and(|asker| asker.queue.send(job).is_ok())
    }

    /// Forgets driver instances that are gone.
    pub(super) fn keep_only(&self, living: &BTreeMap<PciAddress, CxiName>) {
        locked(&self.known).retain(|(address, name), _| living.get(address) == Some(name));
    }
}

impl Asker {
    fn start(known: Known, directory: Arc<PathBuf>, on_news: Arc<dyn Fn() + Send + Sync>) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel::<(NicLife, Roots)>();
        let busy = Arc::new(Mutex::new(None));
        let busy_with = Arc::clone(&busy);
        thread::Builder::new().name("services".to_owned()).spawn(move || {
            for (life, roots) in jobs {
                *locked(&busy_with) = Some((life, Instant::now()));
                let (address, name) = life;
                let services = ask(&roots, name);
                let answer = Answer {
                    services: services.map_err(|refused| ReadError::new(roots.dev.join(name.to_string()), refused)),
                    endings: endings::of(&directory, address),
                };
                *locked(&busy_with) = None;
                if take(&known, life, answer) {
                    on_news();
                }
            }
        })?;
        Ok(Self { queue, busy })
    }

    /// The NIC that keeps it for too long.
    fn stuck(&self) -> Option<(NicLife, Instant)> {
        locked(&self.busy).filter(|(_, since)| since.elapsed() > PATIENCE)
    }
}

/// Whether the answer is news.
fn take(known: &Known, life: NicLife, answer: Answer) -> bool {
    locked(known).get_mut(&life).is_some_and(|state| {
        let has_hung = state.asked.is_some_and(|asked| asked.elapsed() > PATIENCE);
        state.is_asking = false;
        let is_news = has_hung || state.answer != answer;
        state.answer = answer;
        is_news
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ask(roots: &Roots, name: CxiName) -> Result<Vec<Service>, Refused> {
    let node = Node::open(roots, name)?;
    // Names of groups are for people who look.
    survey::services(Commands::to(&node), &BTreeMap::new())
}

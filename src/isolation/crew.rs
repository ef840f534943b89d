//! The keepers of all NICs, each on a thread of its own: a NIC whose driver is stuck holds up nobody but the pods that are to have
//! it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout_at;

use super::keeper::words::Refusal;
use super::keeper::{Keeper, Moment, Want};
use super::ledger_file::{self, LedgerFile};
use crate::host::device::commands::Commands;
use crate::host::device::node::Node;
use crate::host::files::roots::Roots;
use crate::host::nics::now::NicsNow;
use crate::host::worker::Worker;
use crate::model::isolation::container::NicNow;
use crate::model::isolation::ledger::Ledger;
use crate::model::isolation::record::{NicRecord, PodService};
use crate::model::nic::pci::PciAddress;

/// How soon a NIC that could not be asked is asked again about what is due.
const POSTPONED: Duration = Duration::from_secs(10);

/// All of them.
#[derive(Debug)]
pub struct Crew {
    roots: Roots,
    directory: PathBuf,
    lingers_after: Duration,
    members: BTreeMap<PciAddress, Member>,
    began: Instant,
}

/// One, with what is known of it while it works.
#[derive(Debug, Clone)]
struct Member {
    called: String,
    worker: Worker,
    keeper: Arc<Mutex<Keeper>>,
    shown: Arc<Mutex<Shown>>,
}

#[derive(Debug, Default)]
struct Shown {
    services: Vec<PodService>,
    due: Option<Duration>,
}

/// What is done with one keeper, by the commands of its NIC.
type Job<T> = Box<dyn FnOnce(&mut Keeper, Commands<'_>, &str, Moment) -> T + Send>;

impl Crew {
    /// With the ledgers of an earlier run.
    ///
    /// # Errors
    /// One of them cannot be read: nobody would know what is ours.
    pub fn new(roots: Roots, directory: &Path, lingers_after: Duration) -> Result<Self, String> {
        let mut crew = Self {
            roots,
            directory: directory.to_owned(),
            lingers_after,
            members: BTreeMap::new(),
            began: Instant::now(),
        };
        for address in ledger_file::addresses(directory) {
            crew.join(address)?;
        }
        Ok(crew)
    }

    /// The services, by NIC.
    pub fn shown(&self) -> Vec<NicRecord> {
        let nics = self.members.iter().map(|(address, member)| NicRecord {
            address: address.to_string(),
            services: locked(&member.shown).services.clone(),
        });
        nics.filter(|nic| !nic.services.is_empty()).collect()
    }

    /// Whether there is a service, or may be one, that admits this namespace.
    pub fn has_netns(&self, netns: u32) -> bool {
        let shown = self.members.values().map(|member| locked(&member.shown));
        shown
            .into_iter()
            .any(|shown| shown.services.iter().any(|service| service.netns == netns))
    }

    /// The sandboxes that have a service, each with its network namespace and where that is kept.
    pub fn living(&self) -> Vec<(String, u32, PathBuf)> {
        let shown = self
            .members
            .values()
            .map(|member| locked(&member.shown).services.clone());
        let ready = shown
            .flatten()
            .filter(|service| service.state == "ready" && !service.path.is_empty());
        ready
            .map(|service| (service.sandbox.id, service.netns, service.path.into()))
            .collect()
    }

    /// How long until something is to be tried again.
    pub fn due_in(&self) -> Option<Duration> {
        let due = self.members.values().filter_map(|member| locked(&member.shown).due);
        due.min().map(|due| due.saturating_sub(self.began.elapsed()))
    }

    /// Gives a pod its service on each of these NICs.
    ///
    /// # Errors
    /// It has none on one of them.
    pub async fn bind(&mut self, nics: &[NicNow], want: &Want, until: tokio::time::Instant) -> Result<(), String> {
        let mut begun = Vec::new();
        for nic in nics {
            let want = want.clone();
            let bind: Job<_> =
                Box::new(move |keeper, commands, life, at| keeper.bind(commands, life, &want, at).map(drop));
            begun.push((nic.address, self.begin(nic, bind)?));
        }
        for (address, answer) in begun {
            match timeout_at(until, answer).await {
                Ok(Ok(answer)) => answer.map_err(|refusal| refusal.to_string())?,
                Ok(Err(_)) => return Err(format!("{address}: cannot be asked")),
                Err(_) => {
                    return Err(format!(
                        "{address}: its driver has not answered in time: the next attempt may succeed"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The services of a sandbox end; what has not ended by then goes on ending.
    pub async fn release(&mut self, now: &NicsNow, sandbox: &str, until: tokio::time::Instant) {
        let sandbox = sandbox.to_owned();
        let concerned: Vec<PciAddress> = self
            .members
            .iter()
            .filter(|(_, member)| {
                let services = &locked(&member.shown).services;
                services.iter().any(|service| service.sandbox.id == sandbox)
            })
            .map(|(address, _)| *address)
            .collect();
        self.each(now, &concerned, until, move || {
            let sandbox = sandbox.clone();
            Box::new(move |keeper, commands, life, at| {
                keeper.release(commands, life, &sandbox, at);
                Ok(())
            })
        })
        .await;
    }

    /// These sandboxes live, and no others.
    pub async fn sweep(&mut self, now: &NicsNow, living: &[String], until: tokio::time::Instant) {
        let all: Vec<PciAddress> = self.members.keys().copied().collect();
        let living: Arc<[String]> = living.into();
        self.each(now, &all, until, move || {
            let living = Arc::clone(&living);
            Box::new(move |keeper, commands, life, at| {
                keeper.sweep(commands, life, |sandbox| living.iter().any(|its| its == sandbox), at);
                Ok(())
            })
        })
        .await;
    }

    /// What is due is tried again.
    pub async fn try_again(&mut self, now: &NicsNow, until: tokio::time::Instant) {
        let time = self.began.elapsed();
        let due = |member: &Member| locked(&member.shown).due.is_some_and(|due| due <= time);
        let due: Vec<PciAddress> = self
            .members
            .iter()
            .filter(|(_, member)| due(member))
            .map(|(address, _)| *address)
            .collect();
        self.each(now, &due, until, || {
            Box::new(|keeper, commands, life, at| {
                keeper.try_again(commands, life, at);
                Ok(())
            })
        })
        .await;
    }

    /// The same with each of these; those whose NIC is gone have lost their services with it.
    async fn each(
        &mut self,
        now: &NicsNow,
        concerned: &[PciAddress],
        until: tokio::time::Instant,
        job: impl Fn() -> Job<Result<(), Refusal>>,
    ) {
        let mut begun = Vec::new();
        for address in concerned {
            match now.nics.iter().find(|nic| nic.address == *address) {
                Some(nic) => match self.begin(nic, job()) {
                    Ok(answer) => begun.push((nic.address, answer)),
                    Err(error) => tracing::warn!("{error}"),
                },
                None if now.is_complete => self.forget(*address),
                // Its services are still there, or are gone with it: the next look tells.
                None => {
                    self.postpone(*address);
                    tracing::warn!("{address}: it cannot be seen");
                }
            }
        }
        for (address, answer) in begun {
            match timeout_at(until, answer).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(refusal))) => tracing::warn!("{refusal}"),
                Ok(Err(_)) => tracing::warn!("{address}: cannot be asked"),
                Err(_) => {
                    self.postpone(address);
                    tracing::warn!("{address}: its driver has not answered in time; it is waited for");
                }
            }
        }
    }

    /// Hands a job to the NIC's thread.
    fn begin<T: Send + 'static>(
        &mut self,
        nic: &NicNow,
        job: Job<Result<T, Refusal>>,
    ) -> Result<tokio::sync::oneshot::Receiver<Result<T, Refusal>>, String> {
        let member = self.join(nic.address)?.clone();
        let (roots, cxi, life, began) = (self.roots.clone(), nic.cxi, nic.life.clone(), self.began);
        let worker = member.worker.clone();
        let work = move || {
            let node = Node::open(&roots, cxi).map_err(|refused| {
                member.postpone(began.elapsed() + POSTPONED);
                Refusal::new(&member.called, refused.to_string())
            })?;
            let mut keeper = locked(&member.keeper);
            let at = Moment {
                now: began.elapsed(),
                chance: fastrand::f64(),
            };
            let done = job(&mut keeper, Commands::to(&node), &life, at);
            member.show(&keeper);
            done
        };
        worker
            .submit(work)
            .map_err(|not_done| format!("{}: {not_done}", nic.address))
    }

    fn postpone(&self, address: PciAddress) {
        let member = self.members.get(&address);
        member
            .into_iter()
            .for_each(|member| member.postpone(self.began.elapsed() + POSTPONED));
    }

    fn forget(&mut self, address: PciAddress) {
        let Some(member) = self.members.get(&address).cloned() else {
            return;
        };
        let worker = member.worker.clone();
        let forget = move || {
            let mut keeper = locked(&member.keeper);
            keeper.forget();
            member.show(&keeper);
        };
        if let Err(not_done) = worker.submit(forget) {
            tracing::warn!("{address}: {not_done}");
        }
    }

    fn join(&mut self, address: PciAddress) -> Result<&Member, String> {
        let member = match self.members.entry(address) {
            std::collections::btree_map::Entry::Occupied(member) => return Ok(member.into_mut()),
            std::collections::btree_map::Entry::Vacant(place) => place,
        };
        let file = LedgerFile::new(&self.directory, address);
        let ledger = file.read()?.unwrap_or_else(|| Ledger::of_life(""));
        let keeper = Keeper::new(address.to_string(), ledger, Box::new(file)).lingering_after(self.lingers_after);
        let joined = Member {
            called: address.to_string(),
            worker: Worker::later("isolation"),
            shown: Arc::default(),
            keeper: Arc::new(Mutex::new(keeper)),
        };
        joined.show(&locked(&joined.keeper));
        Ok(member.insert(joined))
    }
}

impl Member {
    /// Nothing of it is due before.
    fn postpone(&self, until: Duration) {
        if let Some(due) = &mut locked(&self.shown).due {
            *due = (*due).max(until);
        }
    }

    fn show(&self, keeper: &Keeper) {
        *locked(&self.shown) = Shown {
            services: keeper.shown(),
            due: keeper.due(),
        };
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

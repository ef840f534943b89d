//! The services for pods on one NIC: made, ended, and found again after a crash. Commands go to whoever stands for the NIC's
//! driver, time comes in, and the ledger goes to a store, so that all of it can be tried without a NIC and a clock.

use std::collections::BTreeMap;
use std::time::Duration;

use super::keeper::words::{Refusal, made_nothing, step_failed};
use crate::host::device::commands::Commands;
use crate::host::device::survey;
use crate::model::isolation::ledger::{Entry, Ledger, State};
use crate::model::isolation::lookalike;
use crate::model::isolation::pod::Sandbox;
use crate::model::isolation::record::PodService;
use crate::model::services::create::{self, Step};
use crate::model::services::refused::Refused;
use crate::model::services::retry::{LINGERS_AFTER, Retry};
use crate::model::services::service::Service;

mod ending;
pub mod words;

/// Where a ledger is kept.
pub trait Store: Send {
    /// Keeps it, whole, in place of the one before.
    ///
    /// # Errors
    /// Why it is not kept.
    fn keep(&self, ledger: &Ledger) -> Result<(), String>;
}

/// What a pod is to have on a NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// For whom.
    pub sandbox: Sandbox,
    /// Inode of its network namespace.
    pub netns: u32,
    /// Where the runtime keeps that.
    pub path: String,
    /// Its VNI.
    pub vni: u16,
    /// Who may share that VNI: a namespace, or all that have no range of their own.
    pub group: String,
}

/// Time, and chance, for what is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Since anything.
    pub now: Duration,
    /// In 0..1.
    pub chance: f64,
}

/// Of one NIC.
pub struct Keeper {
    /// For people.
    called: String,
    ledger: Ledger,
    store: Box<dyn Store>,
    /// Services that are in use though they are to end, by number.
    tries: BTreeMap<u32, Tries>,
    /// How long one may take to end before that is news.
    lingers_after: Duration,
}

struct Tries {
    retry: Retry,
    began: Duration,
    due: Duration,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("called", &self.called)
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

impl Keeper {
    /// With what an earlier run has left.
    pub fn new(called: impl Into<String>, ledger: Ledger, store: Box<dyn Store>) -> Self {
        Self {
            called: called.into(),
            ledger,
            store,
            tries: BTreeMap::new(),
            lingers_after: LINGERS_AFTER,
        }
    }

    /// The same where the site has said how long a service may take to end before that is news.
    #[must_use]
    pub fn lingering_after(self, lingers_after: Duration) -> Self {
        Self { lingers_after, ..self }
    }

    /// What is known to be ours.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// For others to see.
    pub fn shown(&self) -> Vec<PodService> {
        let shown = self.ledger.entries.iter().map(|entry| PodService {
            service: entry.service(),
            sandbox: entry.sandbox.clone(),
            vni: entry.vni,
            netns: entry.netns,
            path: entry.path.clone(),
            state: match entry.state {
                State::Intended { .. } | State::Made { .. } => "beginning",
                State::Ready { .. } => "ready",
                State::Ending { .. } => "ending",
                State::Unclear { .. } => "unclear",
            }
            .to_owned(),
        });
        shown.collect()
    }

    /// When something is to be tried again.
    pub fn due(&self) -> Option<Duration> {
        let ending = self.ending().filter_map(Entry::service);
        let due = ending.map(|service| self.tries.get(&service).map_or(Duration::ZERO, |tries| tries.due));
        due.min()
    }

    fn ending(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.ledger.entries.iter();
        entries.filter(|entry| matches!(entry.state, State::Ending { .. }))
    }

    /// Gives a pod its service, and returns its number. One that has it keeps it.
    ///
    /// # Errors
    /// Why it has none.
    pub fn bind(&mut self, commands: Commands<'_>, life: &str, want: &Want, at: Moment) -> Result<u32, Refusal> {
        self.begin_life(life);
        self.recover(commands, at)?;
        let mut services = self.survey(commands)?;
        if let Some(service) = self.has(want, &services)? {
            return Ok(service);
        }
        // One of an earlier sandbox in this namespace, whose number is used again, may be free by now.
        if self.ending().any(|entry| entry.netns == want.netns) {
            self.end_all(commands, at, |entry| {
                entry.netns == want.netns && matches!(entry.state, State::Ending { .. })
            });
            services = self.survey(commands)?;
        }
        self.check(want, &services)?;
        let service = self.alloc(commands, want, &services)?;
        for step in create::steps(&lookalike::wanted(want.vni, want.netns, lookalike::limits(&services))) {
            let taken = self.take(commands, service, want, step);
            if let Err(refusal) = taken {
                self.give_up(commands, service, at);
                return Err(refusal);
            }
        }
        self.set_state(service, State::Ready { service });
        self.keep_or_say();
        tracing::info!(
            "{}: service {service} is for pod {} alone, with VNI {} and network namespace {}",
            self.called,
            want.sandbox,
            want.vni,
            want.netns
        );
        Ok(service)
    }

    /// The pod is gone: its services end. What is in use is tried again when it is due.
    pub fn release(&mut self, commands: Commands<'_>, life: &str, sandbox: &str, at: Moment) {
        self.begin_life(life);
        self.end_all(commands, at, |entry| entry.sandbox.id == sandbox);
    }

    /// These sandboxes live, and no other: services of others end.
    pub fn sweep(&mut self, commands: Commands<'_>, life: &str, lives: impl Fn(&str) -> bool, at: Moment) {
        self.begin_life(life);
        if let Err(refusal) = self.recover(commands, at) {
            tracing::warn!(
                "{}: what is left of an earlier run is not known: {refusal}",
                self.called
            );
        }
        self.end_all(commands, at, |entry| !lives(&entry.sandbox.id));
    }

    /// Whatever is due is tried again.
    pub fn try_again(&mut self, commands: Commands<'_>, life: &str, at: Moment) {
        self.begin_life(life);
        let is_due = |tries: Option<&Tries>| tries.is_none_or(|tries| tries.due <= at.now);
        let due: Vec<u32> = self
            .ending()
            .filter_map(Entry::service)
            .filter(|service| is_due(self.tries.get(service)))
            .collect();
        for service in due {
            self.end(commands, service, at);
        }
    }

    /// The NIC is gone, and all its services with it.
    pub fn forget(&mut self) {
        self.begin_life("");
    }

    /// With another life of the NIC nothing is left of what was made.
    fn begin_life(&mut self, life: &str) {
        if self.ledger.life == life {
            return;
        }
        if !self.ledger.entries.is_empty() {
            tracing::info!(
                "{}: its driver has been bound anew: {} services are gone with it",
                self.called,
                self.ledger.entries.len()
            );
        }
        self.ledger = Ledger::of_life(life);
        self.tries.clear();
        self.keep_or_say();
    }

    fn survey(&self, commands: Commands<'_>) -> Result<Vec<Service>, Refusal> {
        survey::services(commands, &BTreeMap::new()).map_err(|refused| self.refusal(refused.to_string()))
    }

    fn refusal(&self, reason: String) -> Refusal {
        Refusal::new(&self.called, reason)
    }

    /// The service that the pod has already.
    fn has(&mut self, want: &Want, services: &[Service]) -> Result<Option<u32>, Refusal> {
        let Some(entry) = self.ledger.entry(&want.sandbox.id) else {
            return Ok(None);
        };
        if let State::Unclear { candidates } = &entry.state {
            return Err(self.refusal(words::unclear(candidates)));
        }
        let its = services
            .iter()
            .find(|service| entry.service() == Some(service.id()) && entry.is_its(service));
        match its {
            Some(service) if service.netns == Ok(Some(want.netns)) && service.descriptor.enabled => {
                Ok(Some(service.id()))
            }
            Some(service) => Err(self.refusal(format!(
                "service {} of this pod is off, or has lost the pod's network namespace: somebody else has changed it",
                service.id()
            ))),
            // The number is somebody else's by now.
            None => {
                let gone = entry.service();
                tracing::warn!(
                    "{}: the service of pod {} is gone, by somebody else's hand; it gets another one",
                    self.called,
                    want.sandbox
                );
                self.remove(|entry| entry.sandbox.id == want.sandbox.id && entry.service() == gone);
                Ok(None)
            }
        }
    }

    /// Whether others are in the way.
    fn check(&self, want: &Want, services: &[Service]) -> Result<(), Refusal> {
        for service in services {
            let owner = self.ledger.owner(service);
            if owner
                .is_some_and(|owner| owner.sandbox.id == want.sandbox.id && matches!(owner.state, State::Made { .. }))
            {
                continue;
            }
            if service.netns == Ok(Some(want.netns)) {
                return Err(self.refusal(words::same_netns(service, owner)));
            }
            if lookalike::has_vni(service, want.vni) && owner.is_none_or(|owner| owner.group != want.group) {
                return Err(self.refusal(words::vni_taken(service, owner, want.vni)));
            }
        }
        Ok(())
    }

    /// Makes the service, once it is written down that it is to be made.
    fn alloc(&mut self, commands: Commands<'_>, want: &Want, services: &[Service]) -> Result<u32, Refusal> {
        let limits = lookalike::limits(services);
        let mut entry = Entry {
            sandbox: want.sandbox.clone(),
            netns: want.netns,
            path: want.path.clone(),
            vni: want.vni,
            group: want.group.clone(),
            limits,
            state: State::Intended {
                before: std::collections::BTreeSet::new(),
            },
        };
        let alike = services.iter().filter(|service| entry.is_its(service)).map(Service::id);
        let before = alike.collect();
        entry.state = State::Intended { before };
        self.ledger.entries.push(entry);
        if let Err(error) = self.store.keep(&self.ledger) {
            self.ledger.entries.pop();
            return Err(self.refusal(format!("the ledger cannot be written, so nothing is made: {error}")));
        }
        let descriptor = lookalike::wanted(want.vni, want.netns, limits).descriptor;
        match commands.alloc(&descriptor) {
            Ok(service) => {
                if let Some(entry) = self.ledger.entries.last_mut() {
                    entry.state = State::Made { service };
                    // A driver may have its own idea of them, and by them it is known again.
                    entry.limits = commands.service(service).map_or(limits, |made| made.limits);
                }
                self.keep_or_say();
                Ok(service)
            }
            Err((refused, answer)) => {
                // What has said no has made nothing. Otherwise it is looked for at the next opportunity.
                if refused.number().is_some() {
                    self.ledger.entries.pop();
                    self.keep_or_say();
                }
                Err(self.refusal(made_nothing(&refused, &answer, want.vni)))
            }
        }
    }

    fn take(&self, commands: Commands<'_>, service: u32, want: &Want, step: Step) -> Result<(), Refusal> {
        let failed = |refused: Refused| self.refusal(step_failed(step, &refused));
        match step {
            Step::Disable => commands.enable(service, false).map_err(failed),
            Step::SetNetns(netns) => commands.set_netns(service, netns).map_err(failed),
            // Somebody else may have come between.
            Step::Enable => {
                self.check(want, &self.survey(commands)?)?;
                commands.enable(service, true).map_err(failed)?;
                let is_on = commands.service(service).map_err(failed)?.enabled;
                let netns = commands.netns(service).map_err(failed)?;
                if is_on && netns == want.netns {
                    Ok(())
                } else {
                    Err(self.refusal(format!(
                        "service {service} is not as it was made: the driver says yes and does otherwise"
                    )))
                }
            }
            Step::SetVniRange { .. } | Step::SetExclusiveCp => Ok(()),
        }
    }

    /// What could not be completed goes.
    fn give_up(&mut self, commands: Commands<'_>, service: u32, at: Moment) {
        self.set_state(service, State::Ending { service });
        self.keep_or_say();
        self.end(commands, service, at);
    }

    fn set_state(&mut self, service: u32, state: State) {
        let its = |entry: &&mut Entry| entry.service() == Some(service) && !matches!(entry.state, State::Ending { .. });
        if let Some(entry) = self.ledger.entries.iter_mut().rev().find(its) {
            entry.state = state;
        }
    }

    fn remove(&mut self, which: impl Fn(&Entry) -> bool) {
        self.ledger.entries.retain(|entry| !which(entry));
    }

    /// Where the ledger says more than there is, or less, the next look at the NIC puts it right.
    fn keep_or_say(&self) {
        if let Err(error) = self.store.keep(&self.ledger) {
            tracing::error!("{}: the ledger cannot be written: {error}", self.called);
        }
    }
}

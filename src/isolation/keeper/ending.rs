//! The end of services, and what a crash has left of their begin.

use super::words::{self, Refusal};
use super::{Keeper, Moment, Tries};
use crate::host::device::commands::Commands;
use crate::model::isolation::ledger::{Entry, Found, State};
use crate::model::isolation::lookalike;
use crate::model::services::refused::{Refused, errno};
use crate::model::services::retry::{News, Retry};
use crate::model::services::service::Service;

impl Keeper {
    /// Looks for what a crash has left half done.
    pub(super) fn recover(&mut self, commands: Commands<'_>, at: Moment) -> Result<(), Refusal> {
        let is_left = |entry: &&Entry| {
            matches!(
                entry.state,
                State::Intended { .. } | State::Made { .. } | State::Unclear { .. }
            )
        };
        if !self.ledger.entries.iter().any(|entry| is_left(&entry)) {
            return Ok(());
        }
        let services = self.survey(commands)?;
        let mut ours = Vec::new();
        let mut kept = Vec::new();
        for mut entry in std::mem::take(&mut self.ledger.entries) {
            entry.state = match entry.state.clone() {
                State::Intended { before } => match entry.find(&before, &services) {
                    Found::Nothing => continue,
                    Found::Ours(service) => State::Ending { service },
                    Found::OneOf(candidates) => {
                        tracing::error!("{}: {}", self.called, words::unclear(&candidates));
                        State::Unclear { candidates }
                    }
                },
                State::Made { service } => State::Ending { service },
                State::Unclear { candidates } => {
                    let is_there = |service: &Service| candidates.contains(&service.id()) && entry.is_its(service);
                    if !services.iter().any(is_there) {
                        continue;
                    }
                    State::Unclear { candidates }
                }
                other => {
                    entry.state = other;
                    kept.push(entry);
                    continue;
                }
            };
            ours.extend(match entry.state {
                State::Ending { service } => Some(service),
                _ => None,
            });
            kept.push(entry);
        }
        self.ledger.entries = kept;
        self.keep_or_say();
        for service in ours {
            self.end(commands, service, at);
        }
        Ok(())
    }

    /// All of these end.
    pub(super) fn end_all(&mut self, commands: Commands<'_>, at: Moment, which: impl Fn(&Entry) -> bool) {
        if !self.ledger.entries.iter().any(&which) {
            return;
        }
        let mut ending = Vec::new();
        for entry in self.ledger.entries.iter_mut().filter(|entry| which(entry)) {
            if let Some(service) = entry.service() {
                entry.state = State::Ending { service };
                ending.push(service);
            }
        }
        self.keep_or_say();
        for service in ending {
            self.end(commands, service, at);
        }
    }

    /// Ends one, or finds out that it is gone, or somebody else's.
    pub(super) fn end(&mut self, commands: Commands<'_>, service: u32, at: Moment) {
        match self.ended(commands, service) {
            Ok(()) => {
                self.tries.remove(&service);
                self.remove(|entry| entry.state == State::Ending { service });
                self.keep_or_say();
            }
            Err(refused) => self.wait_for(service, &refused, at),
        }
    }

    pub(super) fn ended(&self, commands: Commands<'_>, service: u32) -> Result<(), Refused> {
        let is_gone = |refused: &Refused| refused.number() == Some(errno::EINVAL);
        let descriptor = match commands.service(service) {
            Err(refused) if is_gone(&refused) => return Ok(()),
            other => other?,
        };
        let netns = match commands.netns(service) {
            Err(refused) if is_gone(&refused) => Ok(None),
            other => Ok(Some(other?)),
        };
        let now = lookalike::told(descriptor, netns);
        let its = self
            .ending()
            .find(|entry| entry.service() == Some(service))
            .is_some_and(|entry| entry.is_its(&now));
        if !its {
            tracing::warn!(
                "{}: service {service} is somebody else's by now, and is left alone",
                self.called
            );
            return Ok(());
        }
        // Nobody shall begin to use it; while it is in use, this is refused, too.
        let _ = commands.enable(service, false);
        match commands.destroy(service) {
            Err(refused) if is_gone(&refused) => Ok(()),
            other => other,
        }
    }

    pub(super) fn wait_for(&mut self, service: u32, refused: &Refused, at: Moment) {
        let lingers_after = self.lingers_after;
        let tries = self.tries.entry(service).or_insert_with(|| Tries {
            retry: Retry::new(lingers_after, None),
            began: at.now,
            due: at.now,
        });
        let next = tries.retry.refused(at.now.saturating_sub(tries.began), at.chance);
        tries.due = at.now + next.wait.unwrap_or(lingers_after);
        let called = &self.called;
        match next.news {
            Some(News::Waits) => {
                tracing::info!("{called}: service {service} cannot end yet, and is tried again: {refused}");
            }
            Some(News::Lingers) => tracing::warn!(
                "{called}: service {service} has not ended for {} s: {refused}",
                lingers_after.as_secs()
            ),
            None => {}
        }
    }
}

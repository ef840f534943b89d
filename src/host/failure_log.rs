//! A failure that lasts is said once, and once that it is over.

use std::fmt::Display;

use super::worker::NotDone;

/// What goes wrong at the moment, if something does.
#[derive(Debug)]
pub struct FailureLog {
    failing: &'static str,
    over: &'static str,
    reason: Option<String>,
}

impl FailureLog {
    /// Nothing yet. What is said while it fails, before the reason; and then, when it does not any more.
    pub fn new(failing: &'static str, over: &'static str) -> Self {
        Self {
            failing,
            over,
            reason: None,
        }
    }

    /// Takes note of how it went. An error with its causes, in one line.
    pub fn note<E: Into<anyhow::Error>>(&mut self, went: Result<(), E>) {
        self.note_reason(went.map_err(|error| format!("{:#}", error.into())));
    }

    /// The same of work that was given to a thread of its own, in this place.
    pub fn note_work<E: Into<anyhow::Error>>(&mut self, place: impl Display, went: Result<Result<(), E>, NotDone>) {
        match went {
            Ok(went) => self.note(went),
            // First it hangs, then it still does: that is one state.
            Err(NotDone::Hangs(_) | NotDone::Busy) => self.note_reason(Err(format!("{place} does not answer"))),
            Err(error) => self.note::<NotDone>(Err(error)),
        }
    }

    fn note_reason(&mut self, went: Result<(), String>) {
        match went {
            Err(reason) if self.reason.as_ref() != Some(&reason) => {
                tracing::warn!("{}: {reason}", self.failing);
                self.reason = Some(reason);
            }
            Err(_) => {}
            Ok(()) if self.reason.take().is_some() => tracing::info!("{}", self.over),
            Ok(()) => {}
        }
    }

    /// Whether it is worth another try.
    pub fn is_open(&self) -> bool {
        self.reason.is_some()
    }
}

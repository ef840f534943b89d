//! A failure that lasts is said once, and once that it is over.

/// What goes wrong at the moment, if something does.
#[derive(Debug)]
pub struct FailureLog {
    what: &'static str,
    reason: Option<String>,
}

impl FailureLog {
    /// Nothing yet; `what` is what may fail.
    pub fn new(what: &'static str) -> Self {
        Self { what, reason: None }
    }

    /// Takes note of how it went.
    pub fn note(&mut self, went: Result<(), String>) {
        match went {
            Err(reason) if self.reason.as_ref() != Some(&reason) => {
                tracing::warn!("no {}: {reason}", self.what);
                self.reason = Some(reason);
            }
            Err(_) => {}
            Ok(()) if self.reason.take().is_some() => tracing::info!("{}: as it should be again", self.what),
            Ok(()) => {}
        }
    }

    /// Whether it is worth another try.
    pub fn is_open(&self) -> bool {
        self.reason.is_some()
    }
}

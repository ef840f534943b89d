//! One source of triggers, which may be lost and come back.

use std::future::pending;
use std::io;

use crate::model::message_id;
use crate::model::trigger::Trigger;

/// A source of triggers.
pub trait Listen: Sized {
    /// For people.
    const NAME: &'static str;

    /// Begins to listen.
    fn open() -> io::Result<Self>;

    /// Waits for the next trigger. An error ends the source.
    async fn next(&mut self) -> io::Result<Trigger>;
}

/// A source that may be lost.
#[derive(Debug)]
pub struct EventSource<T> {
    /// None while it is lost.
    pub listener: Option<T>,
    /// Why it is not heard, or not wholly.
    pub lost: Option<String>,
}

impl<T: Listen> Default for EventSource<T> {
    fn default() -> Self {
        let mut source = Self {
            listener: None,
            lost: None,
        };
        source.open();
        source
    }
}

impl<T: Listen> EventSource<T> {
    /// Opens it, if it is lost.
    pub fn open(&mut self) {
        if self.listener.is_some() {
            return;
        }
        match T::open() {
            Ok(listener) => {
                self.listener = Some(listener);
                self.note(Ok(()));
            }
            Err(error) => self.note(Err(error)),
        }
    }

    /// Says once that the source is lost, and once that it is back.
    pub fn note(&mut self, state: io::Result<()>) {
        match state {
            Err(error) => {
                let reason = error.to_string();
                if self.lost.is_none() {
                    tracing::warn!(
                        message_id = message_id::SOURCE_LOST,
                        reason,
                        "no {}: {reason}; the slow poll (--pulse) takes their place",
                        T::NAME
                    );
                }
                self.lost = Some(reason);
            }
            Ok(()) if self.listener.is_some() && self.lost.take().is_some() => {
                tracing::info!(message_id = message_id::SOURCE_BACK, "{} are heard again", T::NAME);
            }
            Ok(()) => {}
        }
    }

    /// Waits for the next trigger; for ever while it is lost.
    pub async fn next(&mut self) -> Trigger {
        let Some(listener) = &mut self.listener else {
            return pending().await;
        };
        match listener.next().await {
            Ok(trigger) => trigger,
            Err(error) => {
                self.listener = None;
                self.note(Err(error));
                Trigger::Source(T::NAME)
            }
        }
    }
}

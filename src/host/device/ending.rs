//! The end of a service: the one engine for whoever ends services, a command or a daemon. What it decides is in
//! [`crate::model::services::retry`].

use std::time::{Duration, Instant};

use super::commands::Commands;
use crate::model::services::refused::Refused;
use crate::model::services::retry::{News, Retry};

/// Time, and chance, for whoever tries again.
pub trait Clock {
    /// Since it was made.
    fn now(&self) -> Duration;
    /// Waits so long.
    fn wait(&self, time: Duration);
    /// In 0..1.
    fn chance(&self) -> f64;
}

/// The real one.
#[derive(Debug)]
pub struct RealClock(Instant);

impl Default for RealClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for RealClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        // It may wake early, for no reason.
        while let Some(left) = until
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
        {
            std::thread::park_timeout(left);
        }
    }

    fn chance(&self) -> f64 {
        fastrand::f64()
    }
}

/// Ends a service; while it is in use, it is tried again for as long as `retry` has patience.
///
/// # Errors
/// The driver refuses, or the service was in use to the end.
pub fn destroy(
    commands: Commands<'_>,
    id: u32,
    mut retry: Retry,
    clock: &dyn Clock,
    say: &mut dyn FnMut(News),
) -> Result<(), Refused> {
    let began = clock.now();
    loop {
        let refused = match commands.destroy(id) {
            Err(refused) if refused.is_busy() => refused,
            other => return other,
        };
        let next = retry.refused(clock.now().saturating_sub(began), clock.chance());
        if let Some(wait) = next.wait {
            if let Some(news) = next.news {
                say(news);
            }
            clock.wait(wait);
        } else {
            return Err(refused);
        }
    }
}

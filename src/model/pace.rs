//! How fast news may follow each other to somebody for whom each is work. Pure: the time comes in.

use std::time::Duration;

/// A few at once, then one in each interval; what is not used is saved up to those few.
#[derive(Debug, Clone)]
pub struct Pace {
    burst: u32,
    interval: Duration,
    /// When everything will be saved up again.
    full_at: Duration,
}

impl Pace {
    /// At most `burst` at once.
    pub fn new(burst: u32, interval: Duration) -> Self {
        Self {
            burst,
            interval,
            full_at: Duration::ZERO,
        }
    }

    /// How long the next one has to wait.
    pub fn wait(&self, now: Duration) -> Duration {
        let saved_up = self.interval.saturating_mul(self.burst.saturating_sub(1));
        self.full_at.saturating_sub(saved_up).saturating_sub(now)
    }

    /// One has gone.
    pub fn gone(&mut self, now: Duration) {
        self.full_at = self.full_at.max(now).saturating_add(self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_go_at_once_the_others_one_by_one_and_rest_saves_up() {
        let seconds = Duration::from_secs;
        let mut pace = Pace::new(3, seconds(2));
        let mut go = |now: u64| {
            let wait = pace.wait(seconds(now));
            pace.gone(seconds(now) + wait);
            wait.as_secs()
        };
        assert_eq!([go(10), go(10), go(10)], [0, 0, 0]);
        assert_eq!([go(10), go(12), go(14)], [2, 2, 2]);
        assert_eq!([go(16), go(100), go(100), go(100), go(100)], [2, 0, 0, 0, 2]);
    }
}

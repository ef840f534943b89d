//! How often something is said: a few times in a while, and then how many were left out. Pure.

use std::time::Duration;

/// Says at most `burst` things in each `interval`.
#[derive(Debug, Clone)]
pub struct RateLimit {
    burst: u32,
    interval: Duration,
    since: Option<Duration>,
    said: u32,
    left_out: u64,
}

impl RateLimit {
    /// At most `burst` in each `interval`.
    pub fn new(burst: u32, interval: Duration) -> Self {
        Self {
            burst,
            interval,
            since: None,
            said: 0,
            left_out: 0,
        }
    }

    /// Whether to say a thing now, and how many were left out before it.
    pub fn say(&mut self, now: Duration) -> Option<u64> {
        if self
            .since
            .is_none_or(|since| now.saturating_sub(since) >= self.interval)
        {
            self.since = Some(now);
            self.said = 0;
        }
        if self.said >= self.burst {
            self.left_out += 1;
            return None;
        }
        self.said += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_told_with_the_next() {
        let second = Duration::from_secs(1);
        let mut limit = RateLimit::new(2, 10 * second);
        let said: Vec<_> = [0, 1, 2, 9, 10, 11, 12].map(|at| limit.say(at * second)).into();
        assert_eq!(said, [Some(0), Some(0), None, None, Some(2), Some(0), None]);
    }
}

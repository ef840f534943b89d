//! When news of one condition goes out: bad news once it has lasted for a while, good news once it has lasted longer. So a
//! link that flaps does not have kubelet rewrite its checkpoint at every flap.
//!
//! Bad news has lasted as long as the condition has not been good for the whole hold time: one that flaps is bad. The first
//! good news of a condition goes out at once, because that is a NIC which comes up, not one which recovers.

use std::time::Duration;

use super::condition::{Condition, Held, Verdict};

/// News that are due within this part of their hold time go out with those that are due: all links of a node do not go down
/// in the same millisecond.
const TOGETHER: u32 = 10;

/// How long news waits.
#[derive(Debug, Clone, Copy)]
pub struct HoldTimes {
    /// Bad news.
    pub down: Duration,
    /// Good news.
    pub up: Duration,
}

/// One condition, as published and as seen. Knows no clock: every time is what the caller says.
#[derive(Debug, Clone)]
pub struct Hold {
    published: Condition,
    seen: Condition,
    has_been_good: bool,
    /// Since when it is worse than published, short breaks included.
    worse_since: Option<Duration>,
    /// Since when it is no worse than published, after it was.
    relieved_since: Option<Duration>,
    /// Since when it is better than published.
    better_since: Option<Duration>,
}

/// What matters to others: good, a warning, or a failure. What is unknown harms nobody.
fn severity(verdict: Verdict) -> Verdict {
    if verdict.is_bad() { verdict } else { Verdict::Ok }
}

impl Hold {
    /// The first sight of a condition is published at once.
    pub fn new(seen: Condition) -> Self {
        Self {
            has_been_good: seen.verdict == Verdict::Ok,
            published: seen.clone(),
            seen,
            worse_since: None,
            relieved_since: None,
            better_since: None,
        }
    }

    /// Takes note of the condition as it is now. What is no news, or news that does not wait, is published at once.
    pub fn see(&mut self, seen: Condition, times: HoldTimes, now: Duration) {
        let (is, was) = (severity(seen.verdict), severity(self.published.verdict));
        let is_first_good = seen.verdict == Verdict::Ok && !self.has_been_good;
        self.has_been_good |= seen.verdict == Verdict::Ok;
        let waits = if is > was {
            seen.check.bad_news_waits()
        } else {
            seen.check.good_news_waits()
        };
        self.seen = seen;
        if is == was || is_first_good || !waits {
            self.publish();
        }
        let was = severity(self.published.verdict);
        self.better_since = (is < was).then(|| self.better_since.unwrap_or(now));
        if is > was {
            self.forget_old_trouble(times, now);
            self.worse_since.get_or_insert(now);
            self.relieved_since = None;
        } else if self.worse_since.is_some() {
            self.relieved_since.get_or_insert(now);
        }
    }

    /// Trouble is over once there was none for the hold time.
    fn forget_old_trouble(&mut self, times: HoldTimes, now: Duration) {
        if self
            .relieved_since
            .is_some_and(|since| now.saturating_sub(since) >= times.down)
        {
            self.worse_since = None;
        }
    }

    /// When what was seen is to be published; none if it is.
    pub fn due(&self, times: HoldTimes) -> Option<Duration> {
        let (is, was) = (severity(self.seen.verdict), severity(self.published.verdict));
        let (since, hold) = if is > was {
            (self.worse_since, times.down)
        } else {
            (self.better_since, times.up)
        };
        Some(since?.saturating_add(hold)).filter(|_| is != was)
    }

    /// Publishes what was seen if it is due, or nearly so.
    pub fn publish_with_others(&mut self, times: HoldTimes, now: Duration) {
        let slack = if severity(self.seen.verdict) > severity(self.published.verdict) {
            times.down / TOGETHER
        } else {
            times.up / TOGETHER
        };
        if self.due(times).is_some_and(|due| due <= now.saturating_add(slack)) {
            self.publish();
        }
    }

    fn publish(&mut self) {
        let is_news = severity(self.seen.verdict) != severity(self.published.verdict);
        self.published = self.seen.clone();
        if is_news {
            self.worse_since = None;
            self.relieved_since = None;
            self.better_since = None;
        }
    }

    /// The condition as others know it.
    pub fn published(&self) -> &Condition {
        &self.published
    }

    /// What others do not know yet.
    pub fn held(&self, times: HoldTimes) -> Option<Held> {
        Some(Held {
            until: self.due(times)?,
            condition: self.seen.clone(),
        })
    }
}

//! When to look at the node: at the first trigger at once; all that come within the settle time fold into one more look
//! after it. So a burst costs two looks, and the last one has seen everything that was there when the last trigger came.
//! Where events do not end, the settle time grows: what a storm costs is bounded, whatever a look costs. An order, such as an
//! admin's, does not wait for that.

use std::time::Duration;

/// So many looks, each right after the settle time of the one before, are a node that starts; more are a storm.
const PATIENT_LOOKS: u32 = 8;
/// The settle time grows no further than to so many times its length.
const GROWTH: u32 = 20;

/// Knows no clock: every point in time is what the caller says, counted from a beginning of its choosing.
#[derive(Debug, Clone)]
pub struct Coalescer {
    time: Duration,
    wanted: bool,
    not_before: Duration,
    began: Duration,
    is_ordered: bool,
    /// The settle time now.
    settle: Duration,
    /// How many looks came as soon as they might.
    in_a_row: u32,
}

impl Coalescer {
    /// With this settle time.
    pub fn new(time: Duration) -> Self {
        Self {
            time,
            wanted: false,
            not_before: Duration::ZERO,
            began: Duration::ZERO,
            is_ordered: false,
            settle: time,
            in_a_row: 0,
        }
    }

    /// An event has come.
    pub fn trigger(&mut self) {
        self.wanted = true;
    }

    /// Somebody wants a look who does not want one again and again.
    pub fn order(&mut self) {
        (self.wanted, self.is_ordered) = (true, true);
    }

    /// When to look: possibly a point that has passed already, which means now. None without a trigger.
    pub fn due(&self) -> Option<Duration> {
        let not_before = if self.is_ordered {
            self.not_before.min(self.began.saturating_add(self.time))
        } else {
            self.not_before
        };
        self.wanted.then_some(not_before)
    }

    /// A look begins. What is triggered from now on is a matter of the next one.
    pub fn begin(&mut self, now: Duration) {
        self.wanted = false;
        // It was quiet when not even a second settle time has brought a trigger.
        if now >= self.not_before.saturating_add(self.settle) {
            (self.settle, self.in_a_row) = (self.time, 0);
        } else if !std::mem::take(&mut self.is_ordered) {
            self.in_a_row = self.in_a_row.saturating_add(1);
            if self.in_a_row > PATIENT_LOOKS {
                self.settle = (self.settle * 2).min(self.time * GROWTH);
            }
        }
        (self.began, self.is_ordered) = (now, false);
        self.not_before = now.saturating_add(self.settle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Plays triggers at these milliseconds, with looks that take `cost`; returns when the looks began.
    fn looks(triggers: &[u32], cost: u32) -> Vec<u32> {
        let mut coalescer = Coalescer::new(50 * MS);
        let mut triggers = triggers.iter().peekable();
        let (mut began, mut free_at) = (Vec::new(), 0);
        for now in 0..10_000 {
            while triggers.next_if(|at| **at <= now).is_some() {
                coalescer.trigger();
            }
            if now >= free_at && coalescer.due().is_some_and(|due| due <= now * MS) {
                coalescer.begin(now * MS);
                began.push(now);
                free_at = now + cost;
            }
        }
        began
    }

    #[test]
    fn the_first_trigger_looks_at_once_and_a_lone_one_once() {
        assert_eq!(looks(&[7], 0), [7]);
        assert_eq!(looks(&[0], 0), [0]);
        assert_eq!(looks(&[7, 200], 0), [7, 200]);
    }

    #[test]
    fn later_ones_fold_into_one_look_after_the_settle_time() {
        assert_eq!(looks(&[7, 8, 9, 56], 0), [7, 57]);
        assert_eq!(looks(&[7, 57], 0), [7, 57]);
    }

    #[test]
    fn a_trigger_during_a_long_look_is_not_lost() {
        assert_eq!(looks(&[0, 30, 180], 200), [0, 200]);
    }

    #[test]
    fn a_storm_costs_less_and_less_and_its_end_is_seen() {
        let storm: Vec<u32> = (0..9_000).collect();
        let began = looks(&storm, 3);
        let gaps: Vec<u32> = began.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(gaps[..8], [50; 8], "{gaps:?}");
        assert_eq!(gaps[8..12], [100, 200, 400, 800], "{gaps:?}");
        assert!(gaps[12..].iter().all(|gap| *gap == 1_000), "{gaps:?}");
        assert!(began.last().is_some_and(|last| *last >= 8_999));
        // After a quiet while it begins anew.
        let twice: Vec<u32> = (0..4_000).chain([8_000, 8_001]).collect();
        assert!(looks(&twice, 3).ends_with(&[8_000, 8_050]), "{:?}", looks(&twice, 3));
    }

    #[test]
    fn an_order_in_a_storm_does_not_wait_for_its_end() {
        let mut coalescer = Coalescer::new(50 * MS);
        let mut now = Duration::ZERO;
        for _ in 0..20 {
            coalescer.trigger();
            now = coalescer.due().unwrap().max(now);
            coalescer.begin(now);
        }
        coalescer.trigger();
        assert_eq!(coalescer.due(), Some(now + 1_000 * MS));
        coalescer.order();
        assert_eq!(coalescer.due(), Some(now + 50 * MS));
    }

    #[test]
    fn whatever_comes_the_last_look_is_after_the_last_trigger_and_none_is_too_early() {
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let count = random.usize(1..60);
            let mut triggers: Vec<u32> = (0..count).map(|_| random.u32(..5_000)).collect();
            triggers.sort_unstable();
            let began = looks(&triggers, random.u32(..120));
            assert!(
                began.len() <= triggers.len() && began.last() >= triggers.last(),
                "seed {seed}"
            );
            assert!(began.is_sorted_by(|a, b| b - a >= 50), "seed {seed}: {began:?}");
        }
    }
}

//! How long to wait before the next try. Pure: chance comes in as a number.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(30);

/// Doubles with each failed try.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    tries: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::from_first(FIRST)
    }
}

impl Backoff {
    /// With another first wait than 100 ms.
    pub fn from_first(first: Duration) -> Self {
        Self { first, tries: 0 }
    }

    /// The wait after one more failed try: between half and all of 100 ms, 200 ms, ... 30 s, by `chance` in 0..1, so
    /// that the plugins of a whole machine do not act as one.
    pub fn next(&mut self, chance: f64) -> Duration {
        let full = self.first.saturating_mul(2_u32.saturating_pow(self.tries)).min(LAST);
        self.tries = self.tries.saturating_add(1);
        full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }

    /// Things are good again, or new.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

/// One that starts over whenever what is tried is another one than before.
#[derive(Debug)]
pub struct BackoffOf<T> {
    backoff: Backoff,
    tried: Option<T>,
}

impl<T: PartialEq> BackoffOf<T> {
    /// With this first wait.
    pub fn from_first(first: Duration) -> Self {
        let backoff = Backoff::from_first(first);
        Self { backoff, tried: None }
    }

    /// Notes what is tried now; whether it is another one.
    pub fn turns_to(&mut self, tried: T) -> bool {
        let is_another = self.tried.as_ref() != Some(&tried);
        if is_another {
            self.backoff.reset();
            self.tried = Some(tried);
        }
        is_another
    }

    /// See [`Backoff::next`].
    pub fn next(&mut self, chance: f64) -> Duration {
        self.backoff.next(chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_start_over_after_a_reset() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..12).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(
            waits,
            [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000]
        );
        assert_eq!(backoff.next(0.0).as_millis(), 15000);
        backoff.reset();
        assert_eq!(backoff.next(0.0).as_millis(), 50);
        for _ in 0..100 {
            assert!(backoff.next(0.5) <= LAST);
        }
    }

    #[test]
    fn another_one_is_tried_as_soon_as_the_first_was() {
        let mut backoff = BackoffOf::from_first(FIRST);
        let mut wait = |socket: &'static str| (backoff.turns_to(socket), backoff.next(1.0).as_millis());
        assert_eq!(
            [wait("old"), wait("old"), wait("old")],
            [(true, 100), (false, 200), (false, 400)]
        );
        assert_eq!([wait("new"), wait("new")], [(true, 100), (false, 200)]);
    }
}

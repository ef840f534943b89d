//! Times of the same thing, and what is told of them.

use std::time::Duration;

/// Durations in ascending order.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample(Vec<Duration>);

impl FromIterator<Duration> for Sample {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

impl Sample {
    /// The time that so many percent need at most, in microseconds: the nearest rank, so it is one that was measured. NaN
    /// when nothing was.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0
            .get(rank - 1)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1_000_000.0)
    }

    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// How many there are, and the slow ones.
    pub fn spread(&self) -> String {
        format!(
            "n {}, p99 {:.0} us, worst {:.0} us",
            self.0.len(),
            self.percentile(99),
            self.percentile(100)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(times: impl IntoIterator<Item = u64>) -> Sample {
        times.into_iter().map(Duration::from_micros).collect()
    }

    fn rounded(sample: &Sample, percent: usize) -> i64 {
        format!("{:.0}", sample.percentile(percent)).parse().unwrap()
    }

    #[test]
    fn a_percentile_is_a_measured_time_whatever_the_order() {
        let hundred = sample((1..=100).rev());
        assert_eq!(
            [1, 50, 99, 100].map(|percent| rounded(&hundred, percent)),
            [1, 50, 99, 100]
        );
        let three = sample([30, 10, 20]);
        assert_eq!(
            [0, 33, 34, 50, 99].map(|percent| rounded(&three, percent)),
            [10, 10, 20, 20, 30]
        );
        // Of ten thousand, a hundred may be slower than p99.
        assert_eq!(
            rounded(&sample((0..10_000).map(|number| u64::from(number >= 9_900))), 99),
            0
        );
        assert_eq!(
            rounded(&sample((0..10_000).map(|number| u64::from(number >= 9_899))), 99),
            1
        );
    }

    #[test]
    fn nothing_measured_is_no_time() {
        assert!(Sample::default().median().is_nan());
    }

    #[test]
    fn the_spread_is_told() {
        assert_eq!(sample([10, 2_000]).spread(), "n 2, p99 2000 us, worst 2000 us");
    }
}

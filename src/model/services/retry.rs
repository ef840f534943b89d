//! A service that is still in use cannot be destroyed, and may stay so for minutes after its job (HPE's own launchers meet this).
//! One engine tries again, ever more rarely, says so once, and says once more when it takes too long. Pure: time and chance come
//! in.

use std::time::Duration;

use crate::model::backoff::Backoff;

/// How long a service may linger before that is news, unless somebody has said otherwise.
pub const LINGERS_AFTER: Duration = Duration::from_secs(300);

/// What to do after one more refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Try again so much later; none when time is up.
    pub wait: Option<Duration>,
    /// What to say, if anything.
    pub news: Option<News>,
}

/// What is worth a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It is in use; it is being waited for.
    Waits,
    /// It has been in use for too long.
    Lingers,
}

/// The tries for one service.
#[derive(Debug)]
pub struct Retry {
    backoff: Backoff,
    lingers_after: Duration,
    /// None: for ever.
    patience: Option<Duration>,
    told: Option<News>,
}

impl Retry {
    /// With a time after which it is said to linger, and one after which no more is tried.
    pub fn new(lingers_after: Duration, patience: Option<Duration>) -> Self {
        Self {
            backoff: Backoff::default(),
            lingers_after,
            patience,
            told: None,
        }
    }

    /// It was refused, so long after the first try.
    pub fn refused(&mut self, since: Duration, chance: f64) -> Next {
        let state = if since >= self.lingers_after {
            News::Lingers
        } else {
            News::Waits
        };
        let news = (self.told != Some(state)).then_some(state);
        self.told = Some(state);
        let wait = self.backoff.next(chance);
        let wait = match self.patience {
            None => Some(wait),
            Some(patience) if since >= patience => None,
            // The last try is at the end, not somewhat before it.
            Some(patience) => Some(wait.min(patience.saturating_sub(since))),
        };
        Next { wait, news }
    }

    /// Whether it has been in use for too long.
    pub fn lingers(&self) -> bool {
        self.told == Some(News::Lingers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_is_said_once_that_it_waits_and_once_that_it_lingers() {
        let mut retry = Retry::new(60 * SECOND, None);
        let mut now = Duration::ZERO;
        let mut news = Vec::new();
        let mut tries = 0;
        while now < 600 * SECOND {
            let next = retry.refused(now, 1.0);
            news.extend(next.news.map(|what| (what, retry.lingers())));
            now += next.wait.unwrap();
            tries += 1;
        }
        assert_eq!(news, [(News::Waits, false), (News::Lingers, true)]);
        assert!(tries < 30, "{tries} tries in ten minutes");
    }

    #[test]
    fn the_last_try_is_at_the_end_of_patience() {
        let mut retry = Retry::new(60 * SECOND, Some(SECOND));
        let mut now = Duration::ZERO;
        while let Some(wait) = retry.refused(now, 1.0).wait {
            now += wait;
            assert!(now <= SECOND);
        }
        assert_eq!(now, SECOND);
        assert_eq!(
            Retry::new(SECOND, Some(Duration::ZERO))
                .refused(Duration::ZERO, 0.5)
                .wait,
            None
        );
    }
}

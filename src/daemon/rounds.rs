//! The daemon's loop: wait for a trigger, let the others settle, look, publish; again.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::Publisher;
use crate::host::events::{Content, Events};
use crate::host::libraries;
use crate::host::lookout::Preparation;
use crate::host::roots::Roots;
use crate::metrics::Meter;
use crate::rate_limit::RateLimit;
use crate::settle::Settle;
use crate::trigger::Trigger;

/// Triggers within this time fold into one look.
const SETTLE: Duration = Duration::from_millis(50);
/// How soon what went wrong is tried again: a CDI file that could not be written, a node that could not be looked at.
const RETRY: Duration = Duration::from_secs(5);
/// How often the log says that events were lost.
const OVERFLOWS: Duration = Duration::from_secs(60);

/// Everything that a round needs. One task owns it.
#[derive(Debug)]
pub struct Rounds {
    publisher: Publisher,
    events: Events,
    settle: Settle,
    began: Instant,
    looked: Instant,
    /// Time between two looks without a trigger; none for no slow poll.
    pulse: Option<Duration>,
    hangup: Signal,
    news: Arc<Notify>,
    roots: Roots,
    cdi_dir: PathBuf,
    cordons: PathBuf,
    beat: watch::Sender<()>,
    overflows: RateLimit,
    meter: Meter,
}

/// What the loop listens to beside the node's events.
#[derive(Debug)]
pub struct Asked {
    /// SIGHUP.
    pub hangup: Signal,
    /// An earlier look has more to say.
    pub news: Arc<Notify>,
    /// Time between two looks without a trigger; none for no slow poll.
    pub pulse: Option<Duration>,
}

impl Rounds {
    /// Looks at nothing yet.
    pub fn new(
        publisher: Publisher,
        roots: Roots,
        cdi_dir: PathBuf,
        cordons: PathBuf,
        asked: Asked,
        meter: Meter,
    ) -> Self {
        let now = Instant::now();
        Self {
            publisher,
            events: Events::new(&roots),
            settle: Settle::new(SETTLE),
            began: now,
            looked: now,
            pulse: asked.pulse,
            hangup: asked.hangup,
            news: asked.news,
            roots,
            cdi_dir,
            cordons,
            beat: watch::Sender::default(),
            overflows: RateLimit::new(1, OVERFLOWS),
            meter,
        }
    }

    /// Changes with every look: whoever wants to look at something now and then does it with this, and wakes nobody.
    pub fn beat(&self) -> watch::Receiver<()> {
        self.beat.subscribe()
    }

    /// Looks at the node once and publishes what has changed.
    pub async fn look(&mut self) {
        tracing::debug!("looking at the node");
        let began = Instant::now();
        self.settle.begin(began - self.began);
        let prepare = self.prepare();
        let has_written = self.publisher.refresh(&prepare).await;
        self.events.follow(self.publisher.interfaces());
        self.looked = Instant::now();
        self.meter.looked(self.looked - began, self.events.heard());
        tracing::debug!("looked at the node in {} us", (self.looked - began).as_micros());
        if has_written {
            // A directory that was made is not watched yet: somebody may have changed the file since.
            self.note(&Trigger::Written);
            self.settle.trigger();
        }
        self.beat.send_replace(());
    }

    /// Looks whenever something asks for it. Never ends.
    pub async fn run(&mut self) {
        loop {
            let due = self.settle.due().map(|due| self.began + due);
            let pulse = self.pulse.map(|pulse| self.looked + pulse);
            let retry = (!self.publisher.is_current()).then(|| self.looked + RETRY);
            let held = self.publisher.due();
            let trigger = tokio::select! {
                () = at(due) => {
                    self.look().await;
                    continue;
                }
                trigger = self.events.next() => trigger,
                _ = self.hangup.recv() => Trigger::Hangup,
                () = self.news.notified() => Trigger::News,
                () = at(pulse), if due.is_none() => Trigger::Pulse,
                () = at(held), if due.is_none() => Trigger::Held,
                () = at(retry), if due.is_none() => Trigger::Retry,
            };
            self.note(&trigger);
            self.settle.trigger();
        }
    }

    fn note(&mut self, trigger: &Trigger) {
        tracing::debug!("trigger: {trigger}");
        self.meter.triggered(trigger);
        if matches!(trigger, Trigger::Overflow(_)) && self.overflows.say(self.began.elapsed()).is_some() {
            tracing::warn!("{trigger}: some are lost, so the node is looked at");
        }
    }

    /// Opens lost sources; what is returned watches the directories whose entries matter, as they are then.
    fn prepare(&mut self) -> Preparation {
        let Some(watcher) = self.events.prepare() else {
            return Arc::new(|| {});
        };
        let (roots, cdi_dir, cordons) = (self.roots.clone(), self.cdi_dir.clone(), self.cordons.clone());
        Arc::new(move || {
            let libraries = libraries::places(&roots).into_iter();
            let mut places: Vec<_> = libraries.map(|place| (place, Content::Libraries)).collect();
            places.push((roots.here(&roots.dev), Content::Nodes));
            places.push((cdi_dir.clone(), Content::Specs));
            // So that it can be watched before an admin needs it.
            let _ = fs::create_dir(&cordons);
            places.push((cordons.clone(), Content::Cordons));
            watcher.clone().watch(&places);
        })
    }
}

/// Waits until then; for ever without a time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

//! Asks the node's container runtime who it is, and passes on what it says: at the start, in each life of kubelet, in each of
//! the runtime, and now and then while there is no answer. Nobody waits for it but a registration, and that not for long.

use std::io;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::question::{NoAnswer, ask};
use super::sockets::{CriSocket, CriSockets, Lives};
use crate::host::files::unix_socket::Call;
use crate::model::backoff::Backoff;
use crate::model::runtime::answer::{Heard, RuntimeAnswer, RuntimeFacts};
use crate::model::runtime::choice::weakest;

/// After this time it counts as having no answer; one that comes later counts when it comes.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long one answer may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How soon a runtime with a full queue of callers is called again, at first.
const FULL: Duration = Duration::from_millis(10);
/// How soon, at the least, it is asked again while there is no answer.
const RETRY: Duration = Duration::from_secs(5);
/// How often, at most, its socket is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What the asker goes by.
#[derive(Debug)]
pub struct CriAsker {
    sockets: CriSockets,
    shown: watch::Sender<Heard>,
    /// Counts the lives of kubelet.
    kubelets: watch::Receiver<u64>,
    /// Changes now and then: the time to look at what may have happened without an event.
    tick: watch::Receiver<()>,
}

impl CriAsker {
    /// Asks nobody yet.
    pub fn new(
        sockets: Vec<CriSocket>,
        shown: watch::Sender<Heard>,
        kubelets: watch::Receiver<u64>,
        tick: watch::Receiver<()>,
    ) -> Self {
        Self {
            sockets: CriSockets::new(sockets),
            shown,
            kubelets,
            tick,
        }
    }

    /// Asks until nobody is left who could want to know.
    pub async fn run(mut self) {
        let mut is_due = true;
        loop {
            let mut kubelet = *self.kubelets.borrow_and_update();
            let lives = self.answer(kubelet, is_due).await;
            let asked = Instant::now();
            is_due = loop {
                tokio::select! {
                    changed = self.kubelets.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        // What was answered at the start was answered for the first kubelet, too.
                        if kubelet > 0 || !self.is_known() || self.sockets.lives().await != lives {
                            break true;
                        }
                        kubelet = *self.kubelets.borrow_and_update();
                        self.show(None, kubelet);
                    }
                    changed = self.tick.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        if self.is_worth_asking(asked, &lives).await {
                            break false;
                        }
                    }
                }
            };
        }
    }

    fn is_known(&self) -> bool {
        matches!(self.shown.borrow().answer, RuntimeAnswer::Known(_))
    }

    /// Whether somebody else is there than was asked, or nobody has answered yet.
    async fn is_worth_asking(&self, asked: Instant, before: &Option<Lives>) -> bool {
        if asked.elapsed() < LOOK {
            return false;
        }
        let now = self.sockets.lives().await;
        let is_there = now.iter().flatten().any(Option::is_some);
        let is_other = now.is_some() && now != *before;
        is_other || (is_there && !self.is_known() && asked.elapsed() >= RETRY)
    }

    /// Asks once, and returns who was there to be asked. What was said earlier stays until something else is said, unless an
    /// answer is due: a runtime that is being restarted is the same afterwards, as a rule.
    async fn answer(&self, kubelet: u64, is_due: bool) -> Option<Lives> {
        let patience = Instant::now() + PATIENCE;
        let show = |answer: RuntimeAnswer| {
            let counts = is_due || !self.is_known() || matches!(answer, RuntimeAnswer::Known(_));
            self.show(counts.then_some(answer), kubelet);
        };
        let Ok(Some(lives)) = timeout_at(patience, self.sockets.lives()).await else {
            let paths = self.sockets.paths();
            show(RuntimeAnswer::Silent(format!("what is at {paths} cannot be looked at")));
            return None;
        };
        {
            let question = self.ask_all(&lives);
            tokio::pin!(question);
            match timeout_at(patience, &mut question).await {
                Ok(answer) => show(answer),
                Err(_) => {
                    show(self.late());
                    show(timeout(DEADLINE, question).await.unwrap_or_else(|_| self.late()));
                }
            }
        }
        Some(lives)
    }

    fn late(&self) -> RuntimeAnswer {
        let (paths, ms) = (self.sockets.paths(), PATIENCE.as_millis());
        RuntimeAnswer::Silent(format!("no container runtime answers within {ms} ms at {paths}"))
    }

    /// That this was said in this life of kubelet, or what was said before still counts.
    fn show(&self, answer: Option<RuntimeAnswer>, kubelet: u64) {
        self.shown.send_if_modified(|shown| {
            let answer = answer.unwrap_or_else(|| shown.answer.clone());
            let heard = Heard { answer, kubelet };
            let is_news = *shown != heard;
            *shown = heard;
            is_news
        });
    }

    /// Every one that is there: which of several is kubelet's, nobody says. So each that may be has to answer.
    async fn ask_all(&self, lives: &Lives) -> RuntimeAnswer {
        let (mut answers, mut others, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for socket in self.sockets.present(lives) {
            let said = |reason: String| format!("{} {reason}", socket.path.display());
            match self.ask_one(socket).await {
                Ok(facts) => answers.push(facts),
                Err(NoAnswer::NotServed(reason)) => others.push(said(reason)),
                Err(NoAnswer::Failed(reason)) => failures.push(said(reason)),
            }
        }
        if !failures.is_empty() {
            return RuntimeAnswer::Silent(failures.join("; "));
        }
        match weakest(answers) {
            Some(facts) => RuntimeAnswer::Known(facts),
            None if others.is_empty() => {
                RuntimeAnswer::Silent(format!("no container runtime has a socket at {}", self.sockets.paths()))
            }
            None => RuntimeAnswer::Silent(others.join("; ")),
        }
    }

    async fn ask_one(&self, socket: &CriSocket) -> Result<RuntimeFacts, NoAnswer> {
        let mut backoff = Backoff::from_first(FULL);
        let cannot = |error: io::Error| NoAnswer::Failed(format!("cannot be called: {error}"));
        loop {
            match self.sockets.call(socket).await {
                Ok(Call::Taken(stream)) => {
                    let stream = UnixStream::from_std(stream).map_err(cannot)?;
                    return ask(stream, &socket.path).await;
                }
                Ok(Call::QueueFull) => sleep(backoff.next(fastrand::f64()).min(PATIENCE)).await,
                Ok(Call::Refused) => return Err(NoAnswer::NotServed("is served by nobody".to_owned())),
                Err(error) => return Err(cannot(error)),
            }
        }
    }
}

//! Runs a scenario on an emulated kubelet.

use std::fmt;
use std::path::Path;

use super::scenario::{Allocate, Await, Scenario, Step, Want};
use super::{Kubelet, Line, Settings, StartError, Violation, describe};

/// What came of a scenario.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that happened.
    pub transcript: Vec<Line>,
    /// The step that did not hold, if one did not, and every violation. Empty if all is well.
    pub failures: Vec<Failure>,
}

/// Something that must not be.
#[derive(Debug)]
pub enum Failure {
    /// A step did not hold; no later step was done.
    Step {
        /// Its number, from 1.
        number: usize,
        /// The step in words.
        step: String,
        /// What should have been.
        expected: String,
        /// What was.
        seen: String,
    },
    /// A rule was broken.
    Violation(Violation),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Step {
                number,
                step,
                expected,
                seen,
            } => {
                write!(f, "step {number} ({step}): expected {expected}, seen: {seen}")
            }
            Failure::Violation(violation) => write!(f, "violation {violation}"),
        }
    }
}

/// What a step should have brought, and what it did.
#[derive(Debug)]
pub struct Mismatch {
    /// In words.
    pub expected: String,
    /// In words.
    pub seen: String,
}

pub(crate) fn mismatch(expected: impl Into<String>, seen: impl Into<String>) -> Mismatch {
    Mismatch {
        expected: expected.into(),
        seen: seen.into(),
    }
}

impl From<StartError> for Mismatch {
    fn from(error: StartError) -> Mismatch {
        mismatch("kubelet to start", error.to_string())
    }
}

impl Scenario {
    /// Does the steps in `dir` with kubelet's own timing, up to the first that does not hold.
    pub async fn run(&self, dir: &Path) -> Outcome {
        self.run_with(dir, Settings::default()).await
    }

    /// As [`Scenario::run`], with settings. Kubelet ends with the last step, as by [`Kubelet::stop`].
    pub async fn run_with(&self, dir: &Path, settings: Settings) -> Outcome {
        let mut kubelet = Kubelet::new(dir, settings);
        let mut failures = Vec::new();
        for (number, step) in (1..).zip(&self.steps) {
            if let Err(Mismatch { expected, seen }) = self.take(&mut kubelet, step).await {
                failures.push(Failure::Step {
                    number,
                    step: step.to_string(),
                    expected,
                    seen,
                });
                break;
            }
        }
        failures.extend(kubelet.violations().into_iter().map(Failure::Violation));
        Outcome {
            transcript: kubelet.transcript(),
            failures,
        }
    }

    /// Does a step of kubelet's.
    pub(crate) async fn take(&self, kubelet: &mut Kubelet, step: &Step) -> Result<(), Mismatch> {
        let resource = &self.resource;
        let running = kubelet.is_running();
        match step {
            Step::Start => kubelet.boot()?,
            Step::Stop | Step::Shutdown | Step::Restart if !running => {
                return Err(mismatch("a running kubelet", "it does not run"));
            }
            Step::Stop => kubelet.stop(),
            Step::Shutdown => kubelet.shutdown(),
            Step::Restart => kubelet.restart()?,
            Step::Forget if kubelet.forget(resource) => {}
            Step::Forget => return Err(mismatch("a connection to the plugin", "there is none")),
            Step::Await(wanted) => self.wait(kubelet, wanted).await?,
            Step::Allocate(wanted) => self.allocate(kubelet, wanted).await?,
            Step::Release(release) if kubelet.release(&release.pod) => {}
            Step::Release(_) => return Err(mismatch("a pod that holds devices", "it holds none")),
            Step::ExpectRegistrations(count) => {
                let seen = kubelet.registrations(resource);
                if seen != *count {
                    return Err(mismatch(
                        format!("{count} registrations of {resource}"),
                        seen.to_string(),
                    ));
                }
            }
            Step::Node(_) | Step::Daemon(_) | Step::AwaitSpec(_) => {
                let why = "there is kubelet only: `cxi-sim scenario` runs the whole of it";
                return Err(mismatch("a node and a daemon", why));
            }
        }
        Ok(())
    }

    async fn wait(&self, kubelet: &Kubelet, wanted: &Await) -> Result<(), Mismatch> {
        let waited = kubelet
            .wait_for(&self.resource, wanted.within, |devices| wanted.holds(devices))
            .await;
        let devices = waited.map_err(|error| {
            let registrations = kubelet.registrations(&self.resource);
            mismatch(
                wanted.to_string(),
                format!("{} ({registrations} registrations)", describe(&error.seen)),
            )
        })?;
        kubelet
            .agrees(&devices)
            .map_err(|error| mismatch("the same devices on the node", error.to_string()))
    }

    async fn allocate(&self, kubelet: &Kubelet, wanted: &Allocate) -> Result<(), Mismatch> {
        let Allocate {
            pod,
            want,
            expect_error,
        } = wanted;
        let got = match want {
            Want::Count(count) => kubelet.allocate_count(&self.resource, pod, *count).await.map(drop),
            Want::Containers(ids) => kubelet.allocate_for(&self.resource, pod, ids.clone()).await.map(drop),
        };
        match (got, expect_error) {
            (Ok(()), None) => Ok(()),
            (Err(error), Some(part)) if error.to_string().contains(part) => Ok(()),
            (Ok(()), Some(part)) => Err(mismatch(
                format!("an error with {part:?}"),
                "the devices were allocated",
            )),
            (Err(error), Some(part)) => Err(mismatch(format!("an error with {part:?}"), error.to_string())),
            (Err(error), None) => Err(mismatch("the devices to be allocated", error.to_string())),
        }
    }
}

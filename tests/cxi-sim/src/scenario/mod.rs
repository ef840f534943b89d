//! Runs a scenario file with all that it speaks of: a node, the real daemon, and the emulated kubelet.
//!
//! The file knows NICs by name only, so that the same file runs on a tree of files and on a kernel, and its transcript is
//! the same on both: [`Backend`] is the node, `names` puts the names in the place of PCI addresses.

mod names;
mod settled;
mod spec;

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::demo::plugin::Plugin;
use crate::kubelet::change::{Change, Daemon};
use crate::kubelet::scenario::Step;
use crate::kubelet::{Failure, Kubelet, Line, Mismatch, RealKubelet, Scenario, Settings};
use crate::node::Backend;
use names::Names;
use settled::Settled;

/// How the daemon learns that the node has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// It is told, by SIGHUP, after each step that changes the node.
    HangUp,
    /// It has to notice by itself, without a slow poll; it is told of what a kernel says nothing of.
    Events,
}

/// What a scenario is run with.
#[derive(Debug, Clone)]
pub struct ScenarioSetup {
    /// The daemon's program.
    pub program: PathBuf,
    /// A folder for what daemon and kubelet write: `kubelet/`, `cdi/`, `run/` and `daemon.log`.
    pub folder: PathBuf,
    /// How the daemon learns of changes.
    pub trigger: Trigger,
    /// The kubelet, if it is a real one.
    pub kubelet: Option<RealKubelet>,
    /// Whether pods are given the files of the tree itself, as a real container runtime wants them.
    pub is_for_runtime: bool,
}

/// What came of a scenario.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that happened.
    pub transcript: Vec<Line>,
    /// What a real kubelet shows too, without the lists that another one replaced before a step waited for it: how often a
    /// daemon looks while a NIC comes or goes is a matter of speed. The same on every node.
    pub settled: Vec<String>,
    /// The step that did not hold, if one did not, and every violation. Empty if all is well.
    pub failures: Vec<Failure>,
}

/// One run.
struct Run<'a> {
    stage: &'a ScenarioSetup,
    backend: &'a mut dyn Backend,
    names: Names,
    plugin: Option<Plugin>,
    /// Device nodes that somebody uses.
    open: Vec<File>,
    settled: Settled,
}

type Done = Result<(), Mismatch>;

impl ScenarioSetup {
    /// Does the steps of a scenario on a node without NICs, up to the first that does not hold. The daemon is killed at
    /// the end if it still runs.
    pub async fn run(&self, scenario: &Scenario, backend: &mut dyn Backend) -> Outcome {
        let settings = Settings {
            root: backend.root().map(Path::to_owned),
            real: self.kubelet.clone(),
            ..Settings::default()
        };
        let cleared = self.kubelet.as_ref().map_or(Ok(()), |real| real.have(&["reset"]));
        let mut kubelet = Kubelet::new(&self.folder.join("kubelet"), settings);
        let mut run = Run {
            stage: self,
            backend,
            names: Names::default(),
            plugin: None,
            open: Vec::new(),
            settled: Settled::default(),
        };
        let played = match cleared {
            Ok(()) => run.play(scenario, &mut kubelet).await,
            Err(error) => Err(Failure::Step {
                number: 0,
                step: "kubelet".to_owned(),
                expected: "a kubelet without pods".to_owned(),
                seen: error.to_string(),
            }),
        };
        let mut failures: Vec<_> = played.err().into_iter().collect();
        failures.extend(kubelet.violations().into_iter().map(Failure::Violation));
        let mut transcript = kubelet.transcript();
        transcript
            .iter_mut()
            .for_each(|line| line.text = run.names.put_into(&line.text));
        let settled = run.settled.of(&transcript);
        Outcome {
            transcript,
            settled,
            failures,
        }
    }
}

impl Run<'_> {
    async fn play(&mut self, scenario: &Scenario, kubelet: &mut Kubelet) -> Result<(), Failure> {
        let failed = |number, step: String| {
            move |Mismatch { expected, seen }| Failure::Step {
                number,
                step,
                expected,
                seen,
            }
        };
        self.change(&Change::Add(scenario.nics.clone()))
            .and_then(|()| self.start())
            .map_err(failed(0, "the node and the daemon".to_owned()))?;
        for (number, step) in (1..).zip(&scenario.steps) {
            self.take(scenario, kubelet, step)
                .await
                .map_err(failed(number, step.to_string()))?;
            // The file is not a state of kubelet's list: it is written between two lists.
            if matches!(step, Step::Await(_)) {
                self.settled.mark(kubelet.transcript().len());
            }
        }
        Ok(())
    }

    async fn take(&mut self, scenario: &Scenario, kubelet: &mut Kubelet, step: &Step) -> Done {
        match step {
            Step::Node(change) => {
                self.change(change)?;
                self.tell(change)
            }
            Step::Daemon(Daemon::Start) => self.start(),
            Step::Daemon(Daemon::Terminate) => self.terminate().await,
            Step::Daemon(Daemon::Kill) => self.running()?.kill().await.map_err(refused("the daemon to die")),
            Step::AwaitSpec(wanted) => {
                let wanted = self.names.addresses_of(&wanted.0);
                let holds = |text: &str| spec::device_nodes(text).is_ok_and(|nodes| nodes == wanted);
                let plugin = self.running()?;
                let waited = plugin.wait_for_spec("the NICs told", holds).await;
                let text = plugin.spec().unwrap_or_default();
                waited.map_err(|_| {
                    mismatch(
                        format!("{wanted:?} in the spec"),
                        format!("{:?}", spec::device_nodes(&text)),
                    )
                })
            }
            step => scenario.take(kubelet, &self.names.step(step)).await,
        }
    }

    fn start(&mut self) -> Done {
        let ScenarioSetup { program, folder, .. } = self.stage;
        let flags: &[&str] = match self.stage.trigger {
            Trigger::HangUp => &[],
            Trigger::Events => &["--pulse", "0"],
        };
        let started = match self.backend.root() {
            Some(root) if self.stage.is_for_runtime => Plugin::start_beside(program, folder, root, flags),
            root => Plugin::start_on(program, folder, root, flags),
        };
        self.plugin = Some(started.map_err(refused("the daemon to start"))?);
        Ok(())
    }

    async fn terminate(&mut self) -> Done {
        let ended = self.running()?.terminate().await;
        match ended.map_err(refused("the daemon to end"))?.code() {
            Some(0) => Ok(()),
            code => Err(mismatch("exit code 0", format!("{code:?}"))),
        }
    }

    /// Has the daemon look at the node, if it runs and does not see for itself.
    fn tell(&self, change: &Change) -> Done {
        let is_told = self.stage.trigger == Trigger::HangUp || change.is_silent();
        match &self.plugin {
            Some(plugin) if is_told && plugin.pid().is_some() => {
                plugin.look_again().map_err(refused("a daemon that takes SIGHUP"))
            }
            _ => Ok(()),
        }
    }

    fn running(&mut self) -> Result<&mut Plugin, Mismatch> {
        self.plugin
            .as_mut()
            .ok_or_else(|| mismatch("a running daemon", "it was never started"))
    }

    fn change(&mut self, change: &Change) -> Done {
        let names = &mut self.names;
        let backend = &mut *self.backend;
        let at = |name: &String| names.address_of(name);
        let done = match change {
            Change::Add(nics) => nics
                .iter()
                .try_for_each(|(name, spec)| backend.add(spec).map(|pci| names.learn(name, pci))),
            Change::Remove(name) => backend.remove(&at(name)),
            Change::Unbind(name) => backend.unbind(&at(name)),
            Change::Bind(name) => backend.bind(&at(name)),
            Change::Rebind(name) => backend.unbind(&at(name)).and_then(|()| backend.bind(&at(name))),
            Change::UnloadDriver => backend.unload_driver(),
            Change::LoadDriver => backend.load_driver(),
            Change::LinkDown(name) => backend.link(&at(name), false),
            Change::LinkUp(name) => backend.link(&at(name), true),
            Change::StopRetryHandler(name) => backend.retry_handler(&at(name), false),
            Change::StartRetryHandler(name) => backend.retry_handler(&at(name), true),
            Change::FatalError(name) => backend.fatal_error(&at(name)),
            Change::Open(name) => backend.open(&at(name)).map(|file| self.open.push(file)),
        };
        done.map_err(refused("the node to change"))
    }
}

fn mismatch(expected: impl Into<String>, seen: impl Into<String>) -> Mismatch {
    Mismatch {
        expected: expected.into(),
        seen: seen.into(),
    }
}

fn refused<E: ToString>(expected: &str) -> impl FnOnce(E) -> Mismatch {
    move |error| mismatch(expected, error.to_string())
}

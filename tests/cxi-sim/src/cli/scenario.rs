//! `cxi-sim scenario`: runs scenario files with a node, a daemon and kubelet.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use cxi_sim::kubelet::{RealKubelet, Scenario};
use cxi_sim::node::{Backend, Guest, Node, scratch_dir};
use cxi_sim::scenario::{Outcome, ScenarioSetup, Trigger};

const EXAMPLES: &str = "\
Examples:
  All scenarios on a tree of files; no root, no hardware:
    cxi-sim scenario --plugin bin/cxi-device-plugin tests/scenarios/*.yaml

  In a machine with the modules of tests/vm/module, as root:
    cxi-sim scenario --node guest --modules /lib/modules/cxi --plugin bin/cxi-device-plugin FILE...

One line for each file: PASS or FAIL, its name and the node (guest-events with --trigger events). Exit status: 0 all passed, 1 some failed, 2 wrong usage.";

/// Run scenario files: a node changes, a daemon serves an emulated kubelet, and each step is checked
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Scenario files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The daemon's program
    #[arg(long, value_name = "PROGRAM")]
    plugin: PathBuf,
    /// What the node is made of
    #[arg(long, value_enum, default_value_t = On::Tree)]
    node: On,
    /// With --node guest: directory of the kernel modules cxi-emu, cxi-ss1 and so on
    #[arg(long, value_name = "DIR", required_if_eq("node", "guest"))]
    modules: Option<PathBuf>,
    /// How the daemon learns that the node has changed
    #[arg(long, value_enum, default_value_t = Tell::Sighup)]
    trigger: Tell,
    /// Give pods the files of the tree itself, as a real container runtime wants them, and strategy direct
    #[arg(long)]
    for_runtime: bool,
    /// A real kubelet's directory of sockets, such as /var/lib/kubelet/device-plugins; the daemon's calls go on to it
    #[arg(long, value_name = "DIR", requires = "kubelet_control")]
    kubelet_dir: Option<PathBuf>,
    /// With --kubelet-dir: program that is called with reset, start, kill, terminate, pod NAME COUNT, delete NAME and has CAPACITY
    /// ALLOCATABLE
    #[arg(long, value_name = "PROGRAM", requires = "kubelet_dir")]
    kubelet_control: Option<PathBuf>,
    /// Write what kubelet saw, without what depends on speed, to DIR/NAME.transcript
    #[arg(long, value_name = "DIR")]
    transcripts: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum On {
    /// A tree of files
    Tree,
    /// The kernel of this machine, with emulated hardware
    Guest,
}

#[derive(Clone, Copy, ValueEnum)]
enum Tell {
    /// By SIGHUP after each change
    Sighup,
    /// By itself, from what the kernel says (--pulse 0); by SIGHUP of what the kernel says nothing of
    Events,
}

/// Runs the files one after the other, each on a node of its own.
pub fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    // Nothing is tried before all of them can be read.
    let mut scenarios = Vec::new();
    for file in &args.files {
        match Scenario::from_file(file) {
            Ok(scenario) => scenarios.push((name_of(file), scenario)),
            Err(error) => {
                super::complain(&format!("cxi-sim scenario: {error}"));
                return Ok(ExitCode::from(2));
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut failed = false;
    for (name, scenario) in &scenarios {
        failed |= !runtime.block_on(one(args, name, scenario))?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs one scenario and says how it came out.
async fn one(args: &Args, name: &str, scenario: &Scenario) -> Result<bool, Box<dyn Error>> {
    let folder = scratch_dir()?;
    let stage = ScenarioSetup {
        program: args.plugin.clone(),
        folder: folder.path().to_owned(),
        trigger: match args.trigger {
            Tell::Sighup => Trigger::HangUp,
            Tell::Events => Trigger::Events,
        },
        kubelet: args
            .kubelet_dir
            .clone()
            .zip(args.kubelet_control.clone())
            .map(|(dir, control)| RealKubelet { dir, control }),
        is_for_runtime: args.for_runtime,
    };
    let (mut backend, depth): (Box<dyn Backend>, _) = match &args.modules {
        Some(modules) if args.node == On::Guest => (Box::new(Guest::fresh(modules)?), "guest"),
        _ => (Box::new(Node::create(folder.path().join("node"), &[])?), "tree"),
    };
    let how = match args.trigger {
        Tell::Sighup => "",
        Tell::Events => "-events",
    };
    let outcome = stage.run(scenario, backend.as_mut()).await;
    if let Some(directory) = &args.transcripts {
        fs::create_dir_all(directory)?;
        fs::write(directory.join(format!("{name}.transcript")), lines(&outcome.settled))?;
    }
    let passed = outcome.failures.is_empty();
    let mut text = format!(
        "{} scenario {name}: {depth}{how}\n",
        if passed { "PASS" } else { "FAIL" }
    );
    if !passed {
        explain(&mut text, &outcome, &folder.path().join("daemon.log"));
    }
    io::stdout().write_all(text.as_bytes())?;
    Ok(passed)
}

fn explain(text: &mut String, outcome: &Outcome, log: &Path) {
    let failures = outcome.failures.iter().map(ToString::to_string);
    let last: Vec<_> = outcome
        .transcript
        .iter()
        .rev()
        .take(5)
        .map(|line| line.text.clone())
        .collect();
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines = failures
        .chain(last.into_iter().rev())
        .chain(log.lines().map(str::to_owned));
    for line in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    | {line}");
    }
}

fn lines(texts: &[String]) -> String {
    texts.iter().map(|text| format!("{text}\n")).collect()
}

fn name_of(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

//! `cxi-sim kubelet`: an emulated kubelet for one directory.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::complain;
use clap::builder::NonEmptyStringValueParser;
use cxi_sim::kubelet::{Kubelet, Line, Scenario, Settings, Timing};
use tokio::signal::unix::{SignalKind, signal};

const EXAMPLES: &str = "\
Examples:
  Watch what a plugin does (end with Ctrl-C):
    cxi-sim kubelet --dir /tmp/node/device-plugins

  Run a scenario against a plugin that waits for kubelet in the same directory:
    cxi-sim kubelet --dir /tmp/node/device-plugins --scenario tests/scenarios/restart.yaml

  Only the lines that a real kubelet gives too, for comparing the two:
    cxi-sim kubelet --dir DIR --scenario FILE --transcript - | grep -v '\"detail\":true'

Exit status: 0 all steps held and no rule was broken; 1 something did not hold, one line each on
standard error; 2 wrong usage.";

/// Play kubelet for a device plugin: accept registrations, follow device lists, allocate, restart, forget
///
/// Every event is one line of JSON. With a scenario the steps of the file are done and checked. Without one kubelet
/// runs until SIGINT or SIGTERM and then removes its socket.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Kubelet's device plugin directory; made if missing. Every socket in it is removed at start
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,

    /// Also tell which pod holds what at this socket, as kubelet does at pod-resources/kubelet.sock
    #[arg(long, value_name = "SOCKET")]
    pod_resources: Option<PathBuf>,

    /// Do the steps of this YAML file
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,

    /// Write the transcript to this file, or to standard output with "-" [default: "-" without a scenario, none with one]
    #[arg(long, value_name = "FILE|-", value_parser = NonEmptyStringValueParser::new())]
    transcript: Option<String>,

    /// Write paths below this folder of an emulated node as <root>/... in the transcript
    #[arg(long, value_name = "PREFIX")]
    root: Option<PathBuf>,
}

/// Runs the sub-command.
pub fn run(args: &Args) -> ExitCode {
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Into::into);
    let done = done.and_then(|runtime: tokio::runtime::Runtime| runtime.block_on(run_async(args)));
    done.unwrap_or_else(|error| {
        complain(&format!("cxi-sim kubelet: {error}"));
        ExitCode::FAILURE
    })
}

type Error = Box<dyn std::error::Error>;

async fn run_async(args: &Args) -> Result<ExitCode, Error> {
    let settings = Settings {
        timing: Timing::default(),
        root: args.root.clone(),
        pod_resources: args.pod_resources.clone(),
        ..Settings::default()
    };
    match &args.scenario {
        Some(file) => run_scenario(args, file, settings).await,
        None => watch(args, settings).await,
    }
}

async fn run_scenario(args: &Args, file: &Path, settings: Settings) -> Result<ExitCode, Error> {
    // A scenario that cannot be read is wrong usage: nothing was tried yet.
    let scenario = match Scenario::from_file(file) {
        Ok(scenario) => scenario,
        Err(error) => {
            complain(&format!("cxi-sim kubelet: {error}"));
            return Ok(ExitCode::from(2));
        }
    };
    let mut out = args.transcript.as_deref().map(open).transpose()?;
    let outcome = scenario.run_with(&args.dir, settings).await;
    if let Some(out) = &mut out {
        write(out, &outcome.transcript)?;
    }
    for failure in &outcome.failures {
        complain(&format!("{}: {failure}", file.display()));
    }
    Ok(if outcome.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs until a signal comes and writes each event as it happens.
async fn watch(args: &Args, settings: Settings) -> Result<ExitCode, Error> {
    let mut out = open(args.transcript.as_deref().unwrap_or("-"))?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut kubelet = Kubelet::new(&args.dir, settings);
    kubelet.boot()?;
    let mut written = 0;
    loop {
        let lines = tokio::select! {
            lines = kubelet.transcript_after(written) => lines,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        };
        written += lines.len();
        write(&mut out, &lines)?;
    }
    kubelet.shutdown();
    write(&mut out, kubelet.transcript().get(written..).unwrap_or_default())?;
    let clean = kubelet.violations().is_empty();
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn open(name: &str) -> io::Result<Box<dyn Write>> {
    if name == "-" {
        return Ok(Box::new(io::stdout()));
    }
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
    Ok(Box::new(File::create(name).map_err(named)?))
}

fn write(out: &mut dyn Write, lines: &[Line]) -> io::Result<()> {
    for line in lines {
        writeln!(out, "{}", line.text)?;
    }
    out.flush()
}

//! `doctor`: what is wrong with this node, and what to type.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::doctor::finding::{Examination, Finding, Level, Unknown};
use crate::doctor::{self, facts::Facts};
use crate::exit::Ended;
use crate::host::bundle::{self, Contents};
use crate::host::lock::RUN_DIR;
use crate::host::roots::{RootArgs, Roots};
use crate::host::surroundings::{self, Places};
use crate::terminal::output::{self, Audience, BAD, GOOD, HEADING, WARNING, paint, visible};

/// Arguments of `doctor`. Its directories are those of the host, below --root.
#[derive(Debug, Clone, clap::Args)]
pub struct DoctorArgs {
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Audience,
    /// Also write all that was looked at into this tar archive, without secrets, for somebody who cannot log in here
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// A log to put into the bundle
    #[arg(long, value_name = "FILE", requires = "bundle")]
    log: Option<PathBuf>,
    /// CDI directories of the host, the daemon's last; may be repeated
    #[arg(long, value_name = "DIR", default_values = ["/etc/cdi", "/var/run/cdi"])]
    cdi_dir: Vec<PathBuf>,
    /// Kubelet's directory for device plugins on the host
    #[arg(long, value_name = "DIR", default_value = "/var/lib/kubelet/device-plugins")]
    kubelet_dir: PathBuf,
    /// Directory of the daemon's own state on the host
    #[arg(long, value_name = "DIR", default_value = RUN_DIR)]
    run_dir: PathBuf,
    /// The host.
    #[command(flatten)]
    roots: RootArgs,
}

/// For programs. Keys are only ever added.
#[derive(Debug, Serialize)]
struct Report<'a> {
    summary: Summary,
    findings: &'a [Finding],
    unknown: &'a [Unknown],
}

#[derive(Debug, Serialize)]
struct Summary {
    nics: Option<usize>,
    problems: usize,
    warnings: usize,
    notes: usize,
    unknown: usize,
}

impl Summary {
    fn new(facts: &Facts, examination: &Examination) -> Self {
        Self {
            nics: facts.inventory.as_ref().ok().map(|inventory| inventory.nics.len()),
            problems: examination.count(Level::Problem),
            warnings: examination.count(Level::Warning),
            notes: examination.count(Level::Note),
            unknown: examination.unknown.len(),
        }
    }
}

/// Looks, judges, says.
pub fn run(args: &DoctorArgs) -> anyhow::Result<Ended> {
    let roots = Roots::new(&args.roots)?;
    let places = Places {
        cdi: args.cdi_dir.clone(),
        kubelet: args.kubelet_dir.clone(),
        run: args.run_dir.clone(),
    };
    let facts = surroundings::look(&roots, &places);
    let examination = doctor::examine(&facts);
    let report = Report {
        summary: Summary::new(&facts, &examination),
        findings: &examination.findings,
        unknown: &examination.unknown,
    };
    let bundled = match &args.bundle {
        None => String::new(),
        Some(target) => {
            let contents = Contents {
                report: &report,
                facts: &facts,
                places: &places,
                log: args.log.as_deref(),
            };
            let count = bundle::write(&roots, &contents, target)?;
            of_bundle(target, count, args.log.is_some())
        }
    };
    match args.output {
        Audience::Json => output::json(&report)?,
        Audience::Table => output::styled(&(described(&examination, &report.summary) + &bundled))?,
    }
    Ok(if examination.needs_action() {
        Ended::Findings
    } else {
        Ended::Done
    })
}

fn described(examination: &Examination, summary: &Summary) -> String {
    let mut text: String = examination.findings.iter().map(finding).collect();
    if !examination.unknown.is_empty() {
        text += &format!("{}\n", paint(HEADING, "could not be read, so nothing is said of it:"));
        let lines = examination.unknown.iter();
        text.extend(lines.map(|unknown| format!("    {}: {}\n", visible(&unknown.subject), visible(&unknown.reason))));
        text += "\n";
    }
    let nics = summary
        .nics
        .map_or_else(|| "? NICs".to_owned(), |nics| counted(nics, "NIC"));
    let counts = [
        counted(summary.problems, "problem"),
        counted(summary.warnings, "warning"),
        counted(summary.notes, "note"),
    ];
    let style = match (summary.problems, summary.warnings) {
        (0, 0) => GOOD,
        (0, _) => WARNING,
        _ => BAD,
    };
    text + &format!("{nics}: {}\n", paint(style, &counts.join(", ")))
}

/// No program is run, so the log is for the admin to fetch.
fn of_bundle(target: &Path, count: usize, has_log: bool) -> String {
    let mut text = format!("wrote {}: {count} files\n", visible(&target.display().to_string()));
    if !has_log {
        text += "    for the log, too: journalctl -u cxi-device-plugin -b --no-pager > log.txt ; and again with --log log.txt\n";
    }
    text
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A headline, and under it what, why and what to do.
fn finding(finding: &Finding) -> String {
    let (style, level) = match finding.level {
        Level::Problem => (BAD, "problem"),
        Level::Warning => (WARNING, "warning"),
        Level::Note => (HEADING, "note"),
    };
    let mut text = format!(
        "{} {}: {}\n    {}\n",
        paint(style, level),
        finding.id,
        paint(HEADING, &visible(&finding.subject)),
        visible(&finding.what)
    );
    for evidence in &finding.evidence {
        let path = evidence.path.display().to_string();
        text += &format!("    read: {} = {}\n", visible(&path), visible(&evidence.value));
    }
    text + &format!("    do:   {}\n\n", visible(&finding.remedy))
}

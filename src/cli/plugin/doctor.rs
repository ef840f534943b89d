//! `doctor`: what is wrong with this node, and what to type.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::host_settings;
use super::pods::{PodArgs, PodsReport};
use crate::cli::exit::{self, Ended};
use crate::cli::terminal::output::{self, Audience, BAD, GOOD, HEADING, WARNING, paint, visible};
use crate::host::bundle::{self, Contents};
use crate::host::files::roots::{RootArgs, Roots};
use crate::host::probe::{self, Site};
use crate::model::config::settings::Settings;
use crate::model::doctor;
use crate::model::doctor::facts::NodeFacts;
use crate::model::doctor::finding::{Evidence, Examination, Finding, Level, Unknown};
use crate::model::nic::offer::Functions;
use crate::model::nic::selection::Selection;

/// Where specs are that no daemon keeps.
const STATIC_SPECS: &str = "/etc/cdi";

/// Arguments of `doctor`. Its directories are taken as they are given; what is not given is as the host's configuration of
/// the daemon has it, below --root.
#[derive(Debug, Clone, clap::Args)]
pub struct DoctorArgs {
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Audience,
    /// Also write all that was looked at into this tar archive, without secrets, for somebody who cannot log in here; - is
    /// standard output, and the findings go to standard error then
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// A log to put into the bundle
    #[arg(long, value_name = "FILE", requires = "bundle")]
    log: Option<PathBuf>,
    /// CDI directories, the daemon's last; may be repeated [default: /etc/cdi, and the daemon's]
    #[arg(long, value_name = "DIR")]
    cdi_dir: Vec<PathBuf>,
    /// Kubelet's directory for device plugins [default: the daemon's]
    #[arg(long, value_name = "DIR")]
    kubelet_dir: Option<PathBuf>,
    /// Directory of the daemon's own state [default: the daemon's]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Kubelet, about pods.
    #[command(flatten)]
    pods: PodArgs,
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
    pods: PodsReport,
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
    fn new(facts: &NodeFacts, examination: &Examination) -> Self {
        Self {
            nics: facts.inventory.as_ref().ok().map(|inventory| inventory.nics.len()),
            problems: examination.count(Level::Problem),
            warnings: examination.count(Level::Warning),
            notes: examination.count(Level::Note),
            unknown: examination.unknown.len(),
        }
    }
}

impl DoctorArgs {
    /// The directories that were given, as we see them.
    fn given(&self) -> anyhow::Result<Vec<PathBuf>> {
        let directories = self.cdi_dir.iter().chain(&self.kubelet_dir).chain(&self.run_dir);
        let absolute = directories.map(|path| std::path::absolute(path).context("no working directory"));
        absolute.collect()
    }

    fn site(&self, settings: Settings, problems: Vec<Evidence>) -> Site {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let mut cdi: Vec<PathBuf> = self.cdi_dir.iter().map(absolute).collect();
        if cdi.is_empty() {
            cdi.extend([PathBuf::from(STATIC_SPECS), settings.cdi.dir.clone()]);
            cdi.dedup();
        }
        Site {
            libraries: settings.libraries(),
            numa: settings.numa.clone(),
            isolation: settings.isolation.is_on(),
            needs: settings.needs(),
            policy: settings.health.policy.clone(),
            lingers_after: settings.cxi_service.lingers_after,
            selection: Selection::without(Functions::default(), settings.exclude),
            variable: settings.resource.name.environment_variable(),
            problems,
            cdi,
            kubelet: self.kubelet_dir.as_ref().map_or(settings.kubelet.dir, absolute),
            run: self.run_dir.as_ref().map_or(settings.daemon.run_dir, absolute),
        }
    }
}

/// Looks, judges, says.
pub fn run(args: &DoctorArgs) -> anyhow::Result<Ended> {
    let (settings, problems) = host_settings::read(args.roots.prefix.clone())?;
    let roots = Roots::new(&host_settings::roots_by(args.roots.clone(), &settings))?.with_given(args.given()?);
    let pods = args
        .pods
        .ask(args.roots.prefix.clone(), &settings, &settings.resource.name);
    let pods_report = pods.report();
    let held = pods.lines();
    let site = args.site(settings, problems);
    let facts = probe::look(&roots, &site, pods.0);
    let examination = doctor::examine(&facts);
    let report = Report {
        summary: Summary::new(&facts, &examination),
        findings: &examination.findings,
        unknown: &examination.unknown,
        pods: pods_report,
    };
    let bundled = match &args.bundle {
        None => String::new(),
        Some(target) => {
            let contents = Contents {
                report: &report,
                facts: &facts,
                site: &site,
                log: args.log.as_deref(),
            };
            let count = if is_stdout(target) {
                bundle::print(&roots, &contents)?
            } else {
                bundle::write(&roots, &contents, target)?
            };
            bundle_summary(target, count, args.log.is_some())
        }
    };
    let text = match args.output {
        Audience::Json => output::json_text(&report)?,
        Audience::Table => described(&examination, &report.summary, &held) + &bundled,
    };
    match args.output {
        _ if args.bundle.as_deref().is_some_and(is_stdout) => exit::note(&text),
        Audience::Json => output::raw(&text)?,
        Audience::Table => output::styled(&text)?,
    }
    Ok(if examination.needs_action() {
        Ended::Findings
    } else {
        Ended::Done
    })
}

fn is_stdout(target: &Path) -> bool {
    target == Path::new("-")
}

fn described(examination: &Examination, summary: &Summary, held: &str) -> String {
    let mut text: String = examination.findings.iter().map(finding).collect();
    if !examination.unknown.is_empty() {
        text += &format!("{}\n", paint(HEADING, "could not be read, so nothing is said of it:"));
        let lines = examination.unknown.iter();
        text.extend(lines.map(|unknown| format!("    {}: {}\n", visible(&unknown.subject), visible(&unknown.reason))));
        text += "\n";
    }
    if !held.is_empty() {
        text += &format!("{}\n{held}\n", paint(HEADING, "held by pods:"));
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
fn bundle_summary(target: &Path, count: usize, has_log: bool) -> String {
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
    // A text to write has lines of its own.
    let remedy: Vec<String> = finding.remedy.lines().map(visible).collect();
    text + &format!("    do:   {}\n\n", remedy.join("\n          "))
}

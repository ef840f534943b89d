//! `explain NIC`: every condition, what it rests on, and what to type.

use serde::Serialize;

use super::args::{ExplainArgs, Subject};
use super::explain_pid;
use super::node_view::{self, Daemon, ago};
use crate::cli::exit::{self, Ended};
use crate::cli::terminal::output::{self, Audience, BAD, GOOD, HEADING, WARNING, paint, visible};
use crate::cli::terminal::table::{Cell, plain, table};
use crate::host::clock::unix_seconds;
use crate::model::health::{Check, Verdict};
use crate::model::nic::selection;
use crate::model::status::{ConditionStatus, NicStatus};

/// For programs.
#[derive(Serialize)]
struct Explained {
    /// The daemon whose record this is; null for a fresh look, in which nothing is held back or remembered.
    daemon_pid: Option<u32>,
    nic: NicStatus,
    /// Of each condition that warns or fails.
    remedies: Vec<Remedy>,
}

#[derive(Serialize)]
struct Remedy {
    check: Check,
    text: String,
}

/// Explains.
pub fn run(args: &ExplainArgs) -> anyhow::Result<Ended> {
    match args.subject() {
        Subject::Nic(name) => explain_nic(args, name),
        Subject::Process(pid) => explain_pid::run(args, pid),
    }
}

fn explain_nic(args: &ExplainArgs, name: &str) -> anyhow::Result<Ended> {
    let node = args.node.configured()?;
    let (daemon_pid, nics) = match node_view::daemon(&node.run_dir)? {
        Daemon::Runs(status) => (Some(status.pid), status.node.nics),
        unseen => {
            if let Daemon::Unknown(reason) = unseen {
                exit::warn(&format!(
                    "it cannot be told whether cxi-device-plugin runs ({reason}); this is a look of our own"
                ));
            }
            let inventory = node_view::inventory_with_services(&node)?;
            (None, node_view::statuses(&inventory, &node.settings))
        }
    };
    let nic = selection::find(name, &nics)?.clone();
    let conditions = nic.conditions.iter().map(|status| &status.condition);
    let remedies = conditions
        // That something is not known is no reason to do anything.
        .filter(|condition| condition.verdict.is_bad())
        .map(|condition| Remedy {
            check: condition.check,
            text: nic.remedy(condition.check),
        });
    let explained = Explained {
        daemon_pid,
        remedies: remedies.collect(),
        nic,
    };
    match args.output {
        Audience::Json => output::json(&explained)?,
        Audience::Table => output::styled(&described(&explained))?,
    }
    Ok(Ended::Done)
}

fn described(explained: &Explained) -> String {
    let nic = &explained.nic;
    let mut text = paint(HEADING, &visible(&nic.called())) + ": " + &visible(&nic.state()) + "\n";
    text += &match explained.daemon_pid {
        Some(pid) => format!("as cxi-device-plugin (pid {pid}) sees it\n"),
        None => "as it looks now; no daemon runs that would hold news back or remember how it was\n".to_owned(),
    };
    if nic.withheld.is_some() && nic.conditions.is_empty() {
        return text;
    }
    let now = unix_seconds();
    let rows = nic.conditions.iter().map(|status| row(status, now)).collect();
    text += "\n";
    text += &table(["CONDITION", "VERDICT", "FOR", "WHY"], rows);
    if !explained.remedies.is_empty() {
        text += "\nWhat to do:\n";
    }
    for Remedy { check, text: what } in &explained.remedies {
        text += &format!("  {}: {}\n", paint(HEADING, check.name()), visible(what));
    }
    text
}

fn row(status: &ConditionStatus, now: u64) -> [Cell; 4] {
    let condition = &status.condition;
    let style = match condition.verdict {
        Verdict::Ok => GOOD,
        Verdict::Unknown | Verdict::Warn => WARNING,
        Verdict::Fail => BAD,
    };
    let held = status.held.iter().map(|held| format!("; not published yet: {held}"));
    [
        plain(condition.check),
        (style, condition.verdict.to_string()),
        plain(status.since.map(|since| ago(since, now)).unwrap_or_default()),
        plain(condition.text() + &held.collect::<String>()),
    ]
}

//! `explain --pid`: would libfabric in this container accept each NIC?

use serde::Serialize;

use super::args::ExplainArgs;
use super::node_view;
use crate::cli::exit::Ended;
use crate::cli::terminal::output::{self, Audience, BAD, GOOD, HEADING, WARNING, paint, visible};
use crate::cli::terminal::table::{Cell, plain, table};
use crate::host::containers::process::Process;
use crate::host::files::patience;
use crate::host::files::roots::Roots;
use crate::host::files::untrusted::Place;
use crate::model::container::{self, ContainerFinding, ContainerReport, NicReport, ServicesOfNics};
use crate::model::health::{AcrossNics, Verdict};
use crate::model::status::NicStatus;

/// For programs.
#[derive(Serialize)]
struct Explained {
    pid: u32,
    command: String,
    #[serde(flatten)]
    report: ContainerReport,
}

/// Explains.
pub fn run(args: &ExplainArgs, pid: u32) -> anyhow::Result<Ended> {
    let node = args.node.configured()?;
    let roots = Roots::new(&node.roots)?;
    let place = Place::default();
    let (host, seen) = (roots.clone(), place.clone());
    let process = patience::within(&place, move || Process::find(&host, pid, &seen))??;
    let nics = node_view::inventory_with_services(&node)?.nics;
    let across_nics = AcrossNics::of(&nics);
    let command = process.command.clone();
    // By the host's own nodes: a container's are not ours to open.
    let services = nics.iter().map(|nic| (nic.address.to_string(), nic.services.clone()));
    let services: ServicesOfNics = services.collect();
    let settings = node.settings;
    let variable = settings.resource.name.environment_variable();
    let looked = patience::within(&place, move || {
        let given = (process.given(&nics, &variable), process.is_of_pod());
        let looked = process.look(&roots, &nics, |nic| node_view::status(nic, &across_nics, &settings));
        looked.map(|looked| (looked, given))
    })?;
    let ((container, views), (given, is_of_pod)) = looked?;
    let mut report = container::judge(&container, &views, &services);
    report.compare(&given, is_of_pod, |nic| {
        let called = views.iter().map(|view| &view.nic);
        let mut here = called.filter(|status| status.address == nic.to_string());
        here.next().map(NicStatus::called)
    });
    let explained = Explained { pid, report, command };
    match args.output {
        Audience::Json => output::json(&explained)?,
        Audience::Table => output::styled(&described(&explained))?,
    }
    Ok(if explained.report.is_good() {
        Ended::Done
    } else {
        Ended::Findings
    })
}

fn described(explained: &Explained) -> String {
    let ContainerReport { nics, findings } = &explained.report;
    let process = format!("process {} ({})", explained.pid, explained.command);
    let mut text = paint(HEADING, &visible(&process)) + ": would libfabric accept each NIC?\n";
    if !nics.is_empty() {
        text += &table(["NIC", "CXI", "NETDEV", "VERDICT"], nics.iter().map(row).collect());
    }
    for finding in findings {
        text += &paragraph("container", finding);
    }
    for nic in nics {
        for finding in &nic.findings {
            text += &paragraph(&nic.address, finding);
        }
    }
    text
}

fn row(nic: &NicReport) -> [Cell; 4] {
    let (style, verdict) = match nic.verdict {
        "accepted" => (GOOD, "accepted"),
        "refused" => (BAD, "refused"),
        "absent" => (WARNING, "not in this container"),
        other => (WARNING, other),
    };
    let or_none = |name: &Option<String>| plain(name.as_deref().unwrap_or("-"));
    [
        plain(&nic.address),
        or_none(&nic.cxi),
        or_none(&nic.netdev),
        (style, verdict.to_owned()),
    ]
}

fn paragraph(subject: &str, finding: &ContainerFinding) -> String {
    let style = match finding.verdict {
        Verdict::Ok => GOOD,
        Verdict::Unknown | Verdict::Warn => WARNING,
        Verdict::Fail => BAD,
    };
    format!(
        "\n{} {}: {}: {}\n  what to do: {}\n",
        paint(style, &finding.verdict.to_string()),
        visible(subject),
        finding.kind,
        visible(&finding.reason),
        finding.remedy
    )
}

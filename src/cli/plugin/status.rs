//! `status`: what the running daemon says of itself.

use anyhow::bail;
use serde::Serialize;

use super::args::StatusArgs;
use super::node_view::{self, Daemon, ago};
use super::pods::{Pods, PodsReport};
use crate::cli::exit::Ended;
use crate::cli::plugin::host_settings::ConfiguredNode;
use crate::cli::terminal::nic_table;
use crate::cli::terminal::output::{self, Audience, BAD, GOOD, HEADING, WARNING, paint, visible};
use crate::host::clock::unix_seconds;
use crate::host::files::isolation;
use crate::host::files::roots::Roots;
use crate::model::config::settings::Settings;
use crate::model::isolation::record::Record;
use crate::model::status::{KubeletState, Status};

/// For programs: the record, and what kubelet says.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    status: &'a Status,
    pods: PodsReport,
    /// Where the site has services made for pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    isolation: Option<&'a Result<Record, String>>,
}

/// Says it.
pub fn run(args: &StatusArgs) -> anyhow::Result<Ended> {
    let node = args.configured()?;
    let run_dir = &node.run_dir;
    let status = match node_view::daemon(run_dir)? {
        Daemon::Runs(status) => status,
        Daemon::Stopped => bail!(
            "cxi-device-plugin is not running (nobody holds {}): start it with systemctl start cxi-device-plugin; without it, \
             cxi-device-plugin devices shows the NICs",
            run_dir.join("lock").display()
        ),
        Daemon::Unknown(reason) => bail!(
            "it cannot be told whether cxi-device-plugin runs ({reason}): see systemctl status cxi-device-plugin; \
             cxi-device-plugin devices shows the NICs"
        ),
    };
    let pods = pods(args, &node.settings, &status);
    let isolation = isolation(&node)?;
    match args.output {
        Audience::Json => output::json(&Report {
            pods: pods.report(),
            status: &status,
            isolation: isolation.as_ref(),
        })?,
        Audience::Table => output::styled(&described(&status, &pods, isolation.as_ref()))?,
    }
    Ok(Ended::Done)
}

/// By the resource that the daemon serves, at the socket of the host's configuration.
fn pods(args: &StatusArgs, settings: &Settings, status: &Status) -> Pods {
    let served = status.node.resources.first();
    let resource = served.and_then(|resource| resource.name.parse().ok());
    let resource = resource.unwrap_or_else(|| settings.resource.name.clone());
    args.pods.ask(args.prefix.clone(), settings, &resource)
}

/// How the services for pods stand, where the site has them made, or somebody makes them anyway.
fn isolation(node: &ConfiguredNode) -> anyhow::Result<Option<Result<Record, String>>> {
    let record = isolation::record(&Roots::new(&node.roots)?).map_err(|error| error.reason);
    Ok(Some(record).filter(|record| record.is_ok() || node.settings.isolation.is_on()))
}

fn described(status: &Status, pods: &Pods, isolation: Option<&Result<Record, String>>) -> String {
    let now = unix_seconds();
    let mut text = format!(
        "cxi-device-plugin {} runs as pid {} for {}\n",
        status.version,
        status.pid,
        ago(status.started, now)
    );
    let mut line = |name: &str, value: String| text += &format!("{} {value}\n", paint(HEADING, &format!("{name}:")));
    let since = ago(status.kubelet_since, now);
    for resource in &status.node.resources {
        line(
            "resource",
            format!("{} (strategy {})", visible(&resource.name), resource.strategy),
        );
    }
    let strategy = &status.node.strategy;
    if let Some(since) = strategy.since {
        line(
            "strategy",
            format!(
                "{} for {}: {}",
                visible(&strategy.in_force),
                ago(since, now),
                visible(&strategy.reason)
            ),
        );
    }
    line(
        "kubelet",
        match &status.kubelet {
            KubeletState::Registered => paint(GOOD, &format!("registered for {since}")),
            KubeletState::Waiting => paint(WARNING, &format!("waiting for its socket for {since}")),
            KubeletState::NotRegistered { reason } => {
                paint(BAD, &format!("not registered for {since}: {}", visible(reason)))
            }
        },
    );
    if let Some(isolation) = isolation {
        line("isolation", isolation_line(isolation));
    }
    let cdi = &status.node.cdi;
    let file = visible(&cdi.file.display().to_string());
    line(
        "CDI file",
        match &cdi.error {
            None => file,
            Some(error) => paint(BAD, &format!("{file} stays as it was: {}", visible(error))),
        },
    );
    for source in &status.node.sources {
        if let Some(reason) = &source.lost {
            let lost = format!(
                "no {}: {}; --pulse takes their place",
                visible(&source.name),
                visible(reason)
            );
            line("events", paint(WARNING, &lost));
        }
    }
    if let Some(reason) = &status.node.blind {
        let blind = format!("cannot be looked at, all below is as it was: {}", visible(reason));
        line("node", paint(BAD, &blind));
    }
    for problem in &status.node.problems {
        line("problem", paint(WARNING, &visible(problem)));
    }
    text += &if status.node.nics.is_empty() {
        "no CXI NIC\n".to_owned()
    } else {
        "\n".to_owned() + &nic_table::nics_with_pods(&status.node.nics, |address| pods.cell(address))
    };
    let addresses = status.node.nics.iter().map(|nic| nic.address.as_str());
    text + &nic_table::absent(&status.node.cordoned_absent) + &pods.remarks(addresses)
}

fn isolation_line(isolation: &Result<Record, String>) -> String {
    let record = match isolation {
        Ok(record) => record,
        Err(reason) => return paint(BAD, &visible(&format!("pods get no CXI service: {reason}"))),
    };
    if !record.connected {
        let reason = format!("pods get no CXI service: not connected: {}", record.reason);
        return paint(BAD, &visible(&reason));
    }
    let services = record.nics.iter().flat_map(|nic| &nic.services);
    let count = |state: &str| services.clone().filter(|service| service.state == state).count();
    let mut text = format!("connected to {}, {} services of pods", record.runtime, count("ready"));
    for (state, words) in [
        ("ending", "in use though their pods are gone"),
        ("unclear", "of which nobody can tell whose they are"),
    ] {
        if count(state) > 0 {
            text += &format!(", {} {words}", count(state));
        }
    }
    visible(&text)
}

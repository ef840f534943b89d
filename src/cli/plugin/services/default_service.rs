//! `services enable-default` and `disable-default`: the driver's own service, which admits everybody.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::Serialize;

use super::args::{DisableArgs, EnableArgs, StampArgs};
use super::targets::{Target, Targets};
use crate::cli::exit::{self, Ended};
use crate::cli::plugin::node_args::NodeArgs;
use crate::cli::terminal::output::{self, Audience};
use crate::host::device::asking;
use crate::host::device::commands::Commands;
use crate::host::device::work::{self, Switched};
use crate::host::files::{atomic_file, read};
use crate::model::services::default_service::{Decision, decide};
use crate::model::services::descriptor::DEFAULT_SERVICE;
use crate::model::services::refused::Refused;
use crate::model::services::service::Service;

/// Where the stamps are unless somebody has said otherwise; systemd makes it for the unit.
const STATE_DIR: &str = "/run/cxi-default-service";

/// What became of one NIC's default service.
enum Outcome {
    Switched(Switched),
    /// It was done before in this life of the NIC.
    Before(Decision),
    /// There is none to switch.
    Virtual,
}

/// Switches it on.
pub(super) fn enable(args: &EnableArgs) -> anyhow::Result<Ended> {
    let once = args.once;
    change(
        &args.node,
        &args.stamps,
        &args.nics,
        args.output,
        true,
        move |commands, target, stamp| {
            // The unit comes with each device node, and a virtual function's is none of its business.
            if once && !target.is_physical {
                return Ok(Outcome::Virtual);
            }
            let is_on = commands.service(DEFAULT_SERVICE)?.enabled;
            match (once, &target.life) {
                (true, Some(life)) => match decide(stamp, life, is_on) {
                    Decision::Enable => work::switch(commands, DEFAULT_SERVICE, true).map(Outcome::Switched),
                    other => Ok(Outcome::Before(other)),
                },
                _ => work::switch(commands, DEFAULT_SERVICE, true).map(Outcome::Switched),
            }
        },
    )
}

/// Switches it off.
pub(super) fn disable(args: &DisableArgs) -> anyhow::Result<Ended> {
    change(
        &args.node,
        &args.stamps,
        &args.nics,
        args.output,
        false,
        |commands, _, _| work::switch(commands, DEFAULT_SERVICE, false).map(Outcome::Switched),
    )
}

fn change(
    node: &NodeArgs,
    stamps: &StampArgs,
    names: &[String],
    audience: Audience,
    on: bool,
    switch: impl Fn(Commands<'_>, &Target, Option<&str>) -> Result<Outcome, Refused> + Clone + Send + 'static,
) -> anyhow::Result<Ended> {
    let targets = Targets::find(node)?;
    let chosen = targets.named_or_all(names)?;
    if chosen.is_empty() {
        bail!("no NIC has a device node: cxi-device-plugin devices");
    }
    let count = chosen.len();
    let directory = directory(node, stamps);
    let seen = directory.clone();
    let switched = targets.ask(chosen, asking::PATIENCE, move |commands, target| {
        let stamp = read::text(&seen.join(&target.address)).ok();
        switch(commands, target, stamp.as_deref())
    });
    let mut failed = 0;
    let mut report = Vec::new();
    for (target, outcome) in switched {
        let nic = Reported::new(&target, on, &outcome);
        match outcome {
            Ok(outcome) => {
                if audience == Audience::Table {
                    output::line(&format!("{}: {}", target.called, words(&outcome, on, &target)))?;
                }
                keep_stamp(&directory, &target);
            }
            Err(refused) => {
                failed += 1;
                exit::warn(&format!("{}: {}", target.called, reason(&refused, &target)));
            }
        }
        report.push(nic);
    }
    if audience == Audience::Json {
        output::json(&report)?;
    }
    if failed > 0 {
        let state = if on { "on" } else { "off" };
        bail!("the default service was not switched {state} on {failed} of {count} NICs");
    }
    Ok(Ended::Done)
}

/// What became of one, for programs.
#[derive(Serialize)]
struct Reported {
    address: String,
    cxi: String,
    /// How it is now; null where that is not known, and for a virtual function.
    enabled: Option<bool>,
    /// `switched`, `as-it-was`, `stays-off`, `virtual` or `failed`.
    outcome: &'static str,
    error: Option<String>,
}

impl Reported {
    fn new(target: &Target, on: bool, outcome: &Result<Outcome, Refused>) -> Self {
        let (outcome, enabled, error) = match outcome {
            Ok(Outcome::Switched(Switched::Done)) => ("switched", Some(on), None),
            Ok(Outcome::Switched(Switched::AlreadySo)) => ("as-it-was", Some(on), None),
            Ok(Outcome::Before(Decision::SwitchedOff)) => ("stays-off", Some(false), None),
            Ok(Outcome::Before(_)) => ("as-it-was", Some(true), None),
            Ok(Outcome::Virtual) => ("virtual", None, None),
            Err(refused) => ("failed", None, Some(reason(refused, target))),
        };
        Self {
            address: target.address.clone(),
            cxi: target.cxi.to_string(),
            enabled,
            outcome,
            error,
        }
    }
}

fn words(outcome: &Outcome, on: bool, target: &Target) -> String {
    match outcome {
        Outcome::Switched(Switched::Done) if on => "the default service is on now: it admits everybody".to_owned(),
        Outcome::Switched(Switched::Done) => "the default service is off now".to_owned(),
        Outcome::Switched(Switched::AlreadySo) if on => "the default service is on, as it was".to_owned(),
        Outcome::Switched(Switched::AlreadySo) => "the default service is off, as it was".to_owned(),
        Outcome::Before(Decision::SwitchedOff) => format!(
            "the default service stays off: it was switched off in this life of the NIC; to switch it on: cxi-device-plugin \
             services enable-default {}",
            target.address
        ),
        Outcome::Before(_) => "the default service is on, as it was".to_owned(),
        Outcome::Virtual => "a virtual function has no default service of its own".to_owned(),
    }
}

fn reason(refused: &Refused, target: &Target) -> String {
    if !target.is_physical {
        return format!(
            "a virtual function's services are those of its physical function, and are changed there: {refused}"
        );
    }
    if refused.is_busy() {
        return format!(
            "{refused}; while somebody uses the service it cannot be switched: cxi-device-plugin services, fuser -v /dev/{}",
            target.cxi
        );
    }
    refused.to_string()
}

/// Where the stamps are.
fn directory(node: &NodeArgs, stamps: &StampArgs) -> PathBuf {
    node.roots.place(stamps.state_dir.as_deref(), STATE_DIR)
}

/// Where the unit's are.
pub(super) fn of_unit(node: &NodeArgs) -> PathBuf {
    node.roots.place(None, STATE_DIR)
}

/// Whether it was switched in this life of the NIC and is off, so that the unit leaves it off.
pub(super) fn stays_off(directory: &Path, target: &Target, services: &[Service]) -> bool {
    let default = services.iter().find(|service| service.is_default());
    let stamp = read::text(&directory.join(&target.address)).ok();
    match (&target.life, default) {
        (Some(life), Some(service)) => {
            decide(stamp.as_deref(), life, service.descriptor.enabled) == Decision::SwitchedOff
        }
        _ => false,
    }
}

/// Keeps that it was done in this life of the NIC. Without it, the next start of the unit would undo an admin's word.
fn keep_stamp(directory: &Path, target: &Target) {
    let Some(life) = &target.life else { return };
    let kept = atomic_file::make_directory(directory)
        .map_err(|error| error.to_string())
        .and_then(|()| {
            let stamp = life.stamp();
            atomic_file::replace(directory, &target.address, None, stamp.as_bytes()).map_err(|error| error.to_string())
        });
    if let Err(error) = kept {
        exit::warn(&format!(
            "{}: it cannot be kept that this was done, so cxi-default-service@.service may do otherwise at its next start: {error}: {}",
            target.called,
            directory.display()
        ));
    }
}

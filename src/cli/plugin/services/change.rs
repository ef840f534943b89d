//! `services delete`: the end of a service.

use std::path::Path;
use std::time::Duration;

use anyhow::{anyhow, bail};
use serde::Serialize;

use super::args::DeleteArgs;
use super::targets::{Target, Targets};
use crate::cli::exit::{self, Ended};
use crate::cli::plugin::node_args::NodeArgs;
use crate::cli::terminal::output::{self, Audience};
use crate::host::clock::unix_seconds;
use crate::host::device::commands::Commands;
use crate::host::device::ending::{self, RealClock};
use crate::host::device::{asking, endings, groups, survey};
use crate::model::services::default_service::Life;
use crate::model::services::descriptor::DEFAULT_SERVICE;
use crate::model::services::lingering::Ending;
use crate::model::services::refused::Refused;
use crate::model::services::retry::{News, Retry};
use crate::model::services::service::{Origin, Service};

/// A service that was ended, for programs.
#[derive(Serialize)]
struct Gone {
    address: String,
    cxi: String,
    id: u32,
}

/// Ends one.
pub(super) fn delete(args: &DeleteArgs) -> anyhow::Result<Ended> {
    let id = args.id;
    if id == DEFAULT_SERVICE {
        bail!(
            "service 1 is the driver's own and cannot be deleted: cxi-device-plugin services disable-default {}",
            args.nic
        );
    }
    let targets = Targets::find(&args.node)?;
    let chosen = targets.named(std::slice::from_ref(&args.nic))?;
    let roots = targets.roots.clone();
    let found = targets.ask(chosen.clone(), asking::PATIENCE, move |commands, target| {
        survey::services(commands, &groups::names(&roots, target.cxi))
    });
    let directory = endings::directory(&targets.run_dir);
    let mut note = None;
    for (target, services) in found {
        let services = services.map_err(|refused| anyhow!("{}: {refused}", target.called))?;
        let service = may_be_deleted(&target, &services, id).inspect_err(|_| {
            // One that somebody else has ended.
            if !services.iter().any(|service| service.id() == id) {
                endings::forget(&directory, &target.address, id);
            }
        })?;
        note = target
            .life
            .clone()
            .map(|life| Note::of(args.node.clone(), &directory, &target, life, service));
    }
    let lingers_after = targets.lingers_after;
    let wait = Duration::from_secs(args.wait);
    let early = note.clone();
    let ended = targets.ask(
        chosen,
        wait.saturating_add(asking::PATIENCE),
        move |commands, target| {
            let retry = Retry::new(lingers_after, Some(wait));
            ending::destroy(commands, id, retry, &RealClock::default(), &mut |news| {
                if let (News::Waits, Some(note)) = (news, &early) {
                    note.keep(target);
                }
                say(news, target, id, lingers_after);
            })
        },
    );
    for (target, result) in ended {
        match result {
            Ok(()) => {
                endings::forget(&directory, &target.address, id);
                match args.output {
                    Audience::Table => output::line(&format!("{}: service {id} is gone", target.called))?,
                    Audience::Json => output::json(&Gone {
                        address: target.address,
                        cxi: target.cxi.to_string(),
                        id,
                    })?,
                }
            }
            Err(refused) if refused.is_busy() => {
                // It was not kept yet if there was no wait at all.
                note.iter().for_each(|note| note.keep(&target));
                bail!(
                    "{}: service {id} is still in use after {} s: see by whom with fuser -v /dev/{}; what a job has left behind may last for \
                     minutes: cxi-device-plugin services delete --wait 600 {} {id}",
                    target.called,
                    args.wait,
                    target.cxi,
                    target.address
                )
            }
            Err(refused) => bail!("{}: {refused}", target.called),
        }
    }
    Ok(Ended::Done)
}

/// Ends one that was made a moment ago.
pub(super) fn end_at_once(commands: Commands<'_>, id: u32) -> Result<(), Refused> {
    let wait = Duration::from_secs(5);
    let retry = Retry::new(wait, Some(wait));
    ending::destroy(commands, id, retry, &RealClock::default(), &mut |_| {})
}

/// What others are to know of a service that does not end.
#[derive(Clone)]
struct Note {
    node: NodeArgs,
    ending: Ending,
}

impl Note {
    /// The time is that of an earlier one of the same service.
    fn of(node: NodeArgs, directory: &Path, target: &Target, life: Life, service: &Service) -> Self {
        let earlier = target
            .address
            .parse()
            .map(|address| endings::of(directory, address))
            .unwrap_or_default();
        let earlier = earlier.into_iter().find(|note| note.is_of(&life, service));
        Self {
            node,
            ending: earlier.unwrap_or_else(|| Ending::new(life, service, unix_seconds())),
        }
    }

    fn keep(&self, target: &Target) {
        let node = self.node.writable().map_err(|error| error.to_string());
        let kept =
            node.and_then(|node| endings::keep(&endings::directory(&node.run_dir), &target.address, &self.ending));
        if let Err(reason) = kept {
            exit::warn(&format!(
                "{}: status and doctor will not know that it is to end: {reason}",
                target.called
            ));
        }
    }
}

fn say(news: News, target: &Target, id: u32, lingers_after: Duration) {
    exit::note(&match news {
        News::Waits => format!("{}: service {id} is in use; waiting for its end\n", target.called),
        News::Lingers => format!(
            "{}: service {id} lingers: its end is refused for more than {} s; still waiting\n",
            target.called,
            lingers_after.as_secs()
        ),
    });
}

fn may_be_deleted<'a>(target: &Target, services: &'a [Service], id: u32) -> anyhow::Result<&'a Service> {
    let Some(service) = services.iter().find(|service| service.id() == id) else {
        let there_is: Vec<String> = services.iter().map(|service| service.id().to_string()).collect();
        bail!(
            "{} has no service {id}; it has {}: cxi-device-plugin services list {}",
            target.called,
            there_is.join(", "),
            target.address
        );
    };
    if let Origin::Configfs(name) = &service.origin {
        bail!(
            "service {id} of {} is a group of configfs: rmdir /sys/kernel/config/cxi/{}/rgroup/{}",
            target.called,
            target.cxi,
            name.as_deref().unwrap_or("NAME")
        );
    }
    if service.descriptor.system {
        bail!(
            "service {id} of {} is of the host's own software, such as the retry handler: it ends with that",
            target.called
        );
    }
    Ok(service)
}

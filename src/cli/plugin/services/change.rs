//! `services delete`: the end of a service.

use std::time::Duration;

use anyhow::{anyhow, bail};

use super::args::DeleteArgs;
use super::targets::{Target, Targets};
use crate::cli::exit::{self, Ended};
use crate::cli::terminal::output;
use crate::host::device::commands::Commands;
use crate::host::device::work::{self, RealClock};
use crate::host::device::{asking, groups, survey};
use crate::model::services::descriptor::DEFAULT_SERVICE;
use crate::model::services::refused::Refused;
use crate::model::services::retry::{LINGERS_AFTER, News, Retry};
use crate::model::services::service::{Origin, Service};

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
    for (target, services) in found {
        may_be_deleted(
            &target,
            &services.map_err(|refused| anyhow!("{}: {refused}", target.called))?,
            id,
        )?;
    }
    let wait = Duration::from_secs(args.wait);
    let ended = targets.ask(
        chosen,
        wait.saturating_add(asking::PATIENCE),
        move |commands, target| {
            let retry = Retry::new(LINGERS_AFTER, Some(wait));
            work::destroy(commands, id, retry, &RealClock::default(), &mut |news| {
                say(news, target, id);
            })
        },
    );
    for (target, result) in ended {
        match result {
            Ok(()) => output::line(&format!("{}: service {id} is gone", target.called))?,
            Err(refused) if refused.is_busy() => bail!(
                "{}: service {id} is still in use after {} s: see by whom with fuser -v /dev/{}; what a job has left behind \
                 may last for minutes",
                target.called,
                args.wait,
                target.cxi
            ),
            Err(refused) => bail!("{}: {refused}", target.called),
        }
    }
    Ok(Ended::Done)
}

/// Ends one that was made a moment ago.
pub(super) fn end_at_once(commands: Commands<'_>, id: u32) -> Result<(), Refused> {
    let wait = Duration::from_secs(5);
    let retry = Retry::new(wait, Some(wait));
    work::destroy(commands, id, retry, &RealClock::default(), &mut |_| {})
}

fn say(news: News, target: &Target, id: u32) {
    exit::note(&match news {
        News::Waits => format!("{}: service {id} is in use; waiting for its end\n", target.called),
        News::Lingers => format!(
            "{}: service {id} lingers: in use for {} minutes; still waiting\n",
            target.called,
            LINGERS_AFTER.as_secs() / 60
        ),
    });
}

fn may_be_deleted(target: &Target, services: &[Service], id: u32) -> anyhow::Result<()> {
    let Some(service) = services.iter().find(|service| service.id() == id) else {
        let there_is: Vec<String> = services.iter().map(|service| service.id().to_string()).collect();
        bail!("{} has no service {id}; it has {}", target.called, there_is.join(", "));
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
    Ok(())
}

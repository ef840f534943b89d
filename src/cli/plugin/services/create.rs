//! `services create`: a service as a file describes it, on each of the NICs or on none.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, bail};
use serde::Serialize;

use super::args::CreateArgs;
use super::change;
use super::targets::{Target, Targets};
use crate::cli::exit::{self, Ended};
use crate::cli::terminal::output::{self, Audience};
use crate::host::device::asking;
use crate::host::device::ending::RealClock;
use crate::host::device::work::{self, CreateError};
use crate::host::files::read;
use crate::model::services::answers::AllocAnswer;
use crate::model::services::create::{Step, steps};
use crate::model::services::descriptor::{Limit, Member, Resource};
use crate::model::services::refused::{Refused, errno};
use crate::model::services::room;
use crate::model::services::service::VniRange;
use crate::model::services::template::{self, Wanted};

/// Far above what describes a service.
const LIMIT: u64 = 65_536;

/// A service that was made, for programs.
#[derive(Debug, Serialize)]
struct Made {
    address: String,
    cxi: String,
    id: u32,
}

/// One that would be made, for programs.
#[derive(Debug, Serialize)]
struct Planned {
    /// PCI addresses.
    nics: Vec<String>,
    /// Null: everybody.
    members: Option<Vec<Member>>,
    /// Null: not by single VNIs.
    vnis: Option<Vec<u16>>,
    vni_range: Option<VniRange>,
    restricted_tcs: bool,
    traffic_classes: Vec<&'static str>,
    exclusive_cp: bool,
    resource_limits: bool,
    limits: BTreeMap<&'static str, Limit>,
    /// What follows on making it.
    then: Vec<String>,
}

impl Planned {
    fn new(wanted: &Wanted, targets: &[Target]) -> Self {
        let descriptor = &wanted.descriptor;
        let members = descriptor
            .members
            .iter()
            .copied()
            .chain(wanted.netns.map(Member::Netns));
        let limits = Resource::ALL
            .iter()
            .map(|resource| resource.plural())
            .zip(descriptor.limits);
        Self {
            nics: targets.iter().map(|target| target.address.clone()).collect(),
            members: descriptor.restricted_members.then(|| members.collect()),
            vnis: descriptor.restricted_vnis.then(|| descriptor.vnis.clone()),
            vni_range: wanted.vni_range,
            restricted_tcs: descriptor.restricted_tcs,
            traffic_classes: descriptor.traffic_classes(),
            exclusive_cp: wanted.exclusive_cp,
            resource_limits: descriptor.resource_limits,
            limits: limits.filter(|_| descriptor.resource_limits).collect(),
            then: steps(wanted).into_iter().map(Step::words).collect(),
        }
    }
}

/// Makes it.
pub(super) fn run(args: &CreateArgs) -> anyhow::Result<Ended> {
    let file = args.file.display();
    let text = read::text_within_or_piped(&args.file, LIMIT).with_context(|| format!("cannot read {file}"))?;
    let wanted = template::parse(&text).with_context(|| format!("{file} describes no service"))?;
    for remark in &wanted.remarks {
        exit::warn(&format!("{file}: {remark}"));
    }
    let targets = Targets::find(&args.node)?;
    let chosen = targets.named(&args.nics)?;
    if args.dry_run {
        return match args.output {
            Audience::Table => output::raw(&planned(&wanted, &chosen)),
            Audience::Json => output::json(&Planned::new(&wanted, &chosen)),
        }
        .map(|()| Ended::Done);
    }
    let asked = wanted.clone();
    let made = targets.ask(chosen, asking::PATIENCE, move |commands, _| {
        // Whether it came to be is for the caller to judge: not every failure is one command's.
        Ok(work::create(commands, &asked, &RealClock::default()))
    });
    let mut done = Vec::new();
    let mut failed = 0;
    for (target, result) in made {
        match result {
            Ok(Ok(id)) => done.push((target, id)),
            Ok(Err(error)) => {
                failed += 1;
                exit::warn(&format!("{}: {}", target.called, words(&error)));
            }
            Err(refused) => {
                failed += 1;
                let made = match refused {
                    Refused::Hangs(_) => format!(
                        "; whether it has made one is for it to say once it answers: cxi-device-plugin services list {}",
                        target.address
                    ),
                    _ => String::new(),
                };
                exit::warn(&format!("{}: {refused}{made}", target.called));
            }
        }
    }
    if failed > 0 {
        let left = take_back(&targets, done);
        bail!(
            "the service was not made: {failed} of {} NICs refused it{left}",
            args.nics.len()
        );
    }
    said(args.output, &done)?;
    Ok(Ended::Done)
}

fn said(audience: Audience, done: &[(Target, u32)]) -> anyhow::Result<()> {
    if audience == Audience::Json {
        let made = done.iter().map(|(target, id)| Made {
            address: target.address.clone(),
            cxi: target.cxi.to_string(),
            id: *id,
        });
        return output::json(&made.collect::<Vec<_>>());
    }
    for (target, id) in done {
        output::line(&format!("{}: service {id} is made", target.called))?;
    }
    Ok(())
}

/// What some NICs have made is taken back where another one has refused.
fn take_back(targets: &Targets, done: Vec<(Target, u32)>) -> String {
    let mut left = String::new();
    for (target, id) in done {
        let ended = targets.ask(vec![target], asking::PATIENCE, move |commands, _| {
            change::end_at_once(commands, id)
        });
        for (target, result) in ended {
            if let Err(refused) = result {
                // A write to a text does not fail.
                let _ = write!(
                    left,
                    "; service {id} of {} is left behind ({refused}): cxi-device-plugin services delete {} {id}",
                    target.called, target.address
                );
            }
        }
    }
    left
}

/// Why there is none, and what to do.
fn words(error: &CreateError) -> String {
    match error {
        CreateError::Alloc(refused, answer) => format!("{refused}{}", missing(refused, answer)),
        CreateError::Undone(step, refused) => {
            format!("{refused}, when it was to {}; it is taken back", step.words())
        }
        CreateError::Left {
            id,
            step,
            refused,
            kept,
        } => format!(
            "{refused}, when it was to {}; service {id} is left behind, off, as it cannot be ended: {kept}",
            step.words()
        ),
    }
}

/// What the driver says it lacked.
fn missing(refused: &Refused, answer: &AllocAnswer) -> String {
    if refused.number() != Some(errno::ENOSPC) {
        return String::new();
    }
    if answer.no_tle_pools {
        return format!(
            ": the {} pools of trigger list entries are taken; a service that says it wants none (resource_limits: 1, no TLEs) \
             takes none",
            room::TLE_POOLS
        );
    }
    if answer.no_le_pools {
        return ": no pool of list entries is left; a service that reserves none (LEs with res: 0) takes none"
            .to_owned();
    }
    let left = Resource::ALL.iter().zip(answer.available);
    let left: Vec<String> = left
        .filter(|(_, count)| *count > 0)
        .map(|(resource, count)| format!("{count} {}", resource.plural()))
        .collect();
    match left.as_slice() {
        [] => String::new(),
        left => format!(": left to reserve are {}", left.join(", ")),
    }
}

/// For people, before it is done.
fn planned(wanted: &Wanted, targets: &[Target]) -> String {
    let descriptor = &wanted.descriptor;
    let called: Vec<&str> = targets.iter().map(|target| target.called.as_str()).collect();
    let members: Vec<String> = descriptor
        .members
        .iter()
        .map(|member| match member {
            Member::Uid(id) => format!("uid {id}"),
            Member::Gid(id) => format!("gid {id}"),
            Member::Netns(id) | Member::Unknown(id) => format!("{id}"),
        })
        .chain(wanted.netns.map(|netns| format!("netns {netns}")))
        .collect();
    let mut text = format!("would make a service on {}\n", called.join(", "));
    let mut row = |name: &str, value: String| text += &format!("  {name:<16} {value}\n");
    row(
        "for",
        match descriptor.restricted_members {
            true => members.join(", "),
            false => "everybody".to_owned(),
        },
    );
    row(
        "VNIs",
        match wanted.vni_range {
            Some(range) => format!("{}-{}", range.first, range.last),
            None => {
                let vnis = descriptor.vnis.iter().map(ToString::to_string);
                vnis.collect::<Vec<_>>().join(", ")
            }
        },
    );
    row(
        "traffic classes",
        match descriptor.restricted_tcs {
            true => descriptor.traffic_classes().join(", "),
            false => "all".to_owned(),
        },
    );
    if descriptor.resource_limits {
        let limits = Resource::ALL.iter().zip(descriptor.limits);
        let limits = limits.map(|(resource, limit)| format!("{} {}/{}", resource.plural(), limit.reserved, limit.max));
        row("reserved/most", limits.collect::<Vec<_>>().join(", "));
    }
    for step in steps(wanted) {
        row("then", step.words());
    }
    text
}

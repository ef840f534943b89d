//! What is done to services: switched, made; how they end is in [`ending`]. Whatever is said to be done has been looked at afterwards.

use std::time::Duration;

use super::commands::Commands;
use super::ending::{self, Clock};
use crate::model::services::answers::AllocAnswer;
use crate::model::services::create::{self, Step};
use crate::model::services::refused::Refused;
use crate::model::services::retry::Retry;
use crate::model::services::service::VniRange;
use crate::model::services::template::Wanted;

/// How a switch came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switched {
    /// It is as it should be now.
    Done,
    /// It was so before; nothing was sent.
    AlreadySo,
}

/// Switches a service on or off, unless it is.
///
/// # Errors
/// The driver refuses, or says yes and does not do it.
pub fn switch(commands: Commands<'_>, id: u32, on: bool) -> Result<Switched, Refused> {
    if commands.service(id)?.enabled == on {
        return Ok(Switched::AlreadySo);
    }
    commands.enable(id, on)?;
    if commands.service(id)?.enabled == on {
        Ok(Switched::Done)
    } else {
        Err(Refused::Odd {
            command: "SVC_ENABLE",
            reason: "accepted, and without effect".to_owned(),
        })
    }
}

/// Why there is no new service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateError {
    /// It was not made.
    Alloc(Refused, AllocAnswer),
    /// It was made, could not be completed, and is gone again.
    Undone(Step, Refused),
    /// The same, and it could not be taken back: it is off, where that could be done.
    Left {
        /// Its number.
        id: u32,
        /// What could not be done.
        step: Step,
        /// Why.
        refused: Refused,
        /// Why it is still there.
        kept: Refused,
    },
}

/// Makes a service with all that belongs to it, or none.
///
/// # Errors
/// Something was refused.
pub fn create(commands: Commands<'_>, wanted: &Wanted, clock: &dyn Clock) -> Result<u32, CreateError> {
    let id = commands
        .alloc(&wanted.descriptor)
        .map_err(|(refused, answer)| CreateError::Alloc(refused, answer))?;
    for step in create::steps(wanted) {
        if let Err(refused) = take(commands, id, step) {
            return Err(take_back(commands, id, clock).map_or_else(
                |kept| CreateError::Left {
                    id,
                    step,
                    refused: refused.clone(),
                    kept,
                },
                |()| CreateError::Undone(step, refused.clone()),
            ));
        }
    }
    Ok(id)
}

fn take(commands: Commands<'_>, id: u32, step: Step) -> Result<(), Refused> {
    match step {
        Step::Disable => commands.enable(id, false),
        Step::Enable => commands.enable(id, true),
        Step::SetNetns(netns) => commands.set_netns(id, netns),
        Step::SetVniRange { first, last } => commands.set_vni_range(id, VniRange { first, last }),
        Step::SetExclusiveCp => commands.set_exclusive_cp(id, true),
    }
}

/// How long a service that was made a moment ago may be in use by somebody who was as quick.
const TAKE_BACK: Duration = Duration::from_secs(5);

fn take_back(commands: Commands<'_>, id: u32, clock: &dyn Clock) -> Result<(), Refused> {
    // Nobody shall begin to use it; if it is in use, this is refused, and the next try of the end may succeed.
    let _ = commands.enable(id, false);
    ending::destroy(commands, id, Retry::new(TAKE_BACK, Some(TAKE_BACK)), clock, &mut |_| {})
}

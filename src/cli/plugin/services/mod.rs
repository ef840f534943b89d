//! `services`: the CXI services of the NICs, seen and changed by the driver's own commands.

mod args;
mod change;
mod create;
mod default_service;
mod help;
mod list;
mod ours;
mod targets;

use self::args::Action;
pub use self::args::ServicesArgs;
pub use self::help::SERVICES;
use crate::cli::exit::Ended;

/// Does what is asked for; lists without a word for it.
pub fn run(args: &ServicesArgs) -> anyhow::Result<Ended> {
    match &args.action {
        None => list::run(&args.list, &[]),
        Some(Action::List(list)) => list::run(&list.list, &list.nics),
        Some(Action::EnableDefault(args)) => default_service::enable(args),
        Some(Action::DisableDefault(args)) => default_service::disable(args),
        Some(Action::Create(args)) => create::run(args),
        Some(Action::Delete(args)) if args.ours => ours::delete(args),
        Some(Action::Delete(args)) => change::delete(args),
    }
}

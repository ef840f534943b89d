//! The spec that this node would get now.

use anyhow::anyhow;

use super::args::SpecArgs;
use super::report;
use crate::host::files::roots::Roots;
use crate::host::nics::scan::Scanner;
use crate::model::cdi::model::Spec;
use crate::model::cdi::render::Policy;
use crate::model::cdi::{netdev_view, render};
use crate::model::nic::inventory::Inventory;
use crate::model::nic::selection::Selection;

/// Looks at the node, says what is unusual about it, and renders; none when no NIC is usable.
pub fn spec(args: &SpecArgs) -> anyhow::Result<Option<Spec>> {
    let roots = Roots::new(&args.host.roots)?;
    let mut policy = args.host.policy()?;
    let scanned = Scanner::new(roots, args.host.libraries()?).scan();
    let mut inventory =
        scanned.map_err(|read_error| anyhow!("cannot look for NICs, so all stays as it was: {read_error}"))?;
    let problems = netdev_view::problems(&inventory, policy.netdev_view);
    inventory.problems.extend(problems);
    policy.naming = args.naming();
    policy.selection = Selection::new(args.functions, &args.device, &inventory)?;
    refuse_unnameable(&inventory, &policy)?;
    report::inventory(&inventory, &policy.selection, args.verbose);
    Ok(render::spec(&inventory, &policy))
}

/// A spec without some of the libraries that were asked for would be taken for a whole one.
pub fn refuse_unnameable(inventory: &Inventory, policy: &Policy) -> anyhow::Result<()> {
    match render::problems(inventory, policy).into_iter().next() {
        None => Ok(()),
        Some(problem) => Err(anyhow!("{}: {}", problem.path.display(), problem.reason)),
    }
}

//! Services that were made for pods: which they are, and their end.

use std::time::Duration;

use anyhow::bail;
use serde::Serialize;

use super::args::DeleteArgs;
use crate::cli::exit::Ended;
use crate::cli::terminal::output::{self, Audience};
use crate::host::files::isolation::directory;
use crate::host::files::roots::Roots;
use crate::isolation::clear::clear;
use crate::isolation::ledger_file::LedgerFile;
use crate::model::isolation::ledger::{Entry, Ledger};
use crate::model::isolation::pod::Sandbox;
use crate::model::services::service::Service;

/// The pod of one service, for programs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct OfPod {
    pub(super) service: u32,
    #[serde(flatten)]
    pub(super) sandbox: Sandbox,
}

/// Which of these services are of pods; none where that is not known.
pub(super) fn of_pods(roots: &Roots, address: &str, services: &[Service]) -> Vec<OfPod> {
    let ledger = address
        .parse()
        .ok()
        .and_then(|address| LedgerFile::new(&directory(roots), address).read().ok().flatten());
    let ledger = ledger.unwrap_or_else(|| Ledger::of_life(""));
    let its = |service: &Service| {
        let Entry { sandbox, .. } = ledger.owner(service)?;
        Some(OfPod {
            service: service.id(),
            sandbox: sandbox.clone(),
        })
    };
    services.iter().filter_map(its).collect()
}

/// For programs.
#[derive(Serialize)]
struct Gone {
    gone: usize,
}

/// Ends them all.
pub(super) fn delete(args: &DeleteArgs) -> anyhow::Result<Ended> {
    let node = args.node.configured()?;
    let roots = Roots::new(&node.roots)?;
    let cleared = clear(&roots, &directory(&roots), Duration::from_secs(args.wait))?;
    match args.output {
        Audience::Json => output::json(&Gone { gone: cleared.gone })?,
        Audience::Table => output::line(&format!("{} services of pods are gone", cleared.gone))?,
    }
    let left = cleared.left.iter().flat_map(|nic| {
        nic.services.iter().map(move |service| {
            let number = service
                .service
                .map_or("a service".to_owned(), |id| format!("service {id}"));
            format!(
                "{}: {number} of pod {} is {}",
                nic.address, service.sandbox, service.state
            )
        })
    });
    let failed = cleared.failed.iter().map(|(nic, refused)| format!("{nic}: {refused}"));
    let left: Vec<String> = left.chain(failed).collect();
    if left.is_empty() {
        Ok(Ended::Done)
    } else {
        bail!("not all of them are gone: {}", left.join("; "))
    }
}

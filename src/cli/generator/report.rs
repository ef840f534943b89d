//! What was found, for people.

use crate::cli::exit;
use crate::cli::terminal::nic_table;
use crate::cli::terminal::output::visible;
use crate::model::health::SharedNids;
use crate::model::libs::choice::{LibraryChoice, PassedOver};
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::nic::selection::Selection;
use crate::model::reading::{ReadError, Reading};
use crate::model::status::NicStatus;

/// Writes the problems, from verbosity 1 on the NICs, and from 2 on every value that could not be read.
pub fn inventory(inventory: &Inventory, selection: &Selection, verbosity: u8) {
    for problem in &inventory.problems {
        exit::warn(problem);
    }
    for nic in &inventory.nics {
        if let Some(reason) = unusable(nic, selection) {
            exit::warn(&format!("{} gets no device name: {reason}", nic.address));
        }
    }
    if verbosity > 0 {
        exit::note(&nics(inventory, selection));
    }
    if verbosity > 1 {
        inventory.library_choices.iter().for_each(library_choice);
        for nic in &inventory.nics {
            for read_error in read_errors(nic) {
                exit::note(&(visible(&format!("{}: unknown: {read_error}", nic.address)) + "\n"));
            }
        }
    }
}

/// Where a library was taken from, and where not.
fn library_choice(choice: &LibraryChoice) {
    let LibraryChoice {
        soname,
        directory,
        because,
        ..
    } = choice;
    let taken = format!("{soname}: taken from {}: {}", directory.display(), because.of_taken());
    let passed_over = choice.passed_over.iter().map(|other| {
        let PassedOver { directory, reason } = other;
        format!("{soname}: passed over: {}: {reason}", directory.display())
    });
    for line in std::iter::once(taken).chain(passed_over) {
        exit::note(&(visible(&line) + "\n"));
    }
}

/// Why a NIC is not in the spec, unless it is by choice.
fn unusable(nic: &Nic, selection: &Selection) -> Option<String> {
    if selection.is_by_choice(nic) {
        return None;
    }
    let no_node = || nic.node.as_ref().err().map(ToString::to_string);
    selection.withheld(nic).or_else(no_node)
}

fn nics(inventory: &Inventory, selection: &Selection) -> String {
    // Nobody remembers anything here, nor asks what time it is.
    let shared_nids = SharedNids::of(&inventory.nics);
    let statuses = inventory
        .nics
        .iter()
        .map(|nic| NicStatus::fresh(nic, &shared_nids, selection.withheld(nic), 0));
    nic_table::nics(&statuses.collect::<Vec<_>>())
}

fn read_errors(nic: &Nic) -> Vec<&ReadError> {
    fn why<T>(reading: &Reading<T>) -> Option<&ReadError> {
        reading.as_ref().err()
    }
    let netdev = nic.netdev.as_ref().ok().and_then(Option::as_ref);
    let of_nic = [
        why(&nic.generation),
        why(&nic.driver),
        why(&nic.cxi),
        why(&nic.node),
        why(&nic.netdev),
        why(&nic.numa_node),
        why(&nic.pci_directory),
        why(&nic.enable_count),
        why(&nic.config_vendor),
        why(&nic.link),
        why(&nic.nid),
        why(&nic.retry_handler_eq),
        why(&nic.platform),
        why(&nic.speed_mbps),
        why(&nic.driver_revision),
    ];
    let of_netdev = netdev.map(|netdev| {
        [
            why(&netdev.mac),
            why(&netdev.addr_assign_type),
            why(&netdev.operstate),
            why(&netdev.carrier),
        ]
    });
    of_nic
        .into_iter()
        .chain(of_netdev.into_iter().flatten())
        .flatten()
        .collect()
}

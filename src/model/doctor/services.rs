//! Kubelet, and our own daemon and unit.

use super::facts::{NodeFacts, TextFile};
use super::finding::{Evidence, Examination, FindingId, Level};
use crate::model::status::KubeletState;
use crate::model::unit_sandbox::{Access, Need, UnitSandbox};

/// How kubevirt's device-plugin-manager, which the Go plugin is built with, names the socket of `beta.hpe.com/cxi`.
const GO_PLUGIN: &str = "beta.hpe.com_cxi";

pub(super) fn examine(facts: &NodeFacts, examination: &mut Examination) {
    kubelet(facts, examination);
    configuration(facts, examination);
    unit(facts, examination);
    sandbox(facts, examination);
    status(facts, examination);
}

fn kubelet(facts: &NodeFacts, examination: &mut Examination) {
    let kubelet = &facts.kubelet;
    let Some(entries) = examination.known("kubelet's directory", &kubelet.entries) else {
        return;
    };
    if let Some(process) = &kubelet.process
        && !facts.has_kubelet()
    {
        examination.found(
            (FindingId::KubeletSocketMissing, Level::Problem),
            kubelet.directory.display(),
            "kubelet runs, but its socket is not here, so no device plugin can register",
            vec![
                Evidence::new(&process.path, format!("kubelet, of {}", process.unit)),
                Evidence::new(kubelet.directory.join("kubelet.sock"), "missing"),
            ],
            // No search for a socket of that name: anybody can make one.
            format!(
                "see what it says of its device plugins: journalctl -b -u {0} ; systemctl cat {0} ; if its directory is another \
                 one, and root's alone: cxi-device-plugin --kubelet-dir DIR",
                process.unit
            ),
        );
    }
    if entries.iter().any(|name| name == GO_PLUGIN) {
        examination.found(
            (FindingId::KubeletOtherPlugin, Level::Warning),
            GO_PLUGIN,
            "the socket of the Go plugin (HPE's cxi-k8s-device-plugin): two plugins take one resource from each other",
            vec![Evidence::new(kubelet.directory.join(GO_PLUGIN), "socket")],
            "kubectl get daemonset -A | grep cxi ; delete that one. If it is gone already, remove the socket",
        );
    }
}

/// Places that the daemon is told of and its unit keeps it from.
fn sandbox(facts: &NodeFacts, examination: &mut Examination) {
    let daemon = &facts.daemon;
    let unit = UnitSandbox::read(daemon.unit_files.iter().filter_map(TextFile::known));
    let needs: Vec<&Need> = daemon.needs.iter().chain(unit.flags()).collect();
    let Some(drop_in) = unit.drop_in(needs.iter().copied()) else {
        return;
    };
    let denied: Vec<&Need> = needs.into_iter().filter(|need| unit.denies(need)).collect();
    let names: Vec<&str> = denied.iter().map(|need| need.told_by.as_str()).collect();
    let evidence = denied.iter().map(|need| {
        let access = match need.access {
            Access::Read => "hidden",
            Access::Write => "not writable",
        };
        Evidence::new(&need.path, format!("{access} for the service ({})", need.told_by))
    });
    examination.found(
        (FindingId::UnitSandbox, Level::Warning),
        "cxi-device-plugin.service",
        format!("its sandbox keeps the daemon from {}", names.join(", ")),
        evidence.collect(),
        format!("systemctl edit cxi-device-plugin, and write:\n{drop_in}"),
    );
}

fn configuration(facts: &NodeFacts, examination: &mut Examination) {
    if facts.configuration_problems.is_empty() {
        return;
    }
    examination.found(
        (FindingId::ConfigurationInvalid, Level::Problem),
        "cxi-device-plugin",
        "the daemon does not start with this configuration; one that runs goes on with its former one. The defaults are \
         assumed here",
        facts.configuration_problems.clone(),
        "cxi-device-plugin check-config",
    );
}

/// Only kubelet needs the daemon; podman does without.
fn unit(facts: &NodeFacts, examination: &mut Examination) {
    let daemon = &facts.daemon;
    let Some(wanted_by) = examination.known("unit", &daemon.wanted_by) else {
        return;
    };
    let is_wanted = wanted_by.is_some() && !daemon.is_masked();
    let unit: Vec<Evidence> = (daemon.unit.iter().map(|unit| Evidence::new(unit, "unit")))
        .chain(wanted_by.iter().map(|link| Evidence::new(link, "link")))
        .collect();
    let runs = daemon.pid.is_some();
    if let Some(reason) = &daemon.unseen
        && !runs
    {
        // Without it nothing can be said of what should run.
        return examination.unknown("whether the daemon runs", reason);
    }
    let (id, level, what, remedy) = match (&daemon.unit, is_wanted, runs) {
        (_, true, false) => (
            FindingId::DaemonNotRunning,
            Level::Problem,
            "the unit is enabled, but nothing runs: NICs are not offered to kubelet",
            "systemctl status cxi-device-plugin ; journalctl -u cxi-device-plugin -b ; systemctl start cxi-device-plugin",
        ),
        (Some(_), false, _) if facts.has_kubelet() => (
            FindingId::UnitNotEnabled,
            Level::Warning,
            "the unit is not enabled: after the next boot NICs are not offered to kubelet",
            "systemctl unmask cxi-device-plugin ; systemctl enable --now cxi-device-plugin",
        ),
        (None, _, false) if facts.has_kubelet() => (
            FindingId::UnitMissing,
            Level::Warning,
            "kubelet is here, but neither a unit of cxi-device-plugin nor the daemon: NICs are not offered",
            "install the package, then: systemctl enable --now cxi-device-plugin",
        ),
        _ => return,
    };
    examination.found((id, level), "cxi-device-plugin", what, unit, remedy);
}

fn status(facts: &NodeFacts, examination: &mut Examination) {
    let daemon = &facts.daemon;
    if daemon.pid.is_none() {
        return;
    }
    examination.known("status of the daemon", &daemon.status);
    let Some(status) = daemon.known() else { return };
    if let KubeletState::NotRegistered { reason } = &status.kubelet {
        examination.found(
            (FindingId::KubeletNotRegistered, Level::Problem),
            "cxi-device-plugin",
            "the daemon runs, and kubelet does not know it",
            vec![Evidence::new(&daemon.status_file, reason)],
            "journalctl -u cxi-device-plugin -b ; is another plugin registered for the same resource?",
        );
    }
    let lost = status
        .node
        .sources
        .iter()
        .filter_map(|source| Some((source.name.as_str(), source.lost.as_ref()?)));
    let (names, reasons): (Vec<&str>, Vec<&String>) = lost.unzip();
    if names.is_empty() {
        return;
    }
    let evidence = names.iter().zip(reasons);
    examination.found(
        (FindingId::EventSourceLost, Level::Warning),
        names.join(", "),
        "the daemon does not hear of such changes and only finds them at its slow looks",
        evidence
            .map(|(name, reason)| Evidence::new(&daemon.status_file, format!("{name}: {reason}")))
            .collect(),
        "run it in the host's network namespace; raise fs.inotify.max_user_instances and max_user_watches",
    );
}

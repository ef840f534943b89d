//! A node of four NICs, the real device plugin and an emulated kubelet: what each of them sees, step by step. Each step is
//! checked, so that the demonstration fails where the plugin does.

mod output;
pub(crate) mod plugin;

use std::error::Error;
use std::io::Write;
use std::path::Path;

use crate::kubelet::{Device, Kubelet};
use crate::node::{Kind, NicSpec, Node};
use output::{DemoOutput, check};
use plugin::Plugin;

const RESOURCE: &str = "beta.hpe.com/cxi";
/// The NIC that is unplugged and plugged in again.
const MOVED: &str = "0000:61:00.0";
/// The NIC whose link is down.
const DOWN: &str = "0000:e1:00.0";

type Done<T = ()> = Result<T, Box<dyn Error>>;

/// Runs the demonstration with the program at `plugin` and tells it to `out`.
///
/// # Errors
/// What differed from what should be, or could not be done, with the plugin's log.
pub async fn run(plugin: &Path, out: &mut dyn Write) -> Done {
    let folder = crate::node::scratch_dir()?;
    let mut stage = DemoOutput::new(out);
    let log = folder.path().join("daemon.log");
    let shown = show(plugin, folder.path(), &mut stage).await;
    shown.map_err(|error| {
        format!(
            "{error}\nThe daemon's log:\n{}",
            std::fs::read_to_string(log).unwrap_or_default()
        )
        .into()
    })
}

async fn show(program: &Path, folder: &Path, stage: &mut DemoOutput<'_>) -> Done {
    stage.heading("An emulated node: four NICs on two NUMA nodes, one link down")?;
    let specs = [Kind::Cassini1, Kind::Cassini1, Kind::Cassini2, Kind::Cassini2].map(NicSpec::new);
    let node = Node::create(folder.join("node"), &specs)?;
    node.link(DOWN, false)?;
    stage.line(&format!("{} ({})", node.root().display(), node.device_nodes()?))?;

    stage.heading("The daemon starts, finds kubelet and registers")?;
    let kubelet = Kubelet::start(&folder.join("kubelet"))?;
    let mut plugin = Plugin::start(program, folder)?;
    stage.devices(&wait(&kubelet, &[("21", true), ("61", true), ("a1", true), ("e1", false)]).await?)?;
    let spec = plugin.spec()?;
    stage.line("The CDI spec has these names for containers without Kubernetes:")?;
    stage.line(&names_in(&spec).join("  "))?;

    stage.heading(&format!("Why is {DOWN} unhealthy? cxi-device-plugin explain {DOWN}"))?;
    let explained = plugin.ask(node.root(), &["explain", DOWN]).await?;
    let failing = explained.lines().filter(|line| line.contains("  fail  "));
    let (_, remedy) = explained.split_once("What to do:").unwrap_or_default();
    check("the condition that fails", 1, failing.clone().count())?;
    check("a remedy", true, remedy.contains("link: "))?;
    failing
        .chain(["What to do:"])
        .chain(remedy.lines().skip(1))
        .try_for_each(|line| stage.line(line.trim_end()))?;

    stage.heading("What is wrong with the node? cxi-device-plugin doctor")?;
    let findings = plugin.ask(node.root(), &["doctor"]).await?;
    let problem = findings
        .split("\n\n")
        .find(|part| part.starts_with("problem condition-link"));
    stage.text(problem.ok_or_else(|| format!("the doctor does not see it: {findings}"))?)?;

    stage.heading("A pod asks for two NICs and gets two of one NUMA node")?;
    let grant = kubelet.allocate_count(RESOURCE, "pod-a", 2).await?;
    check("the NICs of the pod", &["0000:21:00.0", MOVED][..], &grant.ids)?;
    stage.answer(&grant.response)?;

    stage.heading(&format!("{MOVED} is unplugged"))?;
    node.remove(MOVED)?;
    plugin.look_again()?;
    stage.devices(&wait(&kubelet, &[("21", true), ("a1", true), ("e1", false)]).await?)?;
    plugin
        .wait_for_spec("no name of the lost NIC", |spec| !spec.contains(MOVED))
        .await?;
    stage.line("The CDI spec no longer names it.")?;

    stage.heading(&format!("{MOVED} is plugged in again, and the kernel numbers it anew"))?;
    node.add(&NicSpec::new(Kind::Cassini1).pci(MOVED).netdev("hsn1").numa(0))?;
    plugin.look_again()?;
    stage.devices(&wait(&kubelet, &[("21", true), ("61", true), ("a1", true), ("e1", false)]).await?)?;
    let moved = format!("- name: {MOVED}\n  containerEdits:\n    deviceNodes:\n    - path: /dev/cxi4\n");
    plugin.wait_for_spec(&moved, |spec| spec.contains(&moved)).await?;
    stage.line("Its CDI name is the same and leads to /dev/cxi4 now.")?;

    stage.heading("The daemon is told to end")?;
    let ended = plugin.terminate().await?;
    check("the daemon's exit code", Some(0), ended.code())?;
    check("sockets left behind", Vec::<String>::new(), plugin.sockets_left()?)?;
    plugin.spec()?;
    stage.line("No socket is left behind. The CDI spec stays, as running pods need it.")?;
    let violations: Vec<String> = kubelet.violations().iter().map(ToString::to_string).collect();
    check("what a strict kubelet objects to", Vec::<String>::new(), violations)?;
    stage.end("All checks passed. Next: make test, or the section 'Install' of README.md")
}

/// The names of the devices in a spec.
fn names_in(spec: &str) -> Vec<&str> {
    let names = spec.lines().filter_map(|line| line.strip_prefix("- name: "));
    names.map(|name| name.trim_matches('"')).collect()
}

/// Waits until kubelet sees exactly these NICs, named by their bus, as healthy or not.
async fn wait(kubelet: &Kubelet, expected: &[(&str, bool)]) -> Done<Vec<Device>> {
    let expected: Vec<(String, bool)> = expected
        .iter()
        .map(|(bus, healthy)| (format!("0000:{bus}:00.0"), *healthy))
        .collect();
    let as_expected = |devices: &[Device]| {
        let seen = devices.iter().map(|device| (device.id.clone(), device.is_healthy()));
        seen.eq(expected.iter().cloned())
    };
    let waited = kubelet.wait_for(RESOURCE, output::PATIENCE, as_expected).await;
    waited.map_err(|error| format!("kubelet should see {expected:?}: {error}").into())
}

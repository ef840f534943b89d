//! The emulated kubelet against a fake plugin with good and with bad manners.
#![cfg(test)]

mod fake;
#[path = "kubelet/relay.rs"]
mod relay;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cxi_sim::kubelet::{AllocateError, Device, Kubelet, Rule, Scenario, Settings, Timing, pb};
use fake::{Manners, Plugin, RESOURCE, device, on_node, register, request};
use tempfile::TempDir;
use tonic::{Code, Status};

/// Only an upper bound: nothing waits for it to pass unless the test fails.
const LONG: Duration = Duration::from_secs(30);

struct Node {
    _temp: TempDir,
    dir: PathBuf,
    kubelet: Kubelet,
}

fn node() -> Node {
    node_with(Timing::default())
}

fn node_with(timing: Timing) -> Node {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("device-plugins");
    let settings = Settings {
        timing,
        ..Settings::default()
    };
    let mut kubelet = Kubelet::new(&dir, settings);
    kubelet.boot().unwrap();
    Node {
        _temp: temp,
        dir,
        kubelet,
    }
}

impl Node {
    /// A plugin that has registered and whose list has arrived.
    async fn plugin(&self, endpoint: &str, manners: Manners) -> Plugin {
        let plugin = Plugin::serve(&self.dir, endpoint, manners);
        plugin.register().await.unwrap();
        self.await_listed().await;
        plugin
    }

    async fn await_listed(&self) -> Vec<Device> {
        self.kubelet
            .wait_for(RESOURCE, LONG, |devices| healthy(devices) > 0)
            .await
            .unwrap()
    }

    async fn await_streams(&self, count: usize) {
        assert!(
            self.kubelet
                .wait_until(LONG, |kubelet| kubelet.open_streams(RESOURCE) == count)
                .await
        );
    }

    async fn await_violation(&self, rule: Rule) {
        let has = |kubelet: &Kubelet| kubelet.violations().iter().any(|violation| violation.rule == rule);
        let found = self.kubelet.wait_until(LONG, has).await;
        assert!(found, "{rule:?} is not in {:?}", self.kubelet.violations());
    }

    fn rules(&self) -> Vec<Rule> {
        self.kubelet
            .violations()
            .iter()
            .map(|violation| violation.rule)
            .collect()
    }
}

fn healthy(devices: &[Device]) -> usize {
    devices.iter().filter(|device| device.is_healthy()).count()
}

fn two() -> Manners {
    Manners::good(vec![on_node("0000:21:00.0", 0), on_node("0000:61:00.0", 1)])
}

#[tokio::test]
async fn a_good_plugin_registers_lists_and_allocates() {
    let node = node();
    let plugin = node.plugin("cxi-0a1b2c3d-17-1.sock", two()).await;
    assert_eq!(
        (
            node.kubelet.registrations(RESOURCE),
            node.kubelet.open_streams(RESOURCE)
        ),
        (1, 1)
    );

    let grant = node.kubelet.allocate_count(RESOURCE, "a", 1).await.unwrap();
    assert_eq!(grant.ids, ["0000:21:00.0"]);
    plugin.list(vec![on_node("0000:61:00.0", 1)]);
    let devices = node
        .kubelet
        .wait_for(RESOURCE, LONG, |devices| devices.len() == 1)
        .await
        .unwrap();
    assert_eq!(devices[0].numa, [1]);
    assert_eq!(node.kubelet.violations(), []);

    let lines = node.kubelet.transcript();
    let core: Vec<&str> = lines
        .iter()
        .filter(|line| line.core)
        .map(|line| line.text.as_str())
        .collect();
    let expected = [
        r#"{"event":"kubelet_started"}"#,
        r#"{"event":"registered","resource":"beta.hpe.com/cxi","version":"v1beta1","endpoint":"<socket>","options":{"pre_start_required":false,"get_preferred_allocation_available":false}}"#,
        r#"{"event":"list","resource":"beta.hpe.com/cxi","devices":[{"id":"0000:21:00.0","health":"Healthy","numa":[0]},{"id":"0000:61:00.0","health":"Healthy","numa":[1]}]}"#,
        r#"{"event":"allocate_response","resource":"beta.hpe.com/cxi","containers":[{"envs":{},"annotations":{},"devices":[],"mounts":[],"cdi_devices":["beta.hpe.com/cxi=0000:21:00.0"]}]}"#,
        r#"{"event":"list","resource":"beta.hpe.com/cxi","devices":[{"id":"0000:61:00.0","health":"Healthy","numa":[1]}]}"#,
    ];
    assert_eq!(core, expected);
}

#[tokio::test]
async fn kubelet_itself_refuses_what_it_does_not_have() {
    let node = node();
    let error = node.kubelet.allocate_count(RESOURCE, "a", 1).await.unwrap_err();
    assert!(matches!(error, AllocateError::Unregistered(_)), "{error}");

    let _plugin = node.plugin("x.sock", two()).await;
    node.kubelet.allocate_count(RESOURCE, "a", 1).await.unwrap();
    let error = node
        .kubelet
        .allocate_count(RESOURCE, "b", 2)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("Requested: 2, Available: 1"), "{error}");
    assert!(node.kubelet.release("a"));
    assert_eq!(
        node.kubelet.allocate_count(RESOURCE, "b", 2).await.unwrap().ids.len(),
        2
    );
}

#[tokio::test]
async fn an_error_of_the_plugin_reaches_the_caller() {
    let node = node();
    let allocate = Arc::new(|_| Err(Status::not_found("no NIC nowhere")));
    let _plugin = node.plugin("x.sock", Manners { allocate, ..two() }).await;
    let error = node
        .kubelet
        .allocate(RESOURCE, vec![vec!["nowhere".to_owned()]])
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "rpc error: code = NotFound desc = no NIC nowhere");
}

#[tokio::test]
async fn a_stopped_plugin_leaves_capacity_and_nothing_to_allocate() {
    let node = node();
    let plugin = node.plugin("x.sock", two()).await;
    drop(plugin);
    let devices = node
        .kubelet
        .wait_for(RESOURCE, LONG, |devices| healthy(devices) == 0)
        .await
        .unwrap();
    assert_eq!(devices.len(), 2);
    assert_eq!(node.kubelet.open_streams(RESOURCE), 0);
    let error = node
        .kubelet
        .allocate(RESOURCE, vec![vec!["0000:21:00.0".to_owned()]])
        .await
        .unwrap_err();
    assert!(matches!(error, AllocateError::Stopped(_)), "{error}");
}

#[tokio::test]
async fn a_death_leaves_a_stale_socket_and_a_shutdown_leaves_none() {
    let mut node = node();
    let _plugin = node.plugin("x.sock", two()).await;
    node.kubelet.stop();
    assert!(node.dir.join("kubelet.sock").exists());
    assert!(!fake::kubelet_listens(&node.dir).await);
    let error = node.kubelet.allocate_count(RESOURCE, "a", 1).await.unwrap_err();
    assert!(matches!(error, AllocateError::NotRunning), "{error}");

    node.kubelet.boot().unwrap();
    assert!(fake::kubelet_listens(&node.dir).await);
    assert!(!node.dir.join("x.sock").exists());
    node.kubelet.shutdown();
    assert!(!node.dir.join("kubelet.sock").exists());
}

#[tokio::test]
async fn a_restart_forgets_devices_but_not_what_pods_hold() {
    let mut node = node();
    let plugin = node.plugin("cxi-0a-1-1.sock", two()).await;
    let held = node.kubelet.allocate_count(RESOURCE, "a", 1).await.unwrap().ids;
    node.kubelet.restart().unwrap();
    assert_eq!(
        (node.kubelet.devices(RESOURCE), node.kubelet.registrations(RESOURCE)),
        (vec![], 0)
    );
    let error = node.kubelet.allocate_count(RESOURCE, "b", 1).await.unwrap_err();
    assert!(matches!(error, AllocateError::NoneHealthy(_)), "{error}");

    drop(plugin);
    let _plugin = node.plugin("cxi-0a-1-2.sock", two()).await;
    assert_eq!(node.kubelet.registrations(RESOURCE), 1);
    assert_ne!(node.kubelet.allocate_count(RESOURCE, "b", 1).await.unwrap().ids, held);
    assert_eq!(node.rules(), []);
}

#[tokio::test]
async fn a_forgotten_plugin_can_come_back() {
    let node = node();
    let plugin = node.plugin("x.sock", two()).await;
    assert!(node.kubelet.forget(RESOURCE));
    assert!(!node.kubelet.forget(RESOURCE));
    assert_eq!(healthy(&node.kubelet.devices(RESOURCE)), 0);
    node.await_streams(0).await;
    plugin.register().await.unwrap();
    node.await_listed().await;
    assert_eq!(node.kubelet.registrations(RESOURCE), 2);
    assert_eq!(node.rules(), []);
}

#[tokio::test]
async fn a_lost_connection_ends_a_call_that_waits() {
    let mut node = node();
    let (called, calls) = std::sync::mpsc::channel();
    let (answer, answers) = std::sync::mpsc::channel::<()>();
    let answers = std::sync::Mutex::new(answers);
    let allocate = Arc::new(move |request| {
        called.send(()).unwrap();
        let _ = answers.lock().unwrap().recv();
        Ok(fake::cdi(request))
    });
    let plugin = node.plugin("x.sock", Manners { allocate, ..two() }).await;
    let error = {
        let call = node.kubelet.allocate(RESOURCE, vec![vec!["0000:21:00.0".to_owned()]]);
        let forget = tokio::task::spawn_blocking(move || calls.recv().unwrap());
        let (error, ()) = tokio::join!(call, async {
            forget.await.unwrap();
            assert!(node.kubelet.forget(RESOURCE));
        });
        error.unwrap_err()
    };
    assert!(matches!(error, AllocateError::Plugin(_)), "{error}");
    drop(answer);
    drop(plugin);
    node.kubelet.stop();
}

#[tokio::test]
async fn the_preference_of_the_plugin_counts() {
    let node = node();
    let prefer = Arc::new(|request: pb::PreferredAllocationRequest| {
        let last = request.container_requests[0].available_device_i_ds.last().cloned();
        let response = pb::ContainerPreferredAllocationResponse {
            device_i_ds: last.into_iter().collect(),
        };
        Ok(pb::PreferredAllocationResponse {
            container_responses: vec![response],
        })
    });
    let options = pb::DevicePluginOptions {
        get_preferred_allocation_available: true,
        ..Default::default()
    };
    let _plugin = node
        .plugin(
            "x.sock",
            Manners {
                prefer,
                options,
                ..two()
            },
        )
        .await;
    assert_eq!(
        node.kubelet.allocate_count(RESOURCE, "a", 1).await.unwrap().ids,
        ["0000:61:00.0"]
    );
    assert_eq!(node.rules(), []);
    node.kubelet.release("a");
    // One preferred of two wanted: kubelet fills up, and it is a violation.
    assert_eq!(
        node.kubelet.allocate_count(RESOURCE, "a", 2).await.unwrap().ids.len(),
        2
    );
    assert_eq!(node.rules(), [Rule::PreferredDevices]);
}

#[tokio::test]
async fn wrong_versions_and_names_are_refused_and_counted() {
    let node = node();
    let plugin = Plugin::serve(&node.dir, "x.sock", two());
    let version = pb::RegisterRequest {
        version: "v1alpha".to_owned(),
        ..plugin.request()
    };
    let error = register(&node.dir, version).await.unwrap_err();
    assert_eq!(error.code(), Code::Unknown);
    assert!(error.message().contains(r#""v1alpha" is not supported"#), "{error}");
    let name = pb::RegisterRequest {
        resource_name: "kubernetes.io/cxi".to_owned(),
        ..plugin.request()
    };
    let error = register(&node.dir, name).await.unwrap_err();
    assert!(error.message().contains(r#""kubernetes.io/cxi" is invalid"#), "{error}");
    assert_eq!(
        (
            node.kubelet.registrations(RESOURCE),
            node.kubelet.registrations("kubernetes.io/cxi")
        ),
        (1, 1)
    );
}

fn short_dial() -> Timing {
    Timing {
        dial: Duration::from_millis(200),
        ..Timing::default()
    }
}

#[tokio::test]
async fn registering_before_serving_fails_after_the_dial_timeout() {
    let node = node_with(short_dial());
    let _listens_only = std::os::unix::net::UnixListener::bind(node.dir.join("x.sock")).unwrap();
    let error = register(&node.dir, request("x.sock", Default::default()))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unknown);
    assert!(error.message().starts_with("failed to dial device plugin"), "{error}");
    assert_eq!(node.rules(), [Rule::SocketMode, Rule::NotServing]);
}

#[tokio::test]
async fn an_old_socket_after_a_restart_is_found() {
    let mut node = node_with(short_dial());
    let plugin = node.plugin("x.sock", two()).await;
    node.kubelet.restart().unwrap();
    // The plugin still serves, on a socket that has no name any more.
    let error = plugin.register().await.unwrap_err();
    assert!(error.message().starts_with("failed to dial device plugin"), "{error}");
    assert_eq!(node.rules(), [Rule::SocketMissing, Rule::NotServing]);
}

#[tokio::test]
async fn bad_endpoint_names_are_found() {
    let node = node();
    let plugin = Plugin::serve(&node.dir, ".hidden.sock", two());
    plugin.register().await.unwrap();
    assert_eq!(node.rules(), [Rule::EndpointName]);
}

#[tokio::test]
async fn different_options_are_found() {
    let node = node();
    let plugin = Plugin::serve(&node.dir, "x.sock", two());
    let other = pb::DevicePluginOptions {
        pre_start_required: true,
        ..Default::default()
    };
    register(&node.dir, request("x.sock", other)).await.unwrap();
    assert_eq!(node.rules(), [Rule::OptionsDiffer]);
    drop(plugin);
}

#[tokio::test]
async fn a_second_registration_is_found_and_dies_with_the_first() {
    let node = node();
    let first = node.plugin("x-1.sock", two()).await;
    let second = Plugin::serve(&node.dir, "x-2.sock", two());
    second.register().await.unwrap();
    node.await_streams(2).await;
    assert_eq!(node.rules(), [Rule::DoubleRegistration]);
    // Race A: the end of the first stream disconnects the second plugin, which did nothing.
    drop(first);
    node.await_streams(0).await;
    assert_eq!(healthy(&node.kubelet.devices(RESOURCE)), 0);
}

#[tokio::test]
async fn a_late_first_list_is_found_and_still_taken() {
    let node = node_with(Timing {
        first_list: Duration::from_millis(50),
        ..Timing::default()
    });
    let silent = Manners {
        list: tokio::sync::watch::Sender::new(None),
        ..two()
    };
    let plugin = Plugin::serve(&node.dir, "x.sock", silent);
    plugin.register().await.unwrap();
    node.await_violation(Rule::FirstListLate).await;
    plugin.list(vec![device("a")]);
    node.await_listed().await;
}

/// The rules that one list breaks.
async fn broken_by(devices: Vec<pb::Device>, rule: Rule) {
    let node = node();
    let plugin = Plugin::serve(&node.dir, "x.sock", Manners::good(devices));
    plugin.register().await.unwrap();
    node.await_violation(rule).await;
    assert_eq!(node.rules(), [rule]);
}

#[tokio::test]
async fn bad_lists_are_found() {
    let sick = pb::Device {
        health: "healthy".to_owned(),
        ..device("a")
    };
    broken_by(vec![sick], Rule::HealthWord).await;
    broken_by(vec![device("a"), device("a")], Rule::DuplicateId).await;
    broken_by(vec![on_node("a", 0), device("b")], Rule::MixedTopology).await;
    broken_by(vec![on_node("a", -1)], Rule::NumaNode).await;
    broken_by(vec![device(&"x".repeat(64))], Rule::DeviceId).await;
}

#[tokio::test]
async fn a_list_that_changes_nothing_is_found() {
    let node = node();
    let plugin = node.plugin("x.sock", two()).await;
    plugin.list(vec![on_node("0000:61:00.0", 1), on_node("0000:21:00.0", 0)]);
    node.await_violation(Rule::RepeatedList).await;
}

#[tokio::test]
async fn a_list_above_grpcs_limit_ends_the_stream() {
    let node = node();
    let id = |n: usize| pb::Device {
        id: format!("{n:063}"),
        health: "Unhealthy".to_owned(),
        topology: None,
    };
    let plugin = Plugin::serve(&node.dir, "x.sock", Manners::good((0..60_000).map(id).collect()));
    plugin.register().await.unwrap();
    node.await_violation(Rule::MessageSize).await;
    node.await_streams(0).await;
    assert_eq!(node.kubelet.devices(RESOURCE), []);
}

#[tokio::test]
async fn bad_answers_are_found() {
    let node = node();
    let allocate = Arc::new(|request: pb::AllocateRequest| {
        let mut response = fake::cdi(request);
        response.container_responses.truncate(1);
        response.container_responses[0].cdi_devices[0].name = "cxi0".to_owned();
        Ok(response)
    });
    let _plugin = node.plugin("x.sock", Manners { allocate, ..two() }).await;
    let containers = ["0000:21:00.0", "0000:61:00.0"].map(|id| vec![id.to_owned()]);
    node.kubelet.allocate(RESOURCE, containers.to_vec()).await.unwrap();
    assert_eq!(node.rules(), [Rule::ResponseCount, Rule::CdiName]);
}

#[tokio::test]
async fn no_container_response_at_all_is_an_error() {
    let node = node();
    let allocate = Arc::new(|_| Ok(pb::AllocateResponse::default()));
    let _plugin = node.plugin("x.sock", Manners { allocate, ..two() }).await;
    let error = node.kubelet.allocate_count(RESOURCE, "a", 1).await.unwrap_err();
    assert!(matches!(error, AllocateError::NoResponse(_)), "{error}");
    assert_eq!(node.rules(), [Rule::ResponseCount]);
}

/// Runs a scenario file against a plugin that follows kubelet, and gives the failures and the transcript.
async fn play(file: &Path) -> (Vec<String>, Vec<String>) {
    let scenario = Scenario::from_file(file).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("device-plugins");
    let daemon = tokio::spawn(fake::daemon(
        dir.clone(),
        vec![on_node("0000:21:00.0", 0), on_node("0000:61:00.0", 1)],
    ));
    let outcome = scenario.run(&dir).await;
    daemon.abort();
    let lines = outcome
        .transcript
        .into_iter()
        .filter(|line| line.core)
        .map(|line| line.text)
        .collect();
    (outcome.failures.iter().map(ToString::to_string).collect(), lines)
}

#[tokio::test]
async fn the_ready_scenarios_hold_and_always_give_the_same_transcript() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    for name in ["register.yaml", "restart.yaml", "forget.yaml"] {
        let (failures, lines) = play(&folder.join(name)).await;
        assert_eq!(failures, [""; 0], "{name}: {lines:#?}");
        assert_eq!(play(&folder.join(name)).await.1, lines, "{name}");
    }
}

#[tokio::test]
async fn a_scenario_stops_at_the_first_step_that_does_not_hold() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("s.yaml");
    let text = "resource: beta.hpe.com/cxi\nsteps:\n  - start\n  - await: {healthy: 2}\n  - expect_registrations: 3\n  - stop\n";
    std::fs::write(&file, text).unwrap();
    let (failures, lines) = play(&file).await;
    let expected = "step 3 (expect_registrations 3): expected 3 registrations of beta.hpe.com/cxi, seen: 1";
    assert_eq!(failures, [expected]);
    assert!(!lines.iter().any(|line| line.contains("stopped")), "{lines:?}");
}

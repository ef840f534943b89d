//! What the daemon makes of isolation that does not run.

use std::fs;

use cxi_sim::nri::Runtime;

use crate::common::daemon::{A, DaemonFixture, assert_no_violations, nics, wait_for};

fn fixture(isolation: &str) -> DaemonFixture {
    let host = DaemonFixture::new(&nics(1));
    host.configure(isolation);
    fs::create_dir_all(host.node.root().join("run")).unwrap();
    // For commands beside the daemon.
    let etc = host.node.root().join("etc/cxi-device-plugin");
    fs::create_dir_all(&etc).unwrap();
    fs::write(etc.join("config.toml"), isolation).unwrap();
    host
}

/// What `status` says of it.
fn status(host: &DaemonFixture) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    command.arg("status").arg("--root").arg(host.node.root());
    command.arg("--run-dir").arg(host.path("run"));
    let output: crate::common::Output = command.output().unwrap().into();
    assert_eq!(output.code, 0, "{output:?}");
    let line = output.stdout.lines().find(|line| line.starts_with("isolation:"));
    line.unwrap_or_default().to_owned()
}

/// On the daemon's node, where it looks for it; it makes no service.
fn isolation(host: &DaemonFixture) -> std::process::Child {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    for variable in [
        "SYSFS_ROOT",
        "DEVFS_ROOT",
        "OFI_ROOT",
        "CXI_ROOT",
        "RUNTIME_DIRECTORY",
        "NOTIFY_SOCKET",
    ] {
        command.env_remove(variable);
    }
    command.arg("isolation").arg("--root").arg(host.node.root());
    command.arg("--nri-socket").arg(host.path("nri.sock"));
    command.arg("--config").arg(host.path("config.toml"));
    command.stderr(std::process::Stdio::null()).spawn().unwrap()
}

#[tokio::test]
async fn where_it_is_required_nics_are_healthy_while_it_is_connected() {
    let host = fixture("[isolation]\nrequired = true\n[isolation.vnis]\nblue = \"1024\"\n");
    let kubelet = host.kubelet();
    let daemon = host.start(&[]);
    wait_for(&kubelet, &[(A, false)]).await;
    daemon.wait_for_log("cxi-isolation.service does not run");
    assert_eq!(
        status(&host),
        "isolation: pods get no CXI service: cxi-isolation.service does not run"
    );
    let mut program = isolation(&host);
    for _ in 0..2 {
        let runtime = Runtime::listen(&host.path("nri.sock")).unwrap();
        let plugin = runtime.take_and_tell(&[], &[]).unwrap();
        wait_for(&kubelet, &[(A, true)]).await;
        assert_eq!(
            status(&host),
            "isolation: connected to emulated 1.0, 0 services of pods"
        );
        drop((plugin, runtime));
        wait_for(&kubelet, &[(A, false)]).await;
        let said = status(&host);
        assert!(
            said.starts_with("isolation: pods get no CXI service: not connected: "),
            "{said}"
        );
        daemon.wait_for_log("cxi-isolation.service is not connected to the container runtime");
    }
    program.kill().unwrap();
    program.wait().unwrap();
    assert_no_violations(&kubelet);
    assert!(daemon.terminate().success());
}

#[tokio::test]
async fn where_it_is_only_configured_it_is_a_warning() {
    let host = fixture("[isolation.vnis]\nblue = \"1024\"\n");
    let kubelet = host.kubelet();
    let daemon = host.start(&[]);
    wait_for(&kubelet, &[(A, true)]).await;
    daemon.wait_for_log("pods get no CXI service of their own: cxi-isolation.service does not run");
    assert!(daemon.terminate().success());
}

#[tokio::test]
async fn where_it_is_not_configured_nobody_looks_for_it() {
    let host = fixture("");
    let kubelet = host.kubelet();
    let daemon = host.start(&[]);
    wait_for(&kubelet, &[(A, true)]).await;
    daemon.look();
    assert_eq!(status(&host), "");
    assert!(!daemon.log().contains("isolation"), "{}", daemon.log());
    assert!(daemon.terminate().success());
}

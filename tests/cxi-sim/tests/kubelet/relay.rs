//! A kubelet that stands for a real one hands everything on and records it; here an emulated one plays the real one.

use std::path::PathBuf;

use cxi_sim::kubelet::{Device, Kubelet, RealKubelet, Settings};
use tonic::Code;

use super::LONG;
use super::fake::{self, Manners, Plugin, RESOURCE, on_node};

async fn both_have(kubelets: [&Kubelet; 2], healthy: usize) {
    for kubelet in kubelets {
        let count = |devices: &[Device]| devices.iter().filter(|device| device.is_healthy()).count();
        kubelet
            .wait_for(RESOURCE, LONG, |devices| count(devices) == healthy)
            .await
            .unwrap();
    }
}

/// The core lines, which a real kubelet shows too.
fn core(kubelet: &Kubelet) -> Vec<String> {
    let lines = kubelet.transcript().into_iter();
    lines.filter(|line| line.core).map(|line| line.text).collect()
}

#[tokio::test]
async fn what_plugin_and_kubelet_see_of_each_other_is_recorded_as_kubelet_sees_it() {
    let temp = tempfile::tempdir().unwrap();
    let (front, back) = (temp.path().join("front"), temp.path().join("back"));
    let real = Kubelet::start(&back).unwrap();
    let mut relay = Kubelet::new(
        &front,
        Settings {
            real: Some(RealKubelet {
                dir: back.clone(),
                control: PathBuf::from("/bin/true"),
            }),
            ..Settings::default()
        },
    );
    relay.boot().unwrap();

    let plugin = Plugin::serve(&front, "cxi-0a1b2c3d-17-1.sock", Manners::good(vec![on_node("a", 0)]));
    plugin.register().await.unwrap();
    both_have([&real, &relay], 1).await;
    plugin.list(vec![on_node("a", 0), on_node("b", 1)]);
    both_have([&real, &relay], 2).await;
    real.allocate_count(RESOURCE, "pod", 1).await.unwrap();
    assert_eq!(core(&relay), core(&real));
    assert!(
        core(&relay).last().unwrap().contains("allocate_response"),
        "{:?}",
        core(&relay)
    );

    assert!(relay.forget(RESOURCE));
    both_have([&real, &relay], 0).await;
    plugin.register().await.unwrap_err();
    let next = Plugin::serve(&front, "cxi-0a1b2c3d-17-2.sock", Manners::good(vec![on_node("a", 0)]));
    next.register().await.unwrap();
    both_have([&real, &relay], 1).await;
    assert_eq!((relay.registrations(RESOURCE), real.registrations(RESOURCE)), (3, 2));
    drop(next);
    both_have([&real, &relay], 0).await;
    assert!(real.violations().is_empty(), "{:?}", real.violations());
}

#[tokio::test]
async fn a_refusal_of_the_real_kubelet_reaches_the_plugin() {
    let temp = tempfile::tempdir().unwrap();
    let (front, back) = (temp.path().join("front"), temp.path().join("back"));
    let _real = Kubelet::start(&back).unwrap();
    let real = RealKubelet {
        dir: back,
        control: PathBuf::from("/bin/true"),
    };
    let mut relay = Kubelet::new(
        &front,
        Settings {
            real: Some(real),
            ..Settings::default()
        },
    );
    relay.boot().unwrap();
    let plugin = Plugin::serve(&front, "cxi-0a1b2c3d-17-1.sock", Manners::good(vec![on_node("a", 0)]));
    let mut request = plugin.request();
    request.version = "v9".to_owned();
    let refusal = fake::register(&front, request).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unknown);
    assert!(refusal.message().contains("v9"), "{refusal}");
}

#[test]
fn what_the_control_program_says_is_the_reason() {
    let temp = tempfile::tempdir().unwrap();
    let real = RealKubelet {
        dir: temp.path().to_owned(),
        control: PathBuf::from("/bin/ls"),
    };
    let error = real.have(&["/nosuch"]).unwrap_err().to_string();
    assert!(error.contains("/nosuch"), "{error}");
    real.have(&["/"]).unwrap();
}

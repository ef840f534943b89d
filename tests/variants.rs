//! Every way in which a node differs from the plain one, alone and in pairs, through the real daemon: the bytes of the
//! spec and the list that kubelet gets. `UPDATE_GOLDEN=1` writes the golden files anew; read the difference.
#![cfg(test)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use common::apart;
use common::daemon::{DaemonFixture, PATIENCE, RESOURCE, assert_no_violations};
use cxi_device_plugin::model::cdi::model::{ContainerEdits, Spec};
use cxi_sim::kubelet::Device;
use cxi_sim::node::{NicSpec, Variant};

/// What a node of these NICs shows at the border.
struct Shown {
    devices: Vec<Device>,
    spec: String,
}

async fn show(nics: &[NicSpec]) -> Shown {
    let host = DaemonFixture::new(nics);
    let (mut daemon, kubelet) = (host.start(&[]), host.kubelet());
    let listed = || {
        kubelet
            .transcript()
            .iter()
            .any(|line| line.text.contains("\"event\":\"list\""))
    };
    assert!(
        kubelet.wait_until(PATIENCE, |_| listed()).await,
        "no list from the daemon:\n{}",
        daemon.log()
    );
    assert!(daemon.is_running(), "{}", daemon.log());
    assert_no_violations(&kubelet);
    let shown = Shown {
        devices: kubelet.devices(RESOURCE),
        spec: host.spec(),
    };
    assert_eq!(daemon.terminate().code(), Some(0));
    shown
}

impl Shown {
    fn text(&self) -> String {
        let line = |device: &Device| format!("{} {} {:?}\n", device.id, device.health, device.numa);
        format!(
            "{}---\n{}",
            self.devices.iter().map(line).collect::<String>(),
            self.spec
        )
    }

    fn health(&self) -> BTreeMap<&str, bool> {
        self.devices
            .iter()
            .map(|device| (device.id.as_str(), device.is_healthy()))
            .collect()
    }

    fn named(&self) -> BTreeMap<String, ContainerEdits> {
        if self.spec.is_empty() {
            return BTreeMap::new();
        }
        let spec: Spec = serde_saphyr::from_str(&self.spec).unwrap();
        let count = spec.devices.len();
        let named: BTreeMap<_, _> = spec
            .devices
            .into_iter()
            .map(|device| (device.name, device.container_edits))
            .collect();
        assert_eq!(named.len(), count, "a name twice in:\n{}", self.spec);
        named
    }
}

#[tokio::test]
async fn each_variant_shows_its_golden_list_and_spec() {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/variants");
    for variant in Variant::ALL {
        let (file, shown) = (
            golden.join(format!("{variant}.txt")),
            show(&variant.nics()).await.text(),
        );
        // Every node has it beside its NICs' nodes.
        assert!(
            !shown.contains("cxi_sbl"),
            "{variant}: the link driver's node is handed out"
        );
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, &shown).unwrap();
        }
        assert_eq!(
            shown,
            fs::read_to_string(&file).unwrap(),
            "{variant}: {}",
            variant.summary()
        );
    }
}

#[tokio::test]
async fn in_every_pair_of_variants_neither_touches_the_other() {
    let mut alone = Vec::new();
    for variant in Variant::ALL {
        alone.push((show(&apart(variant, 1)).await, show(&apart(variant, 2)).await));
    }
    let mut pairs = 0;
    for (index, one) in Variant::ALL.into_iter().enumerate() {
        for (offset, other) in Variant::ALL[index..].iter().enumerate() {
            let pair = show(&[apart(one, 1), apart(*other, 2)].concat()).await;
            let (first, second) = (&alone[index].0, &alone[index + offset].1);
            let health: BTreeMap<_, _> = first.health().into_iter().chain(second.health()).collect();
            assert_eq!(pair.health(), health, "{one} beside {other}");
            let topology = first
                .devices
                .iter()
                .chain(&second.devices)
                .all(|device| !device.numa.is_empty());
            assert!(
                pair.devices.iter().all(|device| device.numa.is_empty() != topology),
                "{one} beside {other}"
            );

            let mut named: BTreeMap<_, _> = first.named().into_iter().chain(second.named()).collect();
            let all: Vec<_> = [first, second]
                .iter()
                .flat_map(|shown| shown.named().remove("all"))
                .collect();
            let nodes = all.into_iter().flat_map(|edits| edits.device_nodes).collect();
            named.insert(
                "all".to_owned(),
                ContainerEdits {
                    device_nodes: nodes,
                    ..ContainerEdits::default()
                },
            );
            named.retain(|_, edits| !edits.is_empty());
            assert_eq!(pair.named(), named, "{one} beside {other}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 19 * 20 / 2);
}

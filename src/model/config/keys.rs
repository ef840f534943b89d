//! Every key with its default: a key is one line here.

use std::time::Duration;

use tracing::Level;

use super::cxi_service;
use super::fragment::Table;
use super::inputs::{Effective, Findings, Reader};
use super::settings::{
    CdiSettings, ContainerSettings, DaemonSettings, Enabled, ExportSettings, HealthSettings, HostNetwork,
    IsolationSettings, KubeletSettings, LibrarySettings, LogFormat, LogSettings, LogTarget, RUN_DIR, ResourceSettings,
    RootSettings, Settings,
};
use crate::model::alloc::resource::ResourceName;
use crate::model::alloc::strategy::StrategySetting;
use crate::model::cdi::environment::EnvironmentVariable;
use crate::model::cdi::format::SpecFormat;
use crate::model::cdi::naming::Naming;
use crate::model::cdi::netdev_view::NetdevView;
use crate::model::cdi::render::Expose;
use crate::model::health::{Check, HealthPolicy};
use crate::model::isolation::vni::{VniPlan, Vnis};
use crate::model::libs::library_mode::LibraryMode;
use crate::model::nic::companion::Companion;
use crate::model::nic::numa::NODES;
use crate::model::nic::offer::Functions;
use crate::model::nic::pci::PciAddress;
use crate::model::readiness::START_GRACE;
use crate::model::runtime::places::RuntimeEndpoint;

/// Reads a table as far as it is right.
pub fn read(table: &Table) -> (Settings, Findings) {
    let mut findings = Findings::default();
    let mut top = Reader::new(table, &mut findings);
    let mut settings = Settings {
        exclude: top.get("exclude", Vec::new()),
        daemon: top.table("daemon", daemon),
        roots: top.table("roots", roots),
        kubelet: top.table("kubelet", kubelet),
        runtime_endpoint: top.table("runtime", |runtime| runtime.get("endpoint", RuntimeEndpoint::Auto)),
        cdi: top.table("cdi", cdi),
        libraries: top.table("libraries", libraries),
        container: top.table("container", container),
        strategy: top.table("allocation", |allocation| {
            allocation.get("strategy", StrategySetting::Auto)
        }),
        resource: top.only_table("resource", resource),
        health: top.table("health", health),
        cxi_service: top.table("cxi_service", cxi_service::read),
        export: top.table("export", export),
        isolation: top.table("isolation", isolation),
        numa: top.numbers("numa", numa_node).into_iter().collect(),
        log: top.table("log", logging),
    };
    top.note_unknown();
    cxi_service::unite(&mut settings, &mut findings.effective);
    (settings, findings)
}

/// Every key with its default.
pub fn defaults() -> Vec<Effective> {
    read(&Table::new()).1.effective
}

fn daemon(table: &mut Reader<'_>) -> DaemonSettings {
    DaemonSettings {
        run_dir: table.get("run_dir", RUN_DIR.into()),
        start_grace: table.get("start_grace", START_GRACE),
    }
}

fn roots(table: &mut Reader<'_>) -> RootSettings {
    RootSettings {
        sysfs: table.get("sysfs", "/sys".into()),
        dev: table.get("dev", "/dev".into()),
        ofi: table.get("ofi", None),
        cxi: table.get("cxi", None),
    }
}

fn kubelet(table: &mut Reader<'_>) -> KubeletSettings {
    KubeletSettings {
        enabled: table.get("enabled", Enabled::Auto),
        dir: table.get("dir", "/var/lib/kubelet/device-plugins".into()),
        pod_resources: table.get("pod_resources", "/var/lib/kubelet/pod-resources/kubelet.sock".into()),
    }
}

fn cdi(table: &mut Reader<'_>) -> CdiSettings {
    let usual = Naming::default();
    CdiSettings {
        dir: table.get("dir", "/var/run/cdi".into()),
        format: table.get("format", SpecFormat::Yaml),
        naming: Naming {
            kinds: table.get("names", usual.kinds),
            all: table.get("all", usual.all),
        },
    }
}

fn libraries(table: &mut Reader<'_>) -> LibrarySettings {
    LibrarySettings {
        mode: table.get("mode", LibraryMode::Listed),
        closure_all: table.get("closure_all", false),
        expose: table.get("expose", Expose::LoaderPaths),
        extra: table.get("extra", Vec::new()),
    }
}

fn container(table: &mut Reader<'_>) -> ContainerSettings {
    ContainerSettings {
        devices: table.get("devices", Companion::usual()),
        netdev_view: table.get("netdev_view", NetdevView::Off),
        presets: table.get("presets", Vec::new()),
        environment: table.entries("env", environment),
    }
}

/// One variable of `[container.env]`.
fn environment(key: &str, text: &str) -> Result<EnvironmentVariable, String> {
    EnvironmentVariable::new(key, text).map_err(|error| error.to_string())
}

fn resource(table: &mut Reader<'_>) -> ResourceSettings {
    ResourceSettings {
        name: table.get("name", ResourceName::default()),
        functions: table.table("select", |select| select.get("function", Functions::Pf)),
    }
}

fn health(table: &mut Reader<'_>) -> HealthSettings {
    let poll = table.get("poll", Duration::from_secs(30));
    let mut policy = HealthPolicy::default();
    policy.hold_down = table.get("hold_down", policy.hold_down);
    policy.hold_up = table.get("hold_up", policy.hold_up);
    for check in Check::OF_NIC {
        let action = table.get(check.name(), policy.action(check));
        // Its own name is known to it.
        let _ = policy.set(check.name(), action);
    }
    HealthSettings {
        poll: Some(poll).filter(|poll| !poll.is_zero()),
        policy,
    }
}

fn export(table: &mut Reader<'_>) -> ExportSettings {
    ExportSettings {
        textfile: table.get("textfile", None),
        metrics_socket: table.get("metrics_socket", None),
        nfd_dir: table.get("nfd_dir", None),
        devinfo_dir: table.get("devinfo_dir", None),
    }
}

fn isolation(table: &mut Reader<'_>) -> IsolationSettings {
    IsolationSettings {
        required: table.get("required", false),
        host_network: table.get("host_network", HostNetwork::Ignore),
        vnis: VniPlan::new(table.entries("vnis", vnis)),
    }
}

/// One namespace of `[isolation.vnis]`.
fn vnis(namespace: &str, text: &str) -> Result<(String, Vnis), String> {
    let vnis = text.parse().map_err(|error| format!("'{text}': {error}"))?;
    Ok((namespace.to_owned(), vnis))
}

/// One NIC of `[numa]`.
fn numa_node(key: &str, node: i64) -> Result<(PciAddress, u32), String> {
    let address = key.parse().map_err(|error| format!("{error}"))?;
    let node = u32::try_from(node).ok().filter(|node| *node < NODES);
    let node = node.ok_or_else(|| format!("not the number of a NUMA node, which is 0 to {}", NODES - 1))?;
    Ok((address, node))
}

fn logging(table: &mut Reader<'_>) -> LogSettings {
    LogSettings {
        level: table.get("level", Level::INFO),
        target: table.get("target", LogTarget::Auto),
        format: table.get("format", LogFormat::Text),
    }
}

//! The container-device-interface crate, which runtimes use, as the judge of our specs.
#![cfg(test)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use common::scratch;
use container_device_interface::cache::{self, Cache};
use container_device_interface::spec::{new_spec, parse_spec};
use container_device_interface::spec_dirs::with_spec_dirs;
use container_device_interface::version::minimum_required_version;
use cxi_device_plugin::host::files::roots::{RootArgs, Roots};
use cxi_device_plugin::host::nics::scan::Scanner;
use cxi_device_plugin::model::cdi::environment::EnvironmentVariable;
use cxi_device_plugin::model::cdi::format::{self, SpecFormat};
use cxi_device_plugin::model::cdi::model::{CDI_VERSION, Spec};
use cxi_device_plugin::model::cdi::netdev_view::NetdevView;
use cxi_device_plugin::model::cdi::render::{self, Expose, Policy};
use cxi_device_plugin::model::libs::library_mode::LibraryMode;
use cxi_sim::node::{Kind, NicSpec, Node, Variant};

const WAYS: [(LibraryMode, Expose, NetdevView); 6] = [
    (LibraryMode::Listed, Expose::LoaderPaths, NetdevView::Off),
    (LibraryMode::Listed, Expose::Env, NetdevView::Off),
    (LibraryMode::None, Expose::LoaderPaths, NetdevView::Off),
    (LibraryMode::None, Expose::Env, NetdevView::Off),
    (LibraryMode::Listed, Expose::LoaderPaths, NetdevView::Sysfs),
    (LibraryMode::None, Expose::LoaderPaths, NetdevView::Sysfs),
];

/// The spec of an emulated node with these NICs for each way; none when no NIC is usable.
fn specs(nics: &[NicSpec], environment: &[EnvironmentVariable]) -> Vec<Option<Spec>> {
    let folder = scratch();
    let node = Node::create(folder.path(), nics).unwrap();
    std::os::unix::fs::symlink("/dev/full", node.root().join("dev/xpmem")).unwrap();
    let spec = |(libraries, expose, netdev_view)| {
        let roots = Roots::new(&RootArgs {
            prefix: Some(node.root().to_owned()),
            ..RootArgs::default()
        });
        let policy = Policy {
            expose,
            netdev_view,
            environment: environment.to_vec(),
            ..Policy::default()
        };
        render::spec(&Scanner::new(roots.unwrap(), libraries).scan().unwrap(), &policy)
    };
    WAYS.map(spec).into()
}

/// What the crate says to a file: it must parse strictly, fit the schema, and obey the rules of the specification.
/// Returns the names of the devices and the lowest version that the crate demands for this content.
fn judge(path: &PathBuf) -> Result<(Vec<String>, String)> {
    let raw = parse_spec(path)?;
    let names = new_spec(&raw, path, 0)?.get_devices().into_keys().collect();
    Ok((names, minimum_required_version(&raw)?.to_string()))
}

fn judge_text(directory: &Path, text: &str, format: SpecFormat) -> Result<(Vec<String>, String)> {
    let path = directory.join(format!("hpe.com-cxi.{format}"));
    fs::write(&path, text)?;
    judge(&path)
}

/// Has every spec of such a node judged in both formats; returns how many specs there were.
fn assert_accepted(nics: &[NicSpec], what: &str) -> usize {
    let folder = scratch();
    let specs: Vec<Spec> = specs(nics, &[]).into_iter().flatten().collect();
    for spec in &specs {
        let mut ours: Vec<String> = spec.devices.iter().map(|device| device.name.clone()).collect();
        ours.sort();
        for format in [SpecFormat::Yaml, SpecFormat::Json] {
            let text = format::to_text(spec, format).unwrap();
            let (names, minimum) = judge_text(folder.path(), &text, format)
                .unwrap_or_else(|error| panic!("{what}, {format}: {error:#}\n{text}"));
            assert_eq!(names, ours, "{what}, {format}");
            assert_eq!(minimum, CDI_VERSION, "{what}, {format}: not the lowest version");
            assert_eq!(spec.cdi_version, CDI_VERSION);
        }
    }
    specs.len()
}

#[test]
fn the_spec_of_every_variant_is_accepted() {
    for variant in Variant::ALL {
        let count = assert_accepted(&variant.nics(), &variant.to_string());
        let expected = if variant == Variant::V5 { 0 } else { WAYS.len() };
        assert_eq!(count, expected, "{variant}");
    }
}

#[test]
fn the_spec_of_every_pair_of_variants_is_accepted() {
    let single: Vec<(Variant, NicSpec)> = Variant::ALL
        .into_iter()
        .filter_map(|variant| Some((variant, <[NicSpec; 1]>::try_from(variant.nics()).ok()?)))
        .map(|(variant, [nic])| (variant, nic))
        .collect();
    assert_eq!(single.len(), 14);
    for (n, (first, one)) in single.iter().enumerate() {
        for (second, other) in &single[n..] {
            let count = assert_accepted(&[one.clone(), other.clone()], &format!("{first} beside {second}"));
            let none = *first == Variant::V5 && *second == Variant::V5;
            assert_eq!(count, if none { 0 } else { WAYS.len() }, "{first} beside {second}");
        }
    }
}

#[test]
fn any_environment_that_we_take_is_accepted() {
    let texts = [
        ("A", ""),
        ("OPTS", "a=b=c"),
        ("TRUTH", "yes"),
        ("NUMBER", "0x10"),
        ("TEXT", "ä: - # '\"\n\tx"),
    ];
    let environment = texts.map(|(key, value)| EnvironmentVariable::new(key, value).unwrap());
    let folder = scratch();
    for spec in specs(&[NicSpec::new(Kind::Cassini1)], &environment)
        .into_iter()
        .flatten()
    {
        for format in [SpecFormat::Yaml, SpecFormat::Json] {
            let text = format::to_text(&spec, format).unwrap();
            judge_text(folder.path(), &text, format).unwrap();
            let read = parse_spec(&folder.path().join(format!("hpe.com-cxi.{format}"))).unwrap();
            let read = read.container_edits.unwrap().env.unwrap();
            assert_eq!(read, spec.container_edits.env, "the crate reads what we meant");
        }
    }
}

#[test]
fn a_cache_of_the_crate_offers_exactly_our_names() {
    let folder = scratch();
    let [Some(spec), ..] = &specs(&[NicSpec::new(Kind::Cassini1), NicSpec::new(Kind::Cassini2)], &[])[..] else {
        panic!("no spec");
    };
    fs::write(
        folder.path().join("hpe.com-cxi.yaml"),
        format::to_text(spec, SpecFormat::Yaml).unwrap(),
    )
    .unwrap();
    let cache = cache::new_cache(vec![with_spec_dirs(&[folder.path().to_str().unwrap()])]);
    let mut cache: std::sync::MutexGuard<Cache> = cache.lock().unwrap();
    cache.refresh().unwrap();
    assert!(cache.get_errors().is_empty(), "{:?}", cache.get_errors());
    let mut ours: Vec<String> = spec
        .devices
        .iter()
        .map(|device| format!("hpe.com/cxi={}", device.name))
        .collect();
    ours.sort();
    assert_eq!(cache.list_devices(), ours);
}

/// A judge that accepts everything would prove nothing.
#[test]
fn the_judge_refuses_bad_specs() {
    let folder = scratch();
    let [Some(good), ..] = &specs(&[NicSpec::new(Kind::Cassini1)], &[])[..] else {
        panic!("no spec");
    };
    type Damage = fn(&mut Spec);
    let rows: [(Damage, &str); 9] = [
        (
            |spec| spec.devices[0].container_edits = Default::default(),
            "empty device edits",
        ),
        (|spec| spec.devices.clear(), "no devices"),
        (|spec| spec.devices.push(spec.devices[0].clone()), "multiple device"),
        (|spec| spec.devices[0].name = "-a".into(), "device name"),
        (|spec| spec.cdi_version = "9.9.9".into(), "invalid version"),
        (|spec| spec.cdi_version = "0.4.0".into(), "at least v0.5.0"),
        (|spec| spec.kind = "hpe.com".into(), "name"),
        (|spec| spec.container_edits.env = vec!["=value".into()], "env"),
        (
            |spec| spec.devices[0].container_edits.device_nodes[0].path.clear(),
            "invalid device",
        ),
    ];
    for (damage, reason) in rows {
        let mut bad = good.clone();
        damage(&mut bad);
        for format in [SpecFormat::Yaml, SpecFormat::Json] {
            let text = format::to_text(&bad, format).unwrap();
            let error = format!("{:#}", judge_text(folder.path(), &text, format).expect_err(&text));
            assert!(error.contains(reason), "{reason:?} is not in {error:?}");
        }
    }
    let text = format::to_text(good, SpecFormat::Yaml).unwrap();
    let unknown = text.replace("hostPath: /dev/cxi0", "hostPath: /dev/cxi0\n      colour: red");
    assert_ne!(unknown, text);
    judge_text(folder.path(), &unknown, SpecFormat::Yaml).expect_err("an unknown field");
    judge_text(folder.path(), &text, SpecFormat::Yaml).expect("the good one");
}

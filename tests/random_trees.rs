//! Random damage to one NIC of a node: nothing panics or hangs, and its neighbours notice nothing.
//!
//! `CXI_RANDOM_SEED` repeats a run, `CXI_RANDOM_CASES` says how many cases there are.
#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{scratch, setting};
use cxi_device_plugin::host::files::roots::{RootArgs, Roots};
use cxi_device_plugin::host::nics::scan::Scanner;
use cxi_device_plugin::model::alloc::snapshot::ListedDevice;
use cxi_device_plugin::model::cdi::format::{self, SpecFormat};
use cxi_device_plugin::model::cdi::model::{CdiDevice, Spec};
use cxi_device_plugin::model::cdi::render::{self, Policy};
use cxi_device_plugin::model::libs::library_mode::LibraryMode;
use cxi_device_plugin::model::nic::inventory::{Inventory, Nic};
use cxi_sim::node::{Kind, NicSpec, Node};
use fastrand::Rng;
use nix::sys::stat::Mode;
use tempfile::TempDir;

/// The NIC that is damaged stands between the other two.
const ADDRESSES: [&str; 3] = ["0000:21:00.0", "0000:61:00.0", "0000:a1:00.0"];
const NEIGHBOURS: [&str; 2] = [ADDRESSES[0], ADDRESSES[2]];

/// What is read of a NIC, below its PCI directory.
const READ: [&str; 30] = [
    "vendor",
    "device",
    "driver",
    "numa_node",
    "enable",
    "config",
    "resource0",
    "properties",
    "properties/link",
    "properties/nid",
    "properties/pct_eq",
    "properties/platform",
    "properties/speed",
    "properties/driver_rev",
    "net",
    "net/hsn1",
    "net/hsn1/address",
    "net/hsn1/addr_assign_type",
    "net/hsn1/operstate",
    "net/hsn1/carrier",
    "net/hsn1/speed",
    "cxi_user",
    "cxi_user/cxi1",
    "cxi_user/cxi1/dev",
    "cxi_user/cxi1/device",
    "cxi",
    "cxi/cxi1",
    "cxi/cxi1/device",
    "fru",
    "physfn",
];

/// What is read of a NIC elsewhere.
const ELSEWHERE: [&str; 5] = [
    "sys/bus/pci/devices/0000:61:00.0",
    "sys/class/cxi_user/cxi1",
    "sys/class/cxi/cxi1",
    "sys/class/net/hsn1",
    "dev/cxi1",
];

/// Contents of a file; one of a megabyte is made beside them.
const CONTENTS: [&[u8]; 26] = [
    b"",
    b"\n",
    b"\0",
    b"\x7fELF\x02\x01\x01\0\x80\xff",
    b"\xff\xfe\n",
    "\u{2028}\u{1F980}\n".as_bytes(),
    b"99999999999999999999999999999\n",
    b"18446744073709551615\n",
    b"18446744073709551616\n",
    b"4294967295\n",
    b"4294967296\n",
    b"-1\n",
    b"-2\n",
    b"-9223372036854775808\n",
    b"-99999999999999999999999\n",
    b"0x",
    b"0x\n",
    b"0xffffffffffffffff\n",
    b"0xzz\n",
    b"0x17db\n",
    b"0x1590\n",
    b"0x0501\n",
    b"0x0372\n",
    b"1e9\n",
    b"  7  \n",
    b"7 8\n9\n",
];

/// Names of garbage. None is that of a NIC of the node.
const NAMES: [&[u8]; 15] = [
    b"garbage",
    b"cxi",
    b"cxi01",
    b"cxi+7",
    b"cxi-1",
    b"cxi7",
    b"cxi4294967295",
    b"cxi99999999999",
    b"cxi1 ",
    b"cxi\n7",
    b"cxi\xff",
    b".hidden",
    b"0000:99:00.0",
    b"0000:61:00.8",
    b"10000:01:00.0",
];

const GARBAGE_DIRECTORIES: [&str; 5] = [
    "sys/class/cxi_user",
    "sys/class/cxi",
    "sys/class/net",
    "sys/bus/pci/devices",
    "dev",
];

/// What is put in a place.
#[derive(Debug, Clone)]
enum Damage {
    Nothing,
    /// A file of this content, or a pipe, by its name among the prepared ones.
    Prepared(String),
    Directory,
    LinkTo(PathBuf),
}

/// A mutation that was made.
#[derive(Debug)]
struct Mutation {
    path: PathBuf,
    damage: Damage,
    /// Where the original is, if there was one.
    aside: Option<PathBuf>,
}

/// A node to damage, and what a scan finds of it while it is whole.
struct Bench {
    _folder: TempDir,
    node: PathBuf,
    prepared: PathBuf,
    aside: PathBuf,
    /// What is read of the NIC, and everything there is of it.
    read: Vec<PathBuf>,
    everything: Vec<PathBuf>,
    scanner: Scanner,
    scans: u64,
    whole: Inventory,
    whole_spec: Spec,
}

impl Bench {
    fn new() -> Self {
        let folder = scratch();
        let top = folder.path().canonicalize().unwrap();
        let kinds = [Kind::Cassini1, Kind::Cassini2, Kind::Cassini1];
        let nics: Vec<NicSpec> = ADDRESSES
            .iter()
            .zip(kinds)
            .map(|(address, kind)| NicSpec::new(kind).pci(*address))
            .collect();
        let node = Node::create(top.join("node"), &nics).unwrap().root().to_owned();
        prepare(&top.join("prepared"));
        fs::create_dir(top.join("aside")).unwrap();
        let pci = node.join(ELSEWHERE[0]).canonicalize().unwrap();
        let elsewhere = ELSEWHERE.map(|path| node.join(path));
        let below = READ.iter().map(|path| pci.join(path));
        let read = below.chain([pci.clone()]).chain(elsewhere.clone()).collect();
        let mut everything = elsewhere.to_vec();
        walk(&pci, &mut everything);
        let roots = Roots::new(&RootArgs {
            prefix: Some(node.clone()),
            ..RootArgs::default()
        });
        let scanner = Scanner::new(roots.unwrap(), LibraryMode::None);
        let whole = scanner.scan().unwrap();
        assert_eq!((whole.nics.len(), whole.problems.len()), (3, 0), "{whole:?}");
        let whole_spec = render::spec(&whole, &Policy::default()).unwrap();
        assert_eq!(whole_spec.devices.len(), 10, "{whole_spec:?}");
        Self {
            prepared: top.join("prepared"),
            aside: top.join("aside"),
            read,
            _folder: folder,
            node,
            everything,
            scanner,
            scans: 0,
            whole,
            whole_spec,
        }
    }

    fn scan(&mut self) -> Inventory {
        self.scans += 1;
        self.scanner.scan().unwrap()
    }

    /// One case; what was done to the node stands in `made` afterwards, for the report of a failure.
    fn case(&mut self, rng: &mut Rng, made: &mut Vec<Mutation>) {
        let count = rng.usize(1..=6);
        while made.len() < count {
            made.extend(self.mutate(rng, made.len()));
        }
        let strict = !made.iter().any(Mutation::lends_a_neighbours_name);
        if rng.usize(0..20) == 0 {
            self.scan_while_files_vanish(rng, strict);
        } else {
            let inventory = self.scan();
            self.check(&inventory, strict);
        }
        while let Some(mutation) = made.pop() {
            mutation.undo();
        }
        if rng.usize(0..100) == 0 {
            assert_eq!(self.scan(), self.whole, "the node is whole again");
        }
    }

    /// Makes one mutation, unless its place is gone by an earlier one.
    fn mutate(&self, rng: &mut Rng, number: usize) -> Option<Mutation> {
        if rng.usize(0..4) == 0 {
            return self.add_garbage(rng);
        }
        let paths = if rng.usize(0..8) == 0 {
            &self.everything
        } else {
            &self.read
        };
        let path = rng.choice(paths)?.clone();
        if !is_of_the_nic(&path) {
            return None;
        }
        let damage = self.any_damage(rng, &path);
        let aside = self.aside.join(number.to_string());
        let aside = fs::rename(&path, &aside).is_ok().then_some(aside);
        self.put(path, damage, aside)
    }

    fn add_garbage(&self, rng: &mut Rng) -> Option<Mutation> {
        let directory = self.node.join(rng.choice(GARBAGE_DIRECTORIES)?);
        let path = directory.join(OsStr::from_bytes(rng.choice(NAMES)?));
        if path.symlink_metadata().is_ok() {
            return None;
        }
        let damage = match rng.usize(0..5) {
            0 => Damage::LinkTo(self.prepared.join("nic")),
            1 => Damage::LinkTo(self.prepared.join("class-entry")),
            2 => Damage::LinkTo(directory.join("cxi1")), // the NIC once more
            3 => Damage::LinkTo("/dev/full".into()),
            _ => self.any_damage(rng, &path),
        };
        self.put(path, damage, None)
    }

    fn any_damage(&self, rng: &mut Rng, path: &Path) -> Damage {
        let link = |target: &str| Damage::LinkTo(target.into());
        match rng.usize(0..16) {
            0 | 1 => Damage::Nothing,
            2 => Damage::Directory,
            3 => Damage::Prepared("pipe".into()),
            4 => Damage::Prepared("unreadable".into()),
            5 => Damage::Prepared("megabyte".into()),
            6 => link("/dev/zero"),
            7 => link("/proc/self/mem"),
            8 => link("nowhere"),
            9 => Damage::LinkTo(path.to_owned()), // to itself
            10 => Damage::LinkTo(self.prepared.clone()),
            11 => Damage::LinkTo(neighbours(path)),
            _ => Damage::Prepared(rng.usize(0..CONTENTS.len()).to_string()),
        }
    }

    fn put(&self, path: PathBuf, damage: Damage, aside: Option<PathBuf>) -> Option<Mutation> {
        let put = match &damage {
            Damage::Nothing => Ok(()),
            Damage::Directory => fs::create_dir(&path),
            Damage::LinkTo(target) => symlink(target, &path),
            Damage::Prepared(name) => fs::hard_link(self.prepared.join(name), &path),
        };
        put.unwrap_or_else(|error| panic!("{damage:?} at {}: {error}", path.display()));
        Some(Mutation { path, damage, aside })
    }

    /// A handful of the NIC's files come and go during several scans.
    fn scan_while_files_vanish(&mut self, rng: &mut Rng, strict: bool) {
        let paths: Vec<PathBuf> = (0..5)
            .filter_map(|_| rng.choice(&self.read).cloned())
            .filter(|path| is_of_the_nic(path))
            .collect();
        let hidden = self.aside.join("vanished");
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    for path in &paths {
                        if fs::rename(path, &hidden).is_ok() {
                            fs::rename(&hidden, path).unwrap();
                        }
                    }
                }
            });
            // The other thread must end also when a check fails.
            let checks = catch_unwind(AssertUnwindSafe(|| {
                for _ in 0..5 {
                    let inventory = self.scan();
                    self.check(&inventory, strict);
                }
            }));
            stop.store(true, Ordering::Relaxed);
            checks.unwrap_or_else(|panic| resume_unwind(panic));
        });
    }

    fn check(&self, inventory: &Inventory, strict: bool) {
        let addresses: Vec<_> = inventory.nics.iter().map(|nic| nic.address).collect();
        assert!(addresses.is_sorted_by(|a, b| a < b), "{addresses:?}");
        let texts: Vec<String> = inventory.problems.iter().map(ToString::to_string).collect();
        assert!(texts.iter().all(|text| !text.is_empty()));

        let spec = render::spec(inventory, &Policy::default());
        if let Some(spec) = &spec {
            check_spec(spec);
        }
        let listing = common::snapshot(inventory).listing();
        check_listing(&listing);
        if strict {
            self.check_neighbours(inventory, spec.as_ref(), &listing);
        }
    }

    fn check_neighbours(&self, inventory: &Inventory, spec: Option<&Spec>, listing: &[ListedDevice]) {
        for address in NEIGHBOURS {
            assert_eq!(nic(inventory, address), nic(&self.whole, address));
            let listed = listing.iter().find(|device| device.id == address);
            assert!(listed.is_some_and(|device| device.healthy), "{address} in {listing:?}");
        }
        let spec = spec.unwrap();
        for name in [NEIGHBOURS[0], "cxi0", "0", NEIGHBOURS[1], "cxi2", "2"] {
            assert_eq!(device(spec, name), device(&self.whole_spec, name));
        }
        let all = &device(spec, "all").unwrap().container_edits.device_nodes;
        for node in ["/dev/cxi0", "/dev/cxi2"] {
            assert!(all.iter().any(|entry| entry.host_path == node), "{node} in {all:?}");
        }
    }
}

impl Mutation {
    /// Whether the kernel's name of this NIC may now belong to a neighbour, which then differs by right.
    fn lends_a_neighbours_name(&self) -> bool {
        let in_class = self
            .path
            .iter()
            .any(|name| ["class", "cxi_user", "cxi"].iter().any(|class| name == *class));
        in_class && matches!(&self.damage, Damage::LinkTo(target) if *target == neighbours(&self.path))
    }

    fn undo(self) {
        match self.damage {
            Damage::Nothing => {}
            Damage::Directory => fs::remove_dir(&self.path).unwrap(),
            Damage::LinkTo(_) | Damage::Prepared(_) => fs::remove_file(&self.path).unwrap(),
        }
        if let Some(aside) = self.aside {
            fs::rename(aside, &self.path).unwrap();
        }
    }
}

/// Whether there is such a place and no link on the way that an earlier mutation has put there, so that damage to it is
/// damage to this NIC.
fn is_of_the_nic(path: &Path) -> bool {
    let parent = path.parent().filter(|parent| parent.is_dir());
    parent.is_some_and(|parent| parent.canonicalize().is_ok_and(|real| real == parent))
}

/// The same place of the first NIC.
fn neighbours(path: &Path) -> PathBuf {
    let mut text = path.to_string_lossy().into_owned();
    // From the real directory of the second NIC to that of the first, by way of the bus, as their ports differ.
    if let Some((before, below)) = text
        .split_once("/sys/devices/")
        .and_then(|(top, rest)| Some((top, rest.split_once(ADDRESSES[1])?.1)))
    {
        text = format!("{before}/sys/bus/pci/devices/{}{below}", ADDRESSES[0]);
    }
    text.replace("cxi1", "cxi0")
        .replace("hsn1", "hsn0")
        .replace(ADDRESSES[1], ADDRESSES[0])
        .into()
}

/// Makes what can be put in a place by a hard link or a symbolic one.
fn prepare(directory: &Path) {
    fs::create_dir(directory).unwrap();
    for (number, content) in CONTENTS.iter().enumerate() {
        fs::write(directory.join(number.to_string()), content).unwrap();
    }
    fs::write(directory.join("megabyte"), "1".repeat(1 << 20)).unwrap();
    fs::write(directory.join("unreadable"), "1\n").unwrap();
    fs::set_permissions(directory.join("unreadable"), fs::Permissions::from_mode(0o000)).unwrap();
    nix::unistd::mkfifo(&directory.join("pipe"), Mode::S_IRWXU).unwrap();
    fs::create_dir(directory.join("nic")).unwrap();
    fs::write(directory.join("nic/vendor"), "0x17db\n").unwrap();
    fs::write(directory.join("nic/device"), "0x0501\n").unwrap();
    fs::create_dir(directory.join("class-entry")).unwrap();
    symlink("../0000:99:00.0", directory.join("class-entry/device")).unwrap();
}

/// Everything below a directory; links are not followed.
fn walk(directory: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), out);
        }
        out.push(entry.path());
    }
}

fn nic<'a>(inventory: &'a Inventory, address: &str) -> Option<&'a Nic> {
    inventory.nics.iter().find(|nic| nic.address.to_string() == address)
}

fn device<'a>(spec: &'a Spec, name: &str) -> Option<&'a CdiDevice> {
    spec.devices.iter().find(|device| device.name == name)
}

fn check_spec(spec: &Spec) {
    let names: BTreeSet<&str> = spec.devices.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names.len(), spec.devices.len(), "a name twice: {spec:?}");
    let all = &device(spec, "all").unwrap().container_edits.device_nodes;
    let nodes: BTreeSet<&str> = all.iter().map(|node| node.host_path.as_str()).collect();
    assert_eq!(nodes.len(), all.len(), "a node twice: {spec:?}");
    for device in &spec.devices {
        assert!(!device.container_edits.is_empty(), "{spec:?}");
    }
    let yaml = format::to_text(spec, SpecFormat::Yaml).unwrap();
    assert_eq!(serde_saphyr::from_str::<Spec>(&yaml).unwrap(), *spec);
    let json = format::to_text(spec, SpecFormat::Json).unwrap();
    assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), *spec);
}

fn check_listing(listing: &[ListedDevice]) {
    let ids: BTreeSet<&str> = listing.iter().map(|device| device.id.as_str()).collect();
    assert_eq!(ids.len(), listing.len(), "{listing:?}");
    let with_topology = listing.iter().filter(|device| device.numa_node.is_some()).count();
    assert!(with_topology == 0 || with_topology == listing.len(), "{listing:?}");
}

/// Every `step`th case from `first` on; returns the number of scans.
fn run(seed: u64, first: u64, step: usize, cases: u64) -> u64 {
    let mut bench = Bench::new();
    for case in (first..cases).step_by(step) {
        if case > 0 && case % 100_000 == 0 {
            common::say(&format!("random trees: {case} of {cases}"));
        }
        // Each case has randomness of its own, so that it is the same however many threads there are.
        let mut rng = Rng::with_seed(seed.wrapping_add(case));
        let mut made = Vec::new();
        let outcome = catch_unwind(AssertUnwindSafe(|| bench.case(&mut rng, &mut made)));
        if let Err(panic) = outcome {
            common::say(&format!("random trees: seed {seed}, case {case}, mutations: {made:#?}"));
            resume_unwind(panic);
        }
    }
    assert_eq!(bench.scan(), bench.whole, "the node is whole again");
    bench.scans
}

#[test]
fn damage_to_one_nic_stays_with_that_nic() {
    let seed = setting("CXI_RANDOM_SEED").unwrap_or_else(|| fastrand::u64(..));
    let cases: u64 = setting("CXI_RANDOM_CASES").unwrap_or(3000);
    common::say(&format!("random trees: seed {seed}"));
    let step = thread::available_parallelism().map_or(1, usize::from).min(8);
    let scans: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..step as u64)
            .map(|first| scope.spawn(move || run(seed, first, step, cases)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .sum()
    });
    common::say(&format!("random trees: {cases} cases, seed {seed}, {scans} scans"));
}

//! The emulated node seen from outside: its files, and what each operation changes.
#![cfg(test)]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cxi_sim::node::{DeviceNodes, Error, Kind, NicSpec, Node, Variant, scratch_dir};

#[path = "../../common/skip.rs"]
#[expect(dead_code, reason = "nothing but root is needed here")]
mod skip;

const FIRST: &str = "0000:21:00.0";

fn say(text: &str) {
    eprintln!("{text}");
}

struct Sim {
    node: Node,
    _dir: tempfile::TempDir,
}

impl Sim {
    fn new(nics: &[NicSpec]) -> Self {
        let dir = scratch_dir().expect("temporary directory");
        Self {
            node: Node::create(dir.path(), nics).expect("built"),
            _dir: dir,
        }
    }

    fn sys(&self, path: &str) -> PathBuf {
        self.node.root().join("sys").join(path)
    }

    /// A file of a NIC's PCI directory, by way of the bus.
    fn read(&self, pci: &str, attribute: &str) -> String {
        let path = self.sys(&format!("bus/pci/devices/{pci}/{attribute}"));
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn has(&self, pci: &str, attribute: &str) -> bool {
        fs::symlink_metadata(self.sys(&format!("bus/pci/devices/{pci}/{attribute}"))).is_ok()
    }

    fn cxi_numbers(&self) -> Vec<Option<u32>> {
        self.node.nics().expect("listed").iter().map(|nic| nic.cxi).collect()
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.node.root().join(directory)).expect(directory);
        let name =
            |entry: std::io::Result<fs::DirEntry>| entry.expect(directory).file_name().into_string().expect("UTF-8");
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }
}

fn c1() -> NicSpec {
    NicSpec::new(Kind::Cassini1)
}

/// One line per entry, sorted: directories, links with target, files with mode and content.
fn listing(root: &Path) -> String {
    fn visit(root: &Path, directory: &Path, out: &mut String) {
        let mut paths: Vec<_> = fs::read_dir(directory)
            .expect("listed")
            .map(|entry| entry.expect("entry").path())
            .collect();
        paths.sort();
        for path in paths {
            let meta = fs::symlink_metadata(&path).expect("metadata");
            let mode = meta.permissions().mode() & 0o7777;
            let name = path.strip_prefix(root).expect("below the root").display();
            if path.starts_with(root.join("dev")) {
                // A device node as root, else a symlink.
                writeln!(out, "{name} (device node)")
            } else if meta.is_symlink() {
                writeln!(out, "{name} -> {}", fs::read_link(&path).expect("link").display())
            } else if meta.is_dir() {
                writeln!(out, "{name}/ {mode:04o}")
            } else if mode & 0o400 == 0 || path.ends_with("cxi-sim.json") {
                // Not readable without root; or the state, which says what the device nodes are.
                writeln!(out, "{name} {mode:04o}")
            } else if meta.len() > 4096 {
                writeln!(out, "{name} {mode:04o} <{} bytes>", meta.len())
            } else {
                let content = fs::read(&path).expect("readable by the owner or root");
                if content.starts_with(b"\x7fELF") {
                    // The machine's own architecture is in it.
                    writeln!(out, "{name} {mode:04o} <ELF>")
                } else if path.ends_with("config") && content.len() == 256 {
                    let head = content
                        .iter()
                        .take(16)
                        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
                    writeln!(out, "{name} {mode:04o} <256 bytes: {head}...>")
                } else {
                    writeln!(out, "{name} {mode:04o} {:?}", String::from_utf8_lossy(&content))
                }
            }
            .expect("a String takes everything");
            if meta.is_dir() {
                visit(root, &path, out);
            }
        }
    }
    let mut out = String::new();
    visit(root, root, &mut out);
    out
}

/// Compares with tests/golden/NAME; UPDATE_GOLDEN=1 writes it instead.
fn golden(name: &str, spec: &str) {
    let sim = Sim::new(&[spec.parse().expect(spec)]);
    let got = listing(sim.node.root());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &got).expect("golden file written");
    }
    let want = fs::read_to_string(&path).expect("golden file");
    for (line, (got, want)) in got.lines().zip(want.lines()).enumerate() {
        assert_eq!(got, want, "{name}:{}", line + 1);
    }
    assert_eq!(got.lines().count(), want.lines().count(), "{name}");
}

#[test]
fn a_cassini_1_node_is_the_golden_one() {
    golden("c1.txt", "c1");
}

#[test]
fn a_cassini_2_node_is_the_golden_one() {
    golden("c2.txt", "c2");
}

#[test]
fn only_port_values_of_cassini_1_and_pause_lack_the_newline() {
    let sim = Sim::new(&[c1(), NicSpec::new(Kind::Cassini2)]);
    let second = "0000:61:00.0";
    for name in ["link", "link_layer_retry", "loopback", "media", "pause", "speed"] {
        assert!(!sim.read(FIRST, &format!("port/{name}")).contains('\n'), "{name}");
    }
    assert_eq!(sim.read(second, "port/0/pause"), "pfc/802.1qbb");
    assert_eq!(sim.read(second, "port/0/link/state"), "up\n");
    assert!(!sim.has(second, "port/link") && !sim.has(FIRST, "port/0"));
    for name in sim.names(&format!("sys/bus/pci/devices/{FIRST}/properties")) {
        let value = sim.read(FIRST, &format!("properties/{name}"));
        assert!(
            value.ends_with('\n') && value.trim() == value.trim_end_matches('\n'),
            "{name}: {value:?}"
        );
    }
    assert_eq!(sim.read(second, "properties/speed"), "-1\n");
}

#[test]
fn every_link_of_the_tree_leads_somewhere() {
    fn links(directory: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(directory)
            .expect("listed")
            .map(|entry| entry.expect("entry").path());
        let below = |path: PathBuf| match fs::symlink_metadata(&path).expect("metadata").file_type() {
            kind if kind.is_dir() => links(&path),
            kind if kind.is_symlink() => vec![path],
            _ => Vec::new(),
        };
        paths.flat_map(below).collect()
    }
    let sim = Sim::new(&["c1", "c1vf", "c2", "c2vf", "c1,pci=0000:00:05.0"].map(|spec| spec.parse().expect(spec)));
    let links = links(&sim.sys(""));
    assert!(links.len() > 50, "{}", links.len());
    let sys = fs::canonicalize(sim.sys("")).expect("canonical");
    for link in links {
        let end = fs::canonicalize(&link).unwrap_or_else(|error| panic!("{}: {error}", link.display()));
        assert!(end.starts_with(&sys), "{} leaves the tree", link.display());
    }
}

#[test]
fn numbers_only_grow() {
    let sim = Sim::new(&[c1(), c1(), c1(), c1()]);
    assert_eq!(sim.node.rebind(FIRST).expect("rebound"), 4);
    assert_eq!(sim.cxi_numbers(), [Some(4), Some(1), Some(2), Some(3)]);
    assert_eq!(sim.names("sys/class/cxi"), ["cxi1", "cxi2", "cxi3", "cxi4"]);
    assert_eq!(sim.names("sys/class/cxi_user"), ["cxi1", "cxi2", "cxi3", "cxi4"]);
    assert_eq!(sim.names("dev"), ["cxi1", "cxi2", "cxi3", "cxi4", "cxi_sbl"]);
    assert_eq!(sim.names("run/cxi"), ["cxi1", "cxi2", "cxi3", "cxi4"]);
    assert_eq!(sim.names(&format!("sys/bus/pci/devices/{FIRST}/net")), ["hsn0"]);
    sim.node.remove(FIRST).expect("removed");
    assert_eq!(sim.node.add(&c1()).expect("added"), FIRST, "the slot is used again");
    assert_eq!(
        sim.cxi_numbers(),
        [Some(1), Some(2), Some(3), Some(5)],
        "the number is not"
    );
}

#[test]
fn unbinding_keeps_the_pci_device() {
    let sim = Sim::new(&[c1()]);
    sim.node.unbind(FIRST).expect("unbound");
    assert_eq!(sim.cxi_numbers(), [None]);
    assert_eq!(sim.read(FIRST, "enable"), "0\n");
    assert!(!sim.read(FIRST, "uevent").contains("DRIVER"));
    for gone in ["driver", "properties", "port", "fru", "cxi", "cxi_user", "net"] {
        assert!(!sim.has(FIRST, gone), "{gone}");
    }
    assert!(sim.has(FIRST, "resource0"));
    assert!(sim.names("dev") == ["cxi_sbl"] && sim.names("sys/class/net").is_empty());
    assert!(matches!(sim.node.unbind(FIRST), Err(Error::Unbound(_))));
    assert!(matches!(sim.node.link(FIRST, true), Err(Error::Unbound(_))));
    assert!(matches!(
        sim.node.set(FIRST, "properties/link", b"1\n"),
        Err(Error::NoAttribute { .. })
    ));
    assert_eq!(sim.node.bind(FIRST).expect("bound"), 1);
    assert!(matches!(sim.node.bind(FIRST), Err(Error::Bound(_))));
    assert_eq!(sim.read(FIRST, "enable"), "1\n");
    assert!(sim.read(FIRST, "uevent").starts_with("DRIVER=cxi_ss1\n"));
}

#[test]
fn removing_leaves_nothing_but_the_root_port() {
    let sim = Sim::new(&[]);
    let empty = listing(sim.node.root());
    sim.node.add(&c1()).expect("added");
    sim.node.remove(FIRST).expect("removed");
    let left: Vec<_> = listing(sim.node.root())
        .lines()
        .filter(|line| !empty.contains(line))
        .map(String::from)
        .collect();
    assert!(
        left.iter()
            .all(|line| line.contains("pci0000:20") || line.starts_with("cxi-sim.json")),
        "{left:#?}"
    );
    assert!(matches!(sim.node.remove(FIRST), Err(Error::UnknownNic { .. })));
    assert!(matches!(sim.node.remove("nonsense"), Err(Error::UnknownNic { .. })));
}

#[test]
fn the_link_takes_port_and_netdev_along() {
    let sim = Sim::new(&[c1(), NicSpec::new(Kind::Cassini2)]);
    let state = |pci: &str, port: &str, netdev: &str| {
        let read = |name: &str| sim.read(pci, name);
        let net = |name: &str| read(&format!("net/{netdev}/{name}"));
        (
            read("properties/link"),
            read(port),
            net("carrier"),
            net("operstate"),
            net("carrier_changes"),
        )
    };
    let expect = |values: [&str; 5]| values.map(String::from).into();
    for (pci, port, netdev, up, down) in [
        (FIRST, "port/link", "hsn0", "up", "down"),
        ("0000:61:00.0", "port/0/link/state", "hsn1", "up\n", "down\n"),
    ] {
        sim.node.link(pci, false).expect("down");
        assert_eq!(state(pci, port, netdev), expect(["0\n", down, "0\n", "down\n", "3\n"]));
        sim.node.link(pci, false).expect("down again");
        assert_eq!(
            state(pci, port, netdev),
            expect(["0\n", down, "0\n", "down\n", "3\n"]),
            "no change, no count"
        );
        sim.node.link(pci, true).expect("up");
        assert_eq!(state(pci, port, netdev), expect(["1\n", up, "1\n", "up\n", "4\n"]));
    }
}

#[test]
fn a_vf_sits_beside_its_pf_and_goes_with_it() {
    let sim = Sim::new(&[c1(), NicSpec::new(Kind::Cassini1Vf), c1()]);
    let pcis: Vec<_> = sim
        .node
        .nics()
        .expect("listed")
        .into_iter()
        .map(|nic| nic.pci)
        .collect();
    assert_eq!(pcis, [FIRST, "0000:21:00.1", "0000:61:00.0"]);
    let vf = "0000:21:00.1";
    let target = |path: String| fs::read_link(sim.sys(&path)).expect("link");
    assert_eq!(
        target(format!("bus/pci/devices/{vf}/physfn")),
        Path::new("../0000:21:00.0")
    );
    assert_eq!(
        target(format!("bus/pci/devices/{FIRST}/virtfn0")),
        Path::new("../0000:21:00.1")
    );
    assert_eq!(sim.read(FIRST, "sriov_numvfs"), "1\n");
    assert_eq!(
        ["link", "speed", "pct_eq"].map(|name| sim.read(vf, &format!("properties/{name}"))),
        ["0\n"; 3]
    );
    for missing in ["port", "fru", "uc", "telemetry", "sriov_totalvfs"] {
        assert!(!sim.has(vf, missing), "{missing}");
    }
    let bar = |pci: &str| {
        fs::metadata(sim.sys(&format!("bus/pci/devices/{pci}/resource0")))
            .expect("BAR")
            .len()
    };
    assert_eq!((bar(FIRST), bar(vf)), (2 << 30, 512 << 20));
    sim.node.rebind(FIRST).expect("rebound");
    assert!(!sim.has(FIRST, "virtfn0"));
    assert_eq!(sim.read(FIRST, "sriov_numvfs"), "0\n");
    assert_eq!(sim.cxi_numbers(), [Some(3), Some(2)]);
}

#[test]
fn a_vf_without_pf_has_no_physfn() {
    let sim = Sim::new(&[NicSpec::new(Kind::Cassini2Vf)]);
    assert!(!sim.has("0000:21:00.1", "physfn"));
    assert_eq!(sim.read("0000:21:00.1", "device"), "0x0372\n");
}

#[test]
fn values_change_in_place() {
    let sim = Sim::new(&[c1()]);
    sim.node.set(FIRST, "properties/pct_eq", b"0\n").expect("set");
    assert_eq!(sim.read(FIRST, "properties/pct_eq"), "0\n");
    let mode = |name: &str| {
        fs::metadata(sim.sys(&format!("bus/pci/devices/{FIRST}/{name}")))
            .expect("there")
            .permissions()
            .mode()
            & 0o7777
    };
    sim.node.set(FIRST, "enable", b"0\n").expect("set");
    assert_eq!(
        (mode("properties/pct_eq"), mode("enable")),
        (0o444, 0o644),
        "modes stay"
    );
    sim.node.unset(FIRST, "properties/ats_enabled").expect("unset");
    assert!(!sim.has(FIRST, "properties/ats_enabled"));
    for wrong in ["", "../x", "/etc/passwd", "properties/../../x"] {
        assert!(
            matches!(sim.node.set(FIRST, wrong, b""), Err(Error::Attribute(_))),
            "{wrong}"
        );
    }
    for missing in ["properties", "none/such"] {
        assert!(
            matches!(sim.node.set(FIRST, missing, b""), Err(Error::NoAttribute { .. })),
            "{missing}"
        );
        assert!(
            matches!(sim.node.unset(FIRST, missing), Err(Error::NoAttribute { .. })),
            "{missing}"
        );
    }
}

#[test]
fn every_variant_builds_and_shows_itself() {
    for variant in Variant::ALL {
        let sim = Sim::new(&variant.nics());
        let nics = sim.node.nics().expect("listed");
        // Not every one has a NIC at the first slot.
        let read = |name: &str| sim.read(FIRST, name);
        match variant {
            Variant::V1 | Variant::V17 => assert_eq!(read("properties/cassini_version"), "1.1\n"),
            Variant::V2 => assert_eq!(read("properties/cassini_version"), "2.0\n"),
            Variant::V3 => {
                let pairs: Vec<_> = nics.iter().map(|nic| (nic.cxi, nic.netdev.as_deref())).collect();
                assert_eq!(pairs, [(Some(1), Some("hsn0")), (Some(0), Some("hsn1"))]);
            }
            Variant::V4 => assert_eq!(sim.names("sys/class/cxi"), ["cxi1", "cxi2", "cxi3", "cxi4"]),
            Variant::V5 => assert!(sim.names("dev") == ["cxi_sbl"] && sim.names("sys/class/cxi_user") == ["cxi0"]),
            Variant::V6 => assert_eq!(read("properties/nid"), "0xffffffff\n"),
            Variant::V7 => assert_eq!(read("fru/serial_number") + &read("fru/description"), ""),
            Variant::V8 => assert_eq!(read("port/link"), "up"),
            Variant::V9 => assert_eq!(read("properties/speed"), "-1\n"),
            Variant::V10 => assert!(nics[0].netdev.is_none() && sim.names("sys/class/net").is_empty()),
            Variant::V11 => assert_eq!(read("numa_node"), "-1\n"),
            Variant::V12 => assert!(sim.has("0000:21:00.1", "physfn")),
            Variant::V13 => assert!(!sim.has(FIRST, "properties/system_type_identifier")),
            Variant::V14 => assert_eq!(read("properties/pct_eq"), "0\n"),
            Variant::V15 => assert_eq!(read("enable"), "0\n"),
            Variant::V18 => {
                let places: Vec<_> = nics
                    .iter()
                    .map(|nic| (nic.pci.as_str(), sim.read(&nic.pci, "numa_node")))
                    .collect();
                let expected = [0, 1, 2, 3].map(|domain| (format!("{domain:04x}:01:00.0"), format!("{domain}\n")));
                assert_eq!(
                    places,
                    expected.each_ref().map(|(pci, node)| (pci.as_str(), node.clone()))
                );
            }
            Variant::V19 => {
                let nodes: Vec<_> = nics.iter().map(|nic| sim.read(&nic.pci, "numa_node")).collect();
                assert_eq!(nodes, ["3\n", "1\n", "-1\n", "2\n"]);
            }
            Variant::V16 => {
                assert!(
                    sim.names(&format!("sys/bus/pci/devices/{FIRST}/properties"))
                        .contains(&"link".into())
                );
                let link = sim.sys(&format!("bus/pci/devices/{FIRST}/properties/link"));
                assert_eq!(
                    fs::read(link).expect_err("vanished").kind(),
                    std::io::ErrorKind::NotFound
                );
                sim.node.link(FIRST, false).expect("what vanished is passed over");
            }
        }
    }
}

#[test]
fn device_nodes_can_have_numbers_of_their_own_that_follow_the_cxi_number() {
    if !nix::unistd::geteuid().is_root() {
        return skip::skip(skip::Need::Root, "only root can make device nodes");
    }
    let folder = scratch_dir().expect("temporary directory");
    let first = "10:224".parse().expect("numbers");
    let node = Node::create_numbered(folder.path().join("node"), &[c1(), c1()], first).expect("made");
    node.rebind(FIRST).expect("rebound");
    let numbers = |name: &str| fs::metadata(node.root().join("dev").join(name)).map(|meta| meta.rdev());
    assert_eq!(numbers("cxi1").expect("there"), nix::sys::stat::makedev(10, 225));
    assert_eq!(numbers("cxi2").expect("there"), nix::sys::stat::makedev(10, 226));
    let entry = node.root().join("sys/class/cxi_user/cxi2");
    let text = |name: &str| fs::read_to_string(entry.join(name)).expect("there");
    assert_eq!(text("dev"), "10:226\n");
    assert!(text("uevent").starts_with("MAJOR=10\nMINOR=226\n"));
    for wrong in ["10", "10:", ":1", "4096:1", "1:1048576", "-1:2"] {
        assert!(wrong.parse::<cxi_sim::node::DeviceNumbers>().is_err(), "{wrong}");
    }
}

#[test]
fn device_nodes_refuse_commands_as_no_other_node_does() {
    let sim = Sim::new(&[c1()]);
    let node = sim.node.root().join("dev/cxi0");
    let meta = fs::metadata(&node).expect("there");
    assert!(meta.file_type().is_char_device());
    assert_eq!(
        (meta.rdev(), sim.read(FIRST, "cxi_user/cxi0/dev").as_str()),
        (0x107, "1:7\n")
    );
    assert_eq!(
        fs::write(&node, [0; 16]).expect_err("no command succeeds").kind(),
        std::io::ErrorKind::StorageFull
    );
    let link = fs::symlink_metadata(&node).expect("there").is_symlink();
    assert_eq!(
        sim.node.device_nodes().expect("known") == DeviceNodes::LinkToDevFull,
        link
    );
    if !link {
        assert_eq!(meta.permissions().mode() & 0o7777, 0o666);
    }
}

#[test]
fn the_state_survives_and_guards_the_directory() {
    let sim = Sim::new(&[c1(), c1()]);
    sim.node.unbind(FIRST).expect("unbound");
    let again = Node::open(sim.node.root()).expect("opened");
    assert_eq!(again.nics().expect("listed"), sim.node.nics().expect("listed"));
    assert_eq!(again.bind(FIRST).expect("bound"), 2, "the next number is remembered");
    assert!(matches!(Node::create(sim.node.root(), &[]), Err(Error::AlreadyNode(_))));

    let other = scratch_dir().expect("temporary directory");
    assert!(matches!(Node::open(other.path()), Err(Error::NotNode(_))));
    fs::write(other.path().join("mine"), "precious").expect("written");
    assert!(matches!(Node::create(other.path(), &[]), Err(Error::NotEmpty(_))));
    assert!(matches!(Node::recreate(other.path(), &[]), Err(Error::NotEmpty(_))));

    fs::write(sim.node.root().join("mine"), "precious").expect("written");
    let rebuilt = Node::recreate(sim.node.root(), &[c1()]).expect("rebuilt");
    assert_eq!(rebuilt.nics().expect("listed").len(), 1);
    assert!(sim.node.root().join("mine").exists());
}

#[test]
fn two_nics_cannot_share_what_is_unique() {
    let sim = Sim::new(&[c1()]);
    for spec in ["c1,pci=0000:21:00.0", "c1,cxi=0", "c1,netdev=hsn0"] {
        let before = listing(sim.node.root());
        let result = sim.node.add(&spec.parse().expect(spec));
        assert!(matches!(result, Err(Error::InUse { .. })), "{spec}");
        assert_eq!(listing(sim.node.root()), before, "{spec} left something");
    }
}

#[test]
fn a_reload_of_the_driver_takes_classes_and_modules_along_and_counts_from_0_again() {
    let sim = Sim::new(&[c1(), c1()]);
    sim.node.rebind(FIRST).expect("rebound");
    let loaded = listing(&sim.node.root().join("sys/module"));
    sim.node.unload_driver().expect("unloaded");
    assert_eq!(sim.cxi_numbers(), [None, None]);
    assert_eq!(sim.names("sys/class"), ["net"]);
    assert!(sim.names("sys/module").is_empty() && sim.names("sys/bus/pci/drivers").is_empty());
    assert_eq!(sim.names("dev"), ["cxi_sbl"]);
    sim.node.load_driver().expect("loaded");
    assert_eq!(sim.cxi_numbers(), [Some(0), Some(1)]);
    assert_eq!(listing(&sim.node.root().join("sys/module")), loaded);
}

//! The generator killed before and after each system call of its write path, or run twice at once: a CDI directory holds a
//! whole spec, the old or the new one, and nothing else in it has changed.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::skip::{Need, skip};
use common::tracer::{End, kill_at};
use common::{Generator, Output, listing, say, scratch};
use cxi_sim::node::{Kind, NicSpec, Node};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cxi-cdi-generator");
const YAML: &str = "hpe.com-cxi.yaml";
const JSON: &str = "hpe.com-cxi.json";
/// Specs of others, and files that are none: they must not change.
const NEIGHBOURS: [(&str, &str); 3] = [
    (
        "acme.example-gpu.yaml",
        "cdiVersion: 0.5.0\nkind: acme.example/gpu\ndevices: []\n",
    ),
    (".hpe.com-cxi.yaml.tmp", "not made by us: our names are longer"),
    ("notes", "by hand"),
];

/// An entry of a directory: path, mode, inode, content.
type Entry = (PathBuf, u32, u64, Vec<u8>);

/// Two nodes, so that the spec of one is old to the other, and one without NICs.
struct CrashFixture {
    folder: TempDir,
    other: Node,
    node: Node,
    bare: Node,
}

impl CrashFixture {
    fn new() -> Self {
        let folder = scratch();
        let make = |name: &str, nics: &[NicSpec]| Node::create(folder.path().join(name), nics).unwrap();
        let nic = |number| NicSpec::new(Kind::Cassini1).cxi(number);
        Self {
            other: make("other", &[nic(7)]),
            node: make("node", &[nic(0), nic(1)]),
            bare: make("bare", &[]),
            folder,
        }
    }

    fn cdi(&self) -> PathBuf {
        self.folder.path().join("cdi")
    }

    /// A new CDI directory with the neighbours and these files of ours.
    fn fill(&self, ours: &[(&str, &str)]) {
        let _ = fs::remove_dir_all(self.cdi());
        fs::create_dir(self.cdi()).unwrap();
        for (name, text) in NEIGHBOURS.iter().chain(ours) {
            let path = self.cdi().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
    }

    fn write(&self, node: &Node, format: &str) -> Output {
        Generator::below(node.root())
            .args(["--format", format])
            .write_to(&self.cdi())
    }
}

fn text_of(node: &Node, format: &str) -> String {
    Generator::below(node.root()).args(["--format", format]).dry_run()
}

/// What readers of CDI directories would read of ours, what a killed run left, and everything else.
fn sorted(entries: Vec<Entry>) -> (Vec<Entry>, Vec<Entry>, Vec<Entry>) {
    let is_ours = |entry: &Entry| [YAML, JSON].iter().any(|name| entry.0.ends_with(name));
    let is_leftover = |entry: &Entry| {
        let name = entry.0.file_name().unwrap().to_str().unwrap().to_owned();
        !NEIGHBOURS.iter().any(|(neighbour, _)| *neighbour == name) && name.ends_with(".tmp")
    };
    let (ours, rest): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_ours);
    let (leftovers, others) = rest.into_iter().partition(is_leftover);
    (ours, leftovers, others)
}

/// What a directory may look like after a kill: files of ours by name and content.
type State<'a> = Vec<(&'a str, &'a str)>;

/// A run of the generator that is killed at every point in turn.
struct Case<'a> {
    name: &'static str,
    node: &'a Node,
    format: &'static str,
    /// None: there is no directory.
    before: Option<State<'a>>,
    /// The old spec under the new name, while the format changes.
    between: Option<State<'a>>,
    after: State<'a>,
}

impl Case<'_> {
    /// Kills at every point; the number is printed.
    fn run(&self, fixture: &CrashFixture) {
        let (mut points, mut left, mut seen) = (0, 0, [false; 3]);
        loop {
            let _ = fs::remove_dir_all(fixture.cdi());
            self.before.iter().for_each(|files| fixture.fill(files));
            let old = existing(&fixture.cdi());
            let cdi = fixture.cdi();
            let arguments = [PROGRAM, "--root", self.node.root().to_str().unwrap(), "--cdi-dir"];
            let arguments = [&arguments[..], &[cdi.to_str().unwrap(), "--format", self.format]].concat();
            match kill_at(&arguments, &cdi, points) {
                Err(error) => return skip(Need::Ptrace, error),
                Ok(End::Exited(code)) => {
                    assert_eq!(code, 0, "{}", self.name);
                    break;
                }
                Ok(End::Killed) => {}
            }
            let (state, leftovers) = self.look(old, existing(&cdi), points);
            seen[state] = true;
            left += leftovers;
            points += 1;
            self.assert_repaired(fixture);
        }
        assert!(points > 10, "{}: {points} points are not a write path", self.name);
        assert_eq!(seen, [true, self.between.is_some(), true], "{}: states seen", self.name);
        say(&format!(
            "crash safety, {}: killed at {points} points; {left} times a temporary file was left",
            self.name
        ));
    }

    /// Which of the allowed states this is, and how many temporary files there are.
    fn look(&self, old: Vec<Entry>, new: Vec<Entry>, point: usize) -> (usize, usize) {
        let at = format!("{}, point {point}", self.name);
        let (ours_before, _, others_before) = sorted(old);
        let (ours, leftovers, others) = sorted(new);
        assert_eq!(others, others_before, "{at}: the others' files");
        assert!(leftovers.len() <= 1, "{at}: {leftovers:?}");
        if ours == ours_before {
            return (0, leftovers.len()); // the same inodes, modes and bytes
        }
        assert!(
            ours.iter().all(|file| file.1 == 0o100_644),
            "{at}: readable for all: {ours:?}"
        );
        let is = |state: &State| {
            let held = ours.iter().map(|file| {
                let name = file.0.file_name().unwrap().to_str().unwrap();
                (name, std::str::from_utf8(&file.3).unwrap())
            });
            held.eq(state.iter().copied())
        };
        if self.between.as_ref().is_some_and(is) {
            assert_eq!(ours[0].2, ours_before[0].2, "{at}: the old file itself");
            return (1, leftovers.len());
        }
        assert!(is(&self.after), "{at}: neither the old nor the new spec: {ours:?}");
        (2, leftovers.len())
    }

    /// The next run does what this one did not come to do, and clears what it left.
    fn assert_repaired(&self, fixture: &CrashFixture) {
        let output = fixture.write(self.node, self.format);
        assert_eq!(output.code, 0, "{output:?}");
        let (ours, leftovers, _) = sorted(existing(&fixture.cdi()));
        assert_eq!(leftovers, [], "{}: a leftover stays", self.name);
        assert_eq!(ours.len(), self.after.len());
        for (file, (name, text)) in ours.iter().zip(&self.after) {
            assert!(file.0.ends_with(name), "{file:?}");
            assert_eq!(std::str::from_utf8(&file.3).unwrap(), *text);
        }
    }
}

/// The listing of a directory that need not be there.
fn existing(directory: &Path) -> Vec<Entry> {
    if directory.exists() {
        listing(directory)
    } else {
        Vec::new()
    }
}

mod killed {
    use super::*;

    #[test]
    fn while_it_replaces_an_old_spec() {
        let fixture = CrashFixture::new();
        let (old, new) = (text_of(&fixture.other, "yaml"), text_of(&fixture.node, "yaml"));
        let case = Case {
            name: "replace",
            node: &fixture.node,
            format: "yaml",
            before: Some(vec![(YAML, &old)]),
            between: None,
            after: vec![(YAML, &new)],
        };
        case.run(&fixture);
    }

    #[test]
    fn while_it_writes_the_first_spec() {
        let fixture = CrashFixture::new();
        let new = text_of(&fixture.node, "json");
        for (name, before) in [("first file", Some(Vec::new())), ("first directory", None)] {
            let case = Case {
                name,
                node: &fixture.node,
                format: "json",
                before,
                between: None,
                after: vec![(JSON, &new)],
            };
            case.run(&fixture);
        }
    }

    #[test]
    fn while_it_removes_the_spec() {
        let fixture = CrashFixture::new();
        let old = text_of(&fixture.other, "yaml");
        for (name, format) in [("remove", "yaml"), ("remove the other format", "json")] {
            let case = Case {
                name,
                node: &fixture.bare,
                format,
                before: Some(vec![(YAML, &old)]),
                between: None,
                after: Vec::new(),
            };
            case.run(&fixture);
        }
    }

    /// Two files would be a conflict, and readers would drop every name: the old spec takes the new name first.
    #[test]
    fn while_it_changes_the_format() {
        let fixture = CrashFixture::new();
        for (old_name, old_format, name, format) in [(YAML, "yaml", JSON, "json"), (JSON, "json", YAML, "yaml")] {
            let (old, new) = (text_of(&fixture.other, old_format), text_of(&fixture.node, format));
            let case = Case {
                name: "change of format",
                node: &fixture.node,
                format,
                before: Some(vec![(old_name, &old)]),
                between: Some(vec![(name, &old)]),
                after: vec![(name, &new)],
            };
            case.run(&fixture);
        }
    }
}

mod at_once {
    use super::*;

    const ROUNDS: usize = 150;

    /// Each round starts two generators that disagree, while a reader reads all the time.
    #[test]
    fn two_generators_leave_one_whole_spec_and_a_reader_never_sees_less() {
        let fixture = CrashFixture::new();
        let texts = [text_of(&fixture.other, "yaml"), text_of(&fixture.node, "yaml")];
        fixture.fill(&[(YAML, &texts[0])]);
        let (_, _, others_before) = sorted(listing(&fixture.cdi()));
        let mut won = [0, 0];
        for round in 0..ROUNDS {
            let start = |node: &Node| {
                let mut command = Command::new(PROGRAM);
                command
                    .arg("--root")
                    .arg(node.root())
                    .arg("--cdi-dir")
                    .arg(fixture.cdi());
                command.stdout(Stdio::null()).spawn().unwrap()
            };
            let (mut one, mut two) = (start(&fixture.other), start(&fixture.node));
            while one.try_wait().unwrap().is_none() || two.try_wait().unwrap().is_none() {
                let read = fs::read_to_string(fixture.cdi().join(YAML)).unwrap();
                assert!(texts.contains(&read), "round {round}: part of a spec:\n{read}");
            }
            assert!(one.wait().unwrap().success(), "round {round}");
            assert!(two.wait().unwrap().success(), "round {round}");
            let (ours, leftovers, others) = sorted(listing(&fixture.cdi()));
            assert_eq!((ours.len(), leftovers, others), (1, vec![], others_before.clone()));
            won[usize::from(ours[0].3 == texts[1].as_bytes())] += 1;
        }
        say(&format!("crash safety: {ROUNDS} rounds of two at once, won {won:?}"));
    }

    /// A leftover belongs to a dead run only if nobody holds it: a living run's file is never taken away.
    #[test]
    fn a_temporary_file_in_use_is_not_taken_for_a_leftover() {
        let fixture = CrashFixture::new();
        fixture.fill(&[
            (".hpe.com-cxi.yaml.AbCd12.tmp", "half"),
            (".hpe.com-cxi.json.AbCd34.tmp", ""),
        ]);
        let in_use = fs::File::open(fixture.cdi().join(".hpe.com-cxi.yaml.AbCd12.tmp")).unwrap();
        in_use.lock().unwrap();
        assert_eq!(fixture.write(&fixture.node, "yaml").code, 0);
        let (_, leftovers, _) = sorted(listing(&fixture.cdi()));
        assert_eq!(leftovers.len(), 1, "{leftovers:?}");
        assert_eq!(leftovers[0].3, b"half");
        drop(in_use);
        assert_eq!(fixture.write(&fixture.node, "yaml").code, 0);
        assert_eq!(sorted(listing(&fixture.cdi())).1, []);
    }

    /// A link or a pipe by that name is nobody's leftover.
    #[test]
    fn only_a_plain_file_is_a_leftover() {
        let fixture = CrashFixture::new();
        fixture.fill(&[]);
        let link = fixture.cdi().join(".hpe.com-cxi.yaml.AbCd12.tmp");
        let pipe = fixture.cdi().join(".hpe.com-cxi.yaml.AbCd34.tmp");
        symlink("notes", &link).unwrap();
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(fixture.write(&fixture.node, "yaml").code, 0);
        assert!(link.is_symlink() && pipe.exists() && fixture.cdi().join("notes").is_file());
    }
}

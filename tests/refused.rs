//! The system refuses what the generator wants to write: its CDI directory stays as it was to the inode, the exit code is 1,
//! and the message says which file, what was tried, and what the system said.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use common::generator_fixture::{FIRST, GeneratorFixture, PROGRAM};
use common::mounts::{self, Memory};
use common::{Output, listing, say};
use cxi_sim::node::{Kind, NicSpec};
use nix::unistd::{SysconfVar, Uid, User, sysconf};

/// A spec of somebody else's, and a file that is none.
const NEIGHBOURS: [(&str, &str); 2] = [
    (
        "acme.example-gpu.yaml",
        "cdiVersion: 0.5.0\nkind: acme.example/gpu\ndevices: []\n",
    ),
    ("notes", "by hand"),
];

/// What there is to do since the spec was written, and where a refusal stops it.
#[derive(Debug, Clone, Copy)]
enum Task {
    Replace,
    ChangeFormat,
    Remove,
}

impl Task {
    const ALL: [Self; 3] = [Self::Replace, Self::ChangeFormat, Self::Remove];

    fn format(self) -> &'static str {
        match self {
            Self::ChangeFormat => "json",
            Self::Replace | Self::Remove => "yaml",
        }
    }

    /// What cannot be done in a directory where nothing may be made or removed.
    fn refused(self, fixture: &GeneratorFixture) -> String {
        match self {
            Self::Replace | Self::ChangeFormat => format!("cannot create a file in {}", fixture.cdi().display()),
            Self::Remove => format!("cannot remove {}", fixture.file("yaml").display()),
        }
    }

    /// Writes the spec of the node as it was, beside those of others, and makes the task.
    fn prepare(self, fixture: &GeneratorFixture) {
        fs::create_dir_all(fixture.cdi()).unwrap();
        for (name, text) in NEIGHBOURS {
            fs::write(fixture.cdi().join(name), text).unwrap();
        }
        assert_eq!(fixture.write([]).code, 0);
        match self {
            Self::Replace | Self::ChangeFormat => drop(fixture.node.rebind(FIRST).unwrap()),
            Self::Remove => fixture.node.remove(FIRST).unwrap(),
        }
    }
}

fn assert_refused(output: &Output, file: &Path, what: &str, reason: &str) {
    let message = format!(
        "cxi-cdi-generator: {} stays as it was\n  because: {what}\n  because: {reason}",
        file.display()
    );
    assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
    assert!(
        output.stderr.starts_with(&message),
        "wanted: {message}\ngot: {output:?}"
    );
    assert_eq!(output.stderr.lines().count(), 3, "{output:?}");
}

/// Runs the generator where it may make and remove nothing.
fn assert_nothing_done(task: Task, fixture: &GeneratorFixture, reason: &str, run: impl FnOnce() -> Output) {
    let before = listing(&fixture.cdi());
    let output = run();
    assert_refused(&output, &fixture.file(task.format()), &task.refused(fixture), reason);
    assert_eq!(listing(&fixture.cdi()), before, "{task:?}");
}

/// Root may write everywhere, so as root the generator runs as nobody.
fn as_nobody(fixture: &GeneratorFixture, format: &str) -> Output {
    let program = fixture.folder.path().join("generator");
    fs::copy(PROGRAM, &program).unwrap();
    let mut command = std::process::Command::new(program);
    command.arg("--root").arg(fixture.node.root());
    command.arg("--cdi-dir").arg(fixture.cdi()).args(["--format", format]);
    if Uid::effective().is_root() {
        let nobody = User::from_name("nobody").unwrap().unwrap();
        fs::set_permissions(fixture.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
    } else {
        fs::set_permissions(fixture.cdi(), fs::Permissions::from_mode(0o555)).unwrap();
    }
    let output = command.output().unwrap().into();
    fs::set_permissions(fixture.cdi(), fs::Permissions::from_mode(0o755)).unwrap();
    output
}

#[test]
fn without_the_right_to_write() {
    for task in Task::ALL {
        let fixture = GeneratorFixture::one();
        task.prepare(&fixture);
        assert_nothing_done(task, &fixture, "Permission denied (os error 13)", || {
            as_nobody(&fixture, task.format())
        });
    }
}

#[test]
fn on_a_read_only_file_system() {
    if !mounts::are_own("on_a_read_only_file_system") {
        return;
    }
    for task in Task::ALL {
        let fixture = GeneratorFixture::one();
        let memory = Memory::at(&fixture.cdi(), "mode=0755");
        task.prepare(&fixture);
        memory.make_read_only();
        assert_nothing_done(task, &fixture, "Read-only file system (os error 30)", || {
            fixture.write(["--format", task.format()])
        });
    }
}

#[test]
fn below_a_read_only_directory() {
    if !mounts::are_own("below_a_read_only_directory") {
        return;
    }
    let fixture = GeneratorFixture::one();
    let parent = fixture.folder.path().join("etc");
    let memory = Memory::at(&parent, "mode=0755");
    memory.make_read_only();
    let cdi = parent.join("cdi");
    let output = fixture.generator().write_to(&cdi);
    let what = format!("cannot create {}", cdi.display());
    assert_refused(
        &output,
        &cdi.join("hpe.com-cxi.yaml"),
        &what,
        "Read-only file system (os error 30)",
    );
    assert_eq!(listing(&parent), []);
}

/// Grows the file system by a page at a time, so that the disk is full before the first byte of the new spec, between any two
/// pages of it, and not at all.
#[test]
fn on_a_file_system_that_is_full() {
    if !mounts::are_own("on_a_file_system_that_is_full") {
        return;
    }
    let page = sysconf(SysconfVar::PAGE_SIZE).unwrap().unwrap();
    for task in [Task::Replace, Task::ChangeFormat] {
        let mut refused = 0;
        loop {
            let fixture = GeneratorFixture::one();
            // The neighbours and the old spec take a page each; of 0 pages tmpfs makes no limit.
            let _memory = Memory::at(&fixture.cdi(), &format!("mode=0755,size={}", (3 + refused) * page));
            task.prepare(&fixture);
            (0..40).for_each(|_| drop(fixture.node.add(&NicSpec::new(Kind::Cassini1)).unwrap()));
            let before = listing(&fixture.cdi());
            let output = fixture.write(["--format", task.format()]);
            if output.code == 0 {
                break;
            }
            let file = fixture.file(task.format());
            let what = format!("cannot write {}", file.display());
            assert_refused(&output, &file, &what, "No space left on device (os error 28)");
            assert_eq!(listing(&fixture.cdi()), before, "{task:?}, {refused} pages free");
            refused += 1;
        }
        assert!(refused > 0, "{task:?}: the disk was never full");
        say(&format!(
            "{task:?}: the disk was full at {refused} places of the new spec"
        ));
    }
}

/// Bytes are free, but there can be no further file.
#[test]
fn on_a_file_system_without_inodes() {
    if !mounts::are_own("on_a_file_system_without_inodes") {
        return;
    }
    for task in [Task::Replace, Task::ChangeFormat] {
        let fixture = GeneratorFixture::one();
        // The directory itself, the neighbours, and the spec under its temporary name.
        let _memory = Memory::at(&fixture.cdi(), "mode=0755,nr_inodes=4");
        task.prepare(&fixture);
        assert_nothing_done(task, &fixture, "No space left on device (os error 28)", || {
            fixture.write(["--format", task.format()])
        });
    }
}

/// To remove takes no space: a full disk does not keep a spec that names NICs which are gone.
#[test]
fn a_full_disk_does_not_keep_a_stale_spec() {
    if !mounts::are_own("a_full_disk_does_not_keep_a_stale_spec") {
        return;
    }
    let page = sysconf(SysconfVar::PAGE_SIZE).unwrap().unwrap();
    let fixture = GeneratorFixture::one();
    let _memory = Memory::at(&fixture.cdi(), &format!("mode=0755,size={},nr_inodes=4", 3 * page));
    Task::Remove.prepare(&fixture);
    let output = fixture.write([]);
    let removed = format!("no usable CXI NIC: removed {}\n", fixture.file("yaml").display());
    assert_eq!((output.code, output.stdout, output.stderr), (0, removed, String::new()));
    assert_eq!(listing(&fixture.cdi()).len(), NEIGHBOURS.len());
}

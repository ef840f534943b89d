//! The system refuses what the generator wants to write: its CDI directory stays as it was to the inode, the exit code is 1,
//! and the message says which file, what was tried, and what the system said.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use common::mounts::{self, Memory};
use common::stage::{FIRST, PROGRAM, Stage};
use common::{Said, listing, say};
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
    fn refused(self, stage: &Stage) -> String {
        match self {
            Self::Replace | Self::ChangeFormat => format!("cannot create a file in {}", stage.cdi().display()),
            Self::Remove => format!("cannot remove {}", stage.file("yaml").display()),
        }
    }

    /// Writes the spec of the node as it was, beside those of others, and makes the task.
    fn prepare(self, stage: &Stage) {
        fs::create_dir_all(stage.cdi()).unwrap();
        for (name, text) in NEIGHBOURS {
            fs::write(stage.cdi().join(name), text).unwrap();
        }
        assert_eq!(stage.write([]).code, 0);
        match self {
            Self::Replace | Self::ChangeFormat => drop(stage.node.rebind(FIRST).unwrap()),
            Self::Remove => stage.node.remove(FIRST).unwrap(),
        }
    }
}

fn assert_refused(said: &Said, file: &Path, what: &str, reason: &str) {
    let message = format!(
        "cxi-cdi-generator: {} stays as it was\n  because: {what}\n  because: {reason}",
        file.display()
    );
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:?}");
    assert!(said.stderr.starts_with(&message), "wanted: {message}\ngot: {said:?}");
    assert_eq!(said.stderr.lines().count(), 3, "{said:?}");
}

/// Runs the generator where it may make and remove nothing.
fn assert_nothing_done(task: Task, stage: &Stage, reason: &str, run: impl FnOnce() -> Said) {
    let before = listing(&stage.cdi());
    let said = run();
    assert_refused(&said, &stage.file(task.format()), &task.refused(stage), reason);
    assert_eq!(listing(&stage.cdi()), before, "{task:?}");
}

/// Root may write everywhere, so as root the generator runs as nobody.
fn as_nobody(stage: &Stage, format: &str) -> Said {
    let program = stage.folder.path().join("generator");
    fs::copy(PROGRAM, &program).unwrap();
    let mut command = std::process::Command::new(program);
    command.arg("--root").arg(stage.node.root());
    command.arg("--cdi-dir").arg(stage.cdi()).args(["--format", format]);
    if Uid::effective().is_root() {
        let nobody = User::from_name("nobody").unwrap().unwrap();
        fs::set_permissions(stage.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
    } else {
        fs::set_permissions(stage.cdi(), fs::Permissions::from_mode(0o555)).unwrap();
    }
    let said = command.output().unwrap().into();
    fs::set_permissions(stage.cdi(), fs::Permissions::from_mode(0o755)).unwrap();
    said
}

#[test]
fn without_the_right_to_write() {
    for task in Task::ALL {
        let stage = Stage::one();
        task.prepare(&stage);
        assert_nothing_done(task, &stage, "Permission denied (os error 13)", || {
            as_nobody(&stage, task.format())
        });
    }
}

#[test]
fn on_a_read_only_file_system() {
    if !mounts::are_own("on_a_read_only_file_system") {
        return;
    }
    for task in Task::ALL {
        let stage = Stage::one();
        let memory = Memory::at(&stage.cdi(), "mode=0755");
        task.prepare(&stage);
        memory.make_read_only();
        assert_nothing_done(task, &stage, "Read-only file system (os error 30)", || {
            stage.write(["--format", task.format()])
        });
    }
}

#[test]
fn below_a_read_only_directory() {
    if !mounts::are_own("below_a_read_only_directory") {
        return;
    }
    let stage = Stage::one();
    let parent = stage.folder.path().join("etc");
    let memory = Memory::at(&parent, "mode=0755");
    memory.make_read_only();
    let cdi = parent.join("cdi");
    let said = stage.generator().write_to(&cdi);
    let what = format!("cannot create {}", cdi.display());
    assert_refused(
        &said,
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
            let stage = Stage::one();
            // The neighbours and the old spec take a page each; of 0 pages tmpfs makes no limit.
            let _memory = Memory::at(&stage.cdi(), &format!("mode=0755,size={}", (3 + refused) * page));
            task.prepare(&stage);
            (0..40).for_each(|_| drop(stage.node.add(&NicSpec::new(Kind::Cassini1)).unwrap()));
            let before = listing(&stage.cdi());
            let said = stage.write(["--format", task.format()]);
            if said.code == 0 {
                break;
            }
            let file = stage.file(task.format());
            let what = format!("cannot write {}", file.display());
            assert_refused(&said, &file, &what, "No space left on device (os error 28)");
            assert_eq!(listing(&stage.cdi()), before, "{task:?}, {refused} pages free");
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
        let stage = Stage::one();
        // The directory itself, the neighbours, and the spec under its temporary name.
        let _memory = Memory::at(&stage.cdi(), "mode=0755,nr_inodes=4");
        task.prepare(&stage);
        assert_nothing_done(task, &stage, "No space left on device (os error 28)", || {
            stage.write(["--format", task.format()])
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
    let stage = Stage::one();
    let _memory = Memory::at(&stage.cdi(), &format!("mode=0755,size={},nr_inodes=4", 3 * page));
    Task::Remove.prepare(&stage);
    let said = stage.write([]);
    let removed = format!("no usable CXI NIC: removed {}\n", stage.file("yaml").display());
    assert_eq!((said.code, said.stdout, said.stderr), (0, removed, String::new()));
    assert_eq!(listing(&stage.cdi()).len(), NEIGHBOURS.len());
}

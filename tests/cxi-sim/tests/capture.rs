//! Bundles come from elsewhere: what is in one stays in the directory that was named.
#![cfg(test)]

use std::fs::{self, File};
use std::path::Path;

use cxi_sim::node::{Error, capture, scratch_dir};
use tar::{Builder, EntryType, Header};

type Content<'a> = (&'a str, EntryType, &'a str);

/// An archive with these names as they are, even where no archiver would write them.
fn archive(path: &Path, contents: &[Content]) {
    let mut builder = Builder::new(File::create(path).expect("created"));
    for (name, kind, content) in contents {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        let bytes = if *kind == EntryType::Regular { *content } else { "" };
        header.set_size(bytes.len() as u64);
        if *kind == EntryType::Symlink {
            header.set_link_name(content).expect("short");
        }
        if let (EntryType::Char, Some((major, minor))) = (*kind, content.split_once(':')) {
            header.set_device_major(major.parse().expect("number")).expect("small");
            header.set_device_minor(minor.parse().expect("number")).expect("small");
        }
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, bytes.as_bytes()).expect("appended");
    }
    builder.finish().expect("finished");
}

#[test]
fn nothing_is_written_outside_of_the_directory() {
    let folder = scratch_dir().expect("temporary directory");
    let (bundle, dir, outside) = (
        folder.path().join("x.tar"),
        folder.path().join("dir"),
        folder.path().join("outside"),
    );
    fs::create_dir(&outside).expect("created");
    archive(&bundle, &[("root/../../outside/x", EntryType::Regular, "x")]);
    let error = capture(&bundle, &dir).expect_err("refused").to_string();
    assert!(error.contains("leaves the tree"), "{error}");

    // A link, and something to be written through it.
    fs::remove_dir_all(&dir).expect("removed");
    let target = outside.to_str().expect("UTF-8");
    archive(
        &bundle,
        &[
            ("root/link", EntryType::Symlink, target),
            ("root/link/x", EntryType::Regular, "x"),
        ],
    );
    assert!(
        capture(&bundle, &dir).is_err(),
        "a link cannot stand where a directory does"
    );
    assert_eq!(fs::read_dir(&outside).expect("listed").count(), 0);
}

#[test]
fn what_is_no_bundle_is_refused() {
    let folder = scratch_dir().expect("temporary directory");
    let (bundle, dir) = (folder.path().join("x.tar"), folder.path().join("dir"));
    for (contents, why) in [
        (&[("root/x", EntryType::Fifo, "")][..], "of a kind"),
        (&[("README", EntryType::Regular, "hello")], "there is no root/ in it"),
        (&[("libraries.json", EntryType::Regular, "[")], "EOF"),
    ] {
        archive(&bundle, contents);
        let error = capture(&bundle, &dir).expect_err("refused");
        assert!(matches!(error, Error::Bundle { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    fs::write(&bundle, "no archive".repeat(100)).expect("written");
    assert!(matches!(capture(&bundle, &dir), Err(Error::Bundle { .. })));
    fs::write(dir.join("precious"), "").expect("written");
    assert!(matches!(capture(&bundle, &dir), Err(Error::NotEmpty(_))));
}

/// Programs hold the node against what the class says of it.
#[test]
fn a_node_that_was_the_drivers_still_is_and_a_stale_one_is_not() {
    let folder = scratch_dir().expect("temporary directory");
    let (bundle, dir) = (folder.path().join("x.tar"), folder.path().join("dir"));
    archive(
        &bundle,
        &[
            ("root/dev/cxi0", EntryType::Char, "241:0"),
            ("root/dev/cxi1", EntryType::Char, "241:1"),
            ("root/sys/devices/x/cxi_user/cxi0/dev", EntryType::Regular, "241:0\n"),
            ("root/sys/devices/y/cxi_user/cxi1/dev", EntryType::Regular, "240:1\n"),
        ],
    );
    capture(&bundle, &dir).expect("captured");
    let text = |path: &str| fs::read_to_string(dir.join("sys/devices").join(path)).expect("there");
    assert_eq!(text("x/cxi_user/cxi0/dev"), "1:7\n");
    assert_eq!(text("y/cxi_user/cxi1/dev"), "240:1\n");
    assert!(dir.join("dev/cxi0").exists() && dir.join("dev/cxi1").exists());
}

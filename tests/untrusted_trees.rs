//! Trees that belong to somebody else: `verify --rootfs` and `explain --pid` open nothing outside of them and nothing that is
//! no file for data, whatever is put there or swapped while they look. The kernel is the witness (inotify).
#![cfg(test)]

mod common;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::cc::{Library, PLAIN};
use common::generator_fixture::GeneratorFixture;
use common::skip::{Need, skip};
use common::{Generator, Output, hang, mounts, say};
use inotify::{EventMask, Inotify, WatchMask};
use nix::fcntl::{RenameFlags, renameat2};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::mkfifo;

const ARCH: &str = std::env::consts::ARCH;

/// An image, something outside, and a host with libfabric.
struct TreeFixture(GeneratorFixture);

impl TreeFixture {
    fn new() -> Self {
        let fixture = Self(GeneratorFixture::one());
        for place in [
            "image/usr/lib64",
            "image/etc",
            "image/lib64",
            "image/lib",
            "outside/usr",
        ] {
            fs::create_dir_all(fixture.at(place)).unwrap();
        }
        let libc = Library {
            soname: "libc.so.6",
            versions: &["GLIBC_2.4"],
            ..PLAIN
        };
        libc.make(&fixture.at("image/usr/lib64"));
        fs::write(fixture.at("image/etc/ld.so.cache"), CACHE).unwrap();
        fs::write(fixture.at("image").join(loader()), LOADER).unwrap();
        // All the same outside, so that whoever gets there finds what it looks for.
        fs::write(fixture.at("outside/file"), CACHE).unwrap();
        libc.make(&fixture.at("outside/usr/lib64"));
        fixture
    }

    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.folder.path().join(path)
    }

    fn verify(&self) -> Output {
        let mut generator = Generator::new();
        generator.arg("verify").arg("--root").arg(self.0.node.root());
        generator.arg("--rootfs").arg(self.at("image"));
        generator.args(["--output", "json"]).output()
    }

    /// Where what is read of an image is.
    fn read(&self) -> Vec<PathBuf> {
        let image = self.at("image");
        [
            "etc/ld.so.cache",
            "usr/lib64/libc.so.6",
            "usr/lib64/libfabric.so.1",
            loader(),
        ]
        .map(|path| image.join(path))
        .into()
    }
}

const CACHE: &[u8] = b"no cache at all, but a file";
const LOADER: &[u8] = b"\0/lib64/\0/usr/lib64/\0";

fn loader() -> &'static str {
    match ARCH {
        "aarch64" => "lib/ld-linux-aarch64.so.1",
        _ => "lib64/ld-linux-x86-64.so.2",
    }
}

/// Hears of everything that is opened.
struct Witness(Inotify);

impl Witness {
    /// Of these files and of what is in these directories.
    fn of(places: &[PathBuf]) -> Self {
        let inotify = Inotify::init().unwrap();
        for place in places {
            let mask = WatchMask::OPEN | WatchMask::ACCESS | WatchMask::DONT_FOLLOW;
            inotify.watches().add(place, mask).unwrap();
        }
        Self(inotify)
    }

    fn saw(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.0.read_events(&mut buffer) {
                Ok(events) => seen.extend(events.map(|event| shown(event.mask, event.name))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return seen,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn shown(mask: EventMask, name: Option<&OsStr>) -> String {
    format!("{mask:?} {}", name.unwrap_or_default().display())
}

/// What an owner of the tree may put in the place of a file.
const TRAPS: [&str; 5] = ["link", "relative", "pipe", "device", "directory"];

/// Makes a trap at `place`; false where that takes rights that we lack.
fn set(trap: &str, place: &Path, outside: &Path) -> bool {
    match trap {
        "link" => symlink(outside.join("file"), place).unwrap(),
        "relative" => {
            let up = "../".repeat(place.components().count() + 4);
            let from_top = outside.strip_prefix("/").unwrap().join("file");
            symlink(Path::new(&up).join(from_top), place).unwrap();
        }
        "pipe" => mkfifo(place, Mode::S_IRWXU).unwrap(),
        // As /dev/full, of which nothing happens.
        "device" => return mknod(place, SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 7)).is_ok(),
        _ => fs::create_dir(place).unwrap(),
    }
    true
}

#[test]
fn nothing_outside_and_no_pipe_or_device_is_opened() {
    let fixture = TreeFixture::new();
    let mut lacks_devices = false;
    for place in fixture.read() {
        for trap in TRAPS {
            let aside = fixture.at("aside");
            let _ = fs::rename(&place, &aside);
            if !set(trap, &place, &fixture.at("outside")) {
                lacks_devices = true;
                let _ = fs::rename(&aside, &place);
                continue;
            }
            let mut watched = vec![fixture.at("outside"), fixture.at("outside/file")];
            if matches!(trap, "pipe" | "device") {
                watched.push(place.clone());
            }
            let mut witness = Witness::of(&watched);
            let output = fixture.verify();
            assert_eq!(witness.saw(), [""; 0], "{trap} at {}", place.display());
            assert!(
                matches!(output.code, 0 | 3),
                "{trap} at {}: {output:?}",
                place.display()
            );
            if trap == "directory" {
                fs::remove_dir(&place).unwrap();
            } else {
                fs::remove_file(&place).unwrap();
            }
            let _ = fs::rename(&aside, &place);
        }
    }
    if lacks_devices {
        skip(Need::Root, "no device nodes can be made");
    }
}

/// That the witness hears what it should.
#[test]
fn the_witness_hears_of_an_open_and_not_of_a_look() {
    let fixture = TreeFixture::new();
    let file = fixture.at("outside/file");
    let mut witness = Witness::of(&[fixture.at("outside")]);
    fs::metadata(&file).unwrap();
    assert_eq!(witness.saw(), [""; 0]);
    fs::read(&file).unwrap();
    assert!(witness.saw().iter().any(|event| event.contains("OPEN")));
}

/// An owner who swaps files, directories and links as fast as it can. It holds its own directories open: by their paths it
/// would itself follow the links out that it has just made.
struct Racer {
    random: fastrand::Rng,
    spare: File,
    /// In the spare directory what is exchanged with which name of which directory.
    pairs: Vec<(String, File, OsString)>,
}

impl Racer {
    fn new(fixture: &TreeFixture, seed: u64) -> Self {
        let spare = fixture.at("spare");
        fs::create_dir(&spare).unwrap();
        let outside = fixture.at("outside");
        let mut pairs = Vec::new();
        let mut add = |place: &Path, make: &dyn Fn(&Path) -> bool| {
            let name = pairs.len().to_string();
            if make(&spare.join(&name)) {
                let directory = File::open(place.parent().unwrap()).unwrap();
                pairs.push((name, directory, place.file_name().unwrap().to_owned()));
            }
        };
        for place in fixture.read() {
            for trap in ["link", "relative", "pipe", "device"] {
                add(&place, &|aside| set(trap, aside, &outside));
            }
        }
        for directory in ["usr", "usr/lib64", "etc"] {
            let way_out = |aside: &Path| symlink(outside.join(directory), aside).is_ok();
            add(&fixture.at("image").join(directory), &way_out);
        }
        Self {
            random: fastrand::Rng::with_seed(seed),
            spare: File::open(spare).unwrap(),
            pairs,
        }
    }

    fn run(mut self, over: &AtomicBool) {
        while !over.load(Ordering::Relaxed) {
            let (aside, directory, name) = &self.pairs[self.random.usize(..self.pairs.len())];
            let flags = RenameFlags::RENAME_EXCHANGE;
            renameat2(&self.spare, aside.as_str(), directory, name.as_os_str(), flags).unwrap();
        }
    }
}

/// What must not be opened, wherever it stands by now.
fn forbidden(fixture: &TreeFixture) -> Vec<PathBuf> {
    let outside = [
        "outside",
        "outside/file",
        "outside/usr",
        "outside/usr/lib64",
        "outside/usr/lib64/libc.so.6",
    ];
    outside.map(|place| fixture.at(place)).into()
}

/// Pipes and devices that the racer has made.
fn never_to_open(spare: &Path) -> Vec<PathBuf> {
    let made = fs::read_dir(spare).unwrap().map(|entry| entry.unwrap());
    let special = made.filter(|entry| {
        entry
            .file_type()
            .is_ok_and(|kind| !kind.is_symlink() && !kind.is_file())
    });
    special.map(|entry| entry.path()).collect()
}

#[test]
fn a_tree_that_changes_at_every_moment_leads_nowhere_outside() {
    let seed = std::env::var("CXI_RANDOM_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    let rounds: usize = std::env::var("CXI_RANDOM_ROUNDS")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(1000);
    say(&format!("CXI_RANDOM_SEED={seed}"));
    let fixture = TreeFixture::new();
    // In the image from the first, so that an exchange finds something in each place.
    fs::write(fixture.at("image/usr/lib64/libfabric.so.1"), CACHE).unwrap();
    let racer = Racer::new(&fixture, seed);
    let watched = [forbidden(&fixture), never_to_open(&fixture.at("spare"))].concat();
    let mut witness = Witness::of(&watched);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| racer.run(&over));
        for round in 0..rounds {
            let output = fixture.verify();
            if !matches!(output.code, 0 | 3) {
                over.store(true, Ordering::Relaxed);
                panic!("round {round}, seed {seed}: {output:?}");
            }
            let saw = witness.saw();
            if !saw.is_empty() {
                over.store(true, Ordering::Relaxed);
                panic!("round {round}, seed {seed}: {saw:?}");
            }
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn files_of_the_kernel_are_not_read() {
    if !mounts::are_own("files_of_the_kernel_are_not_read") {
        return;
    }
    let fixture = TreeFixture::new();
    let mut lacking = Vec::new();
    let systems = [("proc", "version"), ("sysfs", "kernel/uevent_seqnum"), ("tmpfs", "")];
    for (kind, file) in systems {
        let place = fixture.at("image").join(kind);
        fs::create_dir(&place).unwrap();
        if let Err(error) = mount(Some(kind), &place, Some(kind), MsFlags::empty(), None::<&str>) {
            lacking.push(format!("no {kind} can be mounted: {error}"));
            continue;
        }
        let loader = fixture.at("image").join(loader());
        fs::remove_file(&loader).unwrap();
        // Of a file system for data the same is read.
        let file = if file.is_empty() {
            File::create(place.join("loader")).unwrap().write_all(LOADER).unwrap();
            "loader"
        } else {
            file
        };
        symlink(Path::new("/").join(kind).join(file), &loader).unwrap();
        let output = fixture.verify();
        let found: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let expected = if kind == "tmpfs" { "glibc" } else { "none" };
        assert_eq!(found["libc"], expected, "{kind}: {output:?}");
    }
    if !lacking.is_empty() {
        skip(Need::Root, lacking.join(", "));
    }
}

#[test]
fn a_tree_that_hangs_is_named_and_ends_the_command() {
    if !mounts::are_own("a_tree_that_hangs_is_named_and_ends_the_command") {
        return;
    }
    if !hang::Hang::possible() {
        return skip(Need::Fuse, "/dev/fuse cannot be opened");
    }
    let fixture = TreeFixture::new();
    let place = fixture.at("image/usr");
    let hang = hang::Hang::at(place.clone());
    // A program that is not done by then would never be.
    let (send, answer) = mpsc::channel();
    let output = thread::scope(|scope| {
        scope.spawn(|| send.send(fixture.verify()));
        let output = answer.recv_timeout(Duration::from_secs(90));
        output.unwrap_or_else(|_| {
            say("verify hangs");
            process::abort()
        })
    });
    assert_eq!(output.code, 1, "{output:?}");
    let expected = format!("{}/", place.display());
    assert!(
        output.stderr.contains(&expected) && output.stderr.contains("does not answer for 10 s"),
        "{output:?}"
    );
    hang.end();
    assert_eq!(fixture.verify().code, 0);
}

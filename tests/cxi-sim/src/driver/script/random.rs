//! Scripts by a seed: mostly sensible, about few services, so that they get in each other's way.

use fastrand::Rng;

const FILES: [&str; 2] = ["A", "B"];
/// What there is to begin with, so that more than refusals comes of the rest.
const BEGINNING: &str = "\
A root enable 1 1
A root alloc vnis=20,21 limits=TLE:0:0
A root alloc limits=TLE:0:0
A root set-range 3 64 127
A root enable 3 1
A root alloc flags=1 limits=TLE:0:0
A alice lni-alloc 1
B root lni-alloc 2
";
const CALLERS: [&str; 8] = ["root", "root@a", "root@b", "bare", "alice", "alice@a", "bob", "bob@b"];
const VNIS: [&str; 7] = ["1", "10", "20", "21", "64", "70", "4096"];
const MEMBERS: [&str; 9] = [
    "ignore:0",
    "uid:1000",
    "uid:0",
    "gid:100",
    "gid:0",
    "netns:5",
    "uid:1001",
    "uid:4294967295",
    "4:1",
];
const NAMESPACES: [&str; 6] = ["a", "b", "host", "0", "77", "4294967295"];
/// Of traffic: mostly those that there are.
const CLASSES: [&str; 9] = ["1", "2", "3", "1", "3", "0", "4", "5", "8"];
const TYPES: [&str; 7] = ["0", "0", "0", "1", "2", "3", "4"];
/// Sizes and numbers of commands that are none.
const SIZES: [&str; 5] = ["0", "3", "8", "24", "96"];

/// A script of so many commands. The same seed makes the same.
pub fn generate(seed: u64, commands: usize) -> String {
    let mut random = Rng::with_seed(seed);
    let mut script: String = FILES.iter().map(|file| format!("open {file}\n")).collect();
    script += BEGINNING;
    for _ in 0..commands {
        let file = pick(&mut random, &FILES);
        let line = if random.u8(..60) == 0 {
            format!("close {file}\nopen {file}")
        } else {
            command(&mut random, file)
        };
        script += &line;
        script.push('\n');
    }
    script
}

fn pick<'a>(random: &mut Rng, from: &[&'a str]) -> &'a str {
    random.choice(from).copied().unwrap_or_default()
}

fn command(random: &mut Rng, file: &str) -> String {
    // An admin's commands are mostly an admin's.
    let admin = if random.u8(..12) == 0 {
        pick(random, &CALLERS)
    } else {
        "root"
    };
    let anybody = pick(random, &CALLERS);
    let service = random.u32(1..7);
    let lni = random.u32(1..5);
    let (who, what) = match random.u32(..40) {
        0..=5 => (admin, format!("alloc {}", descriptor(random))),
        6 => (admin, format!("update {service} {}", descriptor(random))),
        7..=8 => (admin, format!("destroy {service}")),
        9..=12 => (admin, format!("enable {service} {}", random.u8(..2))),
        13..=15 => (admin, format!("set-range {service} {}", range(random))),
        16..=17 => (admin, format!("set-netns {service} {}", pick(random, &NAMESPACES))),
        18 => (admin, format!("set-lpr {service} {}", random.u8(..10))),
        19 => (admin, format!("set-exclusive {service} {}", random.u8(..2))),
        20..=24 => (anybody, format!("lni-alloc {service}")),
        25 => (anybody, format!("lni-free {lni}")),
        26..=29 => (anybody, format!("domain-alloc {lni} {} {}", vni(random), pid(random))),
        30 => (anybody, format!("domain-free {}", random.u32(1..6))),
        31..=32 => (
            anybody,
            format!(
                "cp-alloc {lni} {} {} {}",
                vni(random),
                pick(random, &CLASSES),
                pick(random, &TYPES)
            ),
        ),
        33 => (anybody, format!("cp-free {}", random.u32(..4))),
        34 => (anybody, format!("list {}", random.u32(..12))),
        35 => (anybody, format!("list-use {}", random.u32(..12))),
        36..=38 => (anybody, getter(random, service)),
        _ => (
            anybody,
            format!("op{} size={}", random.u32(..112), pick(random, &SIZES)),
        ),
    };
    let twist = match random.u8(..30) {
        0 => " resp=none",
        1 => " size=12",
        2 => " edge",
        _ => "",
    };
    format!("{file} {who} {what}{twist}")
}

fn getter(random: &mut Rng, service: u32) -> String {
    let name = pick(
        random,
        &["get", "use", "get-lpr", "get-exclusive", "get-range", "get-netns"],
    );
    match random.u8(..12) {
        0 => "info".to_owned(),
        1 => "properties".to_owned(),
        _ => format!("{name} {service}"),
    }
}

fn vni(random: &mut Rng) -> &'static str {
    pick(
        random,
        &["1", "10", "20", "21", "64", "70", "127", "4096", "0", "65536", "5"],
    )
}

fn pid(random: &mut Rng) -> &'static str {
    pick(random, &["511", "511", "0", "1", "7", "510", "512"])
}

fn range(random: &mut Rng) -> &'static str {
    pick(
        random,
        &[
            "64 127",
            "64 127",
            "64 95",
            "128 255",
            "4096 4159",
            "20 20",
            "1 1",
            "32 95",
            "0 63",
            "70000 70001",
            "9 8",
        ],
    )
}

fn descriptor(random: &mut Rng) -> String {
    let mut fields = Vec::new();
    if random.u8(..3) > 0 {
        let vnis: Vec<&str> = (0..random.usize(..3)).map(|_| pick(random, &VNIS)).collect();
        if !vnis.is_empty() {
            fields.push(format!("vnis={}", vnis.join(",")));
        }
    }
    if random.u8(..4) == 0 {
        fields.push("flags=1".to_owned());
    } else if random.bool() {
        let members: Vec<&str> = (0..2).map(|_| pick(random, &MEMBERS)).collect();
        fields.push(format!("members={}", members.join(",")));
    }
    if random.u8(..3) == 0 {
        fields.push(format!("tcs={},{}", random.u8(..5), random.u8(..5)));
    }
    // Mostly without a pool, of which there are few.
    match random.u8(..8) {
        0 => {}
        1 => fields.push("limits=TLE:9:9,LE:16384:1".to_owned()),
        2 => fields.push(format!("limits=PTE:2048:{},AC:20:20", random.u16(..2100))),
        _ => fields.push("limits=TLE:0:0".to_owned()),
    }
    if random.u8(..8) == 0 {
        fields.push(format!("byte15={}", random.u8(..)));
    }
    fields.join(" ")
}

//! The texts of `/proc/PID`, written by the kernel but in part about what the process has chosen: taken with care.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::facts::{Identity, MappedIds};
use crate::model::nic::pci::PciAddress;

/// Capabilities as bits of `CapEff`.
const DAC_OVERRIDE: u64 = 1 << 1;
const SYS_PTRACE: u64 = 1 << 19;

/// `status`: whether a filter of system calls holds, and whether it may trace others in the host's user namespace.
pub fn is_filtered(status: &str) -> bool {
    field(status, "Seccomp").is_some_and(|mode| mode != "0")
}

/// The number of an id that a user namespace does not have.
const OVERFLOW: u32 = 65534;

/// `status`: CAP_SYS_PTRACE.
pub fn may_trace(status: &str) -> bool {
    let capabilities = field(status, "CapEff").and_then(|text| u64::from_str_radix(text, 16).ok());
    capabilities.is_some_and(|capabilities| capabilities & SYS_PTRACE != 0)
}

/// `uid_map` or `gid_map`: those of the host that a user namespace has, as the first one and how many.
pub fn mapped(map: &str) -> Vec<(u32, u32)> {
    let numbers = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    map.lines().filter_map(numbers).collect()
}

/// The number that an id of the host has in a user namespace, by its `uid_map` or `gid_map`; the id itself where that tells nothing.
fn seen(map: &str, id: u32) -> u32 {
    let number = |line: &str| {
        let mut fields = line.split_ascii_whitespace().map(str::parse);
        let mut field = || fields.next()?.ok();
        let (inside, outside, count): (u32, u32, u32) = (field()?, field()?, field()?);
        let place = id.checked_sub(outside).filter(|place| *place < count)?;
        inside.checked_add(place)
    };
    let unmapped = if map.trim().is_empty() { id } else { OVERFLOW };
    map.lines().find_map(number).unwrap_or(unmapped)
}

/// `status`: name, state and ids. CAP_DAC_OVERRIDE counts for everything in the user namespace that owns the device nodes, and in
/// another one for what belongs to its users and groups, by `maps` of both.
pub fn identity(status: &str, in_host_users: bool, maps: (&str, &str)) -> Option<Identity> {
    // The last number is that of the file system's view.
    let last = |name: &str| field(status, name)?.split_ascii_whitespace().last()?.parse().ok();
    let groups = field(status, "Groups").unwrap_or_default();
    let capabilities = u64::from_str_radix(field(status, "CapEff")?, 16).ok()?;
    let (uid, gid) = (last("Uid")?, last("Gid")?);
    Some(Identity {
        uid,
        seen: if in_host_users {
            (uid, gid)
        } else {
            (seen(maps.0, uid), seen(maps.1, gid))
        },
        gids: std::iter::once(gid)
            .chain(groups.split_ascii_whitespace().filter_map(|gid| gid.parse().ok()))
            .collect(),
        overrides_modes: in_host_users && capabilities & DAC_OVERRIDE != 0,
        overrides_of: if !in_host_users && capabilities & DAC_OVERRIDE != 0 {
            MappedIds {
                users: mapped(maps.0),
                groups: mapped(maps.1),
            }
        } else {
            MappedIds::default()
        },
    })
}

/// The number of a namespace, from the kernel's `net:[4026531840]`.
pub fn namespace(link: &Path) -> Option<u32> {
    let (_, number) = link.to_str()?.split_once(":[")?;
    number.strip_suffix(']')?.parse().ok()
}

/// A line `NAME:<tab>VALUE` of `status`. The name of the process comes first there and has its line ends escaped.
pub fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = status.lines();
    lines
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// `limits`: the soft limit of locked memory in bytes; the inner none for no limit.
pub fn memlock(limits: &str) -> Option<Option<u64>> {
    let values = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    match values.split_ascii_whitespace().next()? {
        "unlimited" => Some(None),
        bytes => bytes.parse().ok().map(Some),
    }
}

/// `environ`: of a name that is there twice, the first one counts, as for `getenv`.
pub fn environment(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for entry in bytes.split(|byte| *byte == 0) {
        if let Some((key, value)) = String::from_utf8_lossy(entry).split_once('=') {
            variables.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    variables
}

/// `mountinfo`: whether the mount that `path` is on forbids devices.
pub fn is_nodev(mountinfo: &str, path: &str) -> bool {
    let mounts = mountinfo.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(4);
        Some((fields.next()?, fields.next()?))
    });
    // Of two on one place the later one covers the earlier.
    let covering = mounts
        .filter(|(point, _)| {
            let rest = path.strip_prefix(point.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|(point, _)| point.len());
    covering.is_some_and(|(_, options)| options.split(',').any(|option| option == "nodev"))
}

/// `cgroup`: the path of the process in the hierarchy of cgroup v1 that has the controller `devices`.
pub fn device_cgroup(cgroup: &str) -> Option<&str> {
    cgroup.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers
            .split(',')
            .any(|controller| controller == "devices")
            .then_some(path)
    })
}

/// `devices.list` of such a cgroup: whether a character device of these numbers may be read and written.
pub fn cgroup_allows(list: &str, numbers: (u64, u64)) -> bool {
    list.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace();
        let kind = fields.next();
        let fits = |pattern: &str, number: u64| pattern == "*" || pattern.parse() == Ok(number);
        let fits_numbers = fields
            .next()
            .and_then(|pair| pair.split_once(':'))
            .is_some_and(|(major, minor)| fits(major, numbers.0) && fits(minor, numbers.1));
        let access = fields.next().unwrap_or_default();
        matches!(kind, Some("a" | "c")) && fits_numbers && access.contains('r') && access.contains('w')
    })
}

/// `cgroup`: where the process is, if that is in a pod, as kubelet and the runtimes name it. No process moves itself there.
pub fn cgroup_of_pod(cgroup: &str) -> Option<&str> {
    let paths = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let is_of_pod = |path: &&str| path.split('/').any(|part| part.starts_with("kubepods"));
    paths.into_iter().find(is_of_pod)
}

/// The NICs that kubelet's answer to a container names in this variable; none where it does not have it.
pub fn given(environment: &BTreeMap<String, String>, variable: &str) -> Option<BTreeSet<PciAddress>> {
    let value = environment.get(variable)?;
    Some(
        value
            .split(',')
            .filter_map(|address| address.trim().parse().ok())
            .collect(),
    )
}

/// The NICs that a container was promised, by the variables that device plugins set (`PCIDEVICE_…`).
pub fn promised(environment: &BTreeMap<String, String>) -> Vec<PciAddress> {
    let variables = environment.iter().filter(|(key, _)| key.starts_with("PCIDEVICE_"));
    variables
        .flat_map(|(_, value)| value.split(',').filter_map(|address| address.trim().parse().ok()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tx\\nUid:\t0\nState:\tS (sleeping)\nUid:\t1000\t1000\t1000\t1001\nGid:\t5\t5\t5\t6\n\
                          Groups:\t7 8 \nCapEff:\t00000000a80425fb\n";

    #[test]
    fn ids_are_those_that_open_files() {
        let identity = identity(STATUS, true, ("", "")).unwrap();
        assert_eq!((identity.uid, identity.gids), (1001, vec![6, 7, 8]));
        assert!(identity.overrides_modes);
        assert!(!super::identity(STATUS, false, ("", "")).unwrap().overrides_modes);
        assert_eq!(field(STATUS, "State"), Some("S (sleeping)"));
        for text in [
            "",
            "Uid:",
            "Uid:\tx\nGid:\t1\nCapEff:\t0",
            "Uid:\t1\nGid:\t1\nCapEff:\tz",
        ] {
            assert_eq!(super::identity(text, true, ("", "")), None, "{text}");
        }
    }

    #[test]
    fn the_soft_limit_counts() {
        let line =
            |soft: &str| format!("Limit  Soft  Hard  Units\nMax locked memory         {soft}   unlimited   bytes\n");
        assert_eq!(memlock(&line("65536")), Some(Some(65536)));
        assert_eq!(memlock(&line("unlimited")), Some(None));
        assert_eq!(memlock(&line("-1")), None);
        assert_eq!(memlock("Max locked memory"), None);
    }

    #[test]
    fn the_first_of_two_variables_counts() {
        let variables = environment(b"A=1\0A=2\0=x\0B\0PCIDEVICE_X=0000:21:00.0,zz\0\xff=\xff\0");
        assert_eq!(variables["A"], "1");
        assert_eq!(promised(&variables), ["0000:21:00.0".parse().unwrap()]);
    }

    #[test]
    fn the_innermost_mount_decides() {
        let mounts = "1 0 0:1 / / rw - overlay o rw\n2 1 0:2 / /dev rw,nosuid - tmpfs t rw\n\
                      3 2 0:3 /cxi0 /dev/cxi0 rw,nodev - devtmpfs d rw\nbroken\n4 1 0:4 / /devel rw,nodev - tmpfs t rw\n";
        assert!(is_nodev(mounts, "/dev/cxi0"));
        assert!(!is_nodev(mounts, "/dev/cxi01") && !is_nodev(mounts, "/dev/cxi1") && !is_nodev("", "/dev/cxi0"));
        let covered = format!("{mounts}5 2 0:5 / /dev rw,nodev - tmpfs t rw\n");
        assert!(is_nodev(&covered, "/dev/cxi1"));
    }

    #[test]
    fn pods_are_told_by_their_cgroup() {
        for (text, path) in [
            (
                "0::/kubepods/burstable/pod1/abc\n",
                Some("/kubepods/burstable/pod1/abc"),
            ),
            (
                "3:devices:/x\n0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope\n",
                Some("/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope"),
            ),
            ("0::/k8s/kubepods:a/b\n", Some("/k8s/kubepods:a/b")),
            ("0::/system.slice/notkubepods\n1:kubepods:/\n0::\n:::\n", None),
        ] {
            assert_eq!(cgroup_of_pod(text), path, "{text}");
        }
    }

    #[test]
    fn what_was_given_is_in_one_variable() {
        let variables = environment(b"PCIDEVICE_A=0000:21:00.0, 0000:61:00.0,x\0PCIDEVICE_B=\0");
        let nics = ["0000:21:00.0", "0000:61:00.0"].map(|nic| nic.parse().unwrap());
        assert_eq!(given(&variables, "PCIDEVICE_A"), Some(nics.into()));
        assert_eq!(given(&variables, "PCIDEVICE_B"), Some([].into()));
        assert_eq!(given(&variables, "PCIDEVICE_C"), None);
    }

    #[test]
    fn a_device_cgroup_lists_what_is_allowed() {
        assert_eq!(device_cgroup("12:devices:/a:b\n0::/x\n"), Some("/a:b"));
        assert_eq!(device_cgroup("0::/x\n"), None);
        for (list, allowed) in [
            ("a *:* rwm", true),
            ("c 1:* m\nc 240:0 rw", true),
            ("c 240:* rwm", true),
            ("c 240:0 r", false),
            ("b 240:0 rw", false),
            ("c 241:0 rw\nc\nc 240", false),
        ] {
            assert_eq!(cgroup_allows(list, (240, 0)), allowed, "{list}");
        }
    }
}

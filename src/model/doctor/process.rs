//! Whether a process is the system's own. Its name says nothing: anybody can give a program any name, in a namespace of
//! their own even as root there.

use std::path::PathBuf;

/// Where the processes of people, virtual machines and containers are, as systemd, kubelet and the runtimes name it.
const OF_OTHERS: [&str; 10] = [
    "user.slice",
    "machine.slice",
    "machine-",
    "kubepods",
    "docker-",
    "docker/",
    "libpod",
    "crio-",
    "cri-containerd",
    "lxc",
];

/// A process of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemProcess {
    /// Its directory in /proc.
    pub path: PathBuf,
    /// The service that it belongs to.
    pub unit: String,
}

/// The service of the system that a process belongs to, by its `status` and `cgroup` in /proc; none for a process of
/// anybody but root, for one that has a number of its own in another namespace, and for one that no service has started.
pub fn system_unit(status: &str, cgroup: &str) -> Option<String> {
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
    let mut owners = value("Uid:")?.split_whitespace();
    let is_roots = owners.clone().count() == 4 && owners.all(|uid| uid == "0");
    let is_of_host = value("NSpid:")?.split_whitespace().count() == 1;
    let unit = unit_of(cgroup)?;
    (is_roots && is_of_host).then_some(unit)
}

/// By systemd's own hierarchy, where there are several.
fn unit_of(cgroup: &str) -> Option<String> {
    let in_hierarchy = |prefix: &str| {
        let mut lines = cgroup.lines();
        lines.find_map(|line| line.split_once(':')?.1.strip_prefix(prefix))
    };
    let path = in_hierarchy("name=systemd:").or_else(|| in_hierarchy(":"))?;
    let mut parts = path.match_indices('/').filter_map(|(at, _)| path.get(at + 1..));
    if parts.any(|part| OF_OTHERS.iter().any(|other| part.starts_with(other))) {
        return None;
    }
    let unit = path.rsplit('/').find(|part| part.ends_with(".service"))?;
    let is_name = unit
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b":_.-@\\".contains(&byte));
    is_name.then(|| unit.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "Name:\tkubelet\nUid:\t0\t0\t0\t0\nNSpid:\t901\n";

    #[test]
    fn a_service_of_root_in_the_hosts_namespace_counts() {
        for (cgroup, unit) in [
            ("0::/system.slice/kubelet.service\n", "kubelet.service"),
            ("0::/system.slice/k3s.service/kubelet\n", "k3s.service"),
            ("0::/kubelet.slice/kubelet.service\n", "kubelet.service"),
            (
                "4:memory:/system.slice\n1:name=systemd:/system.slice/rke2-agent.service\n0::/\n",
                "rke2-agent.service",
            ),
        ] {
            assert_eq!(system_unit(ROOT, cgroup).as_deref(), Some(unit), "{cgroup}");
        }
    }

    #[test]
    fn nobody_elses_process_counts() {
        let service = "0::/system.slice/kubelet.service\n";
        for status in [
            "Uid:\t1000\t1000\t1000\t1000\nNSpid:\t901\n",
            "Uid:\t1000\t0\t0\t0\nNSpid:\t901\n",
            "Uid:\t0\t0\t0\t0\nNSpid:\t901\t17\n",
            "Uid:\t0\nNSpid:\t901\n",
            "NSpid:\t901\n",
            "",
        ] {
            assert_eq!(system_unit(status, service), None, "{status}");
        }
        for cgroup in [
            "0::/user.slice/user-0.slice/session-1.scope\n",
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/kubelet.service\n",
            "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope/kubelet.service\n",
            "0::/system.slice/docker-1.scope/system.slice/kubelet.service\n",
            "0::/machine.slice/x.service\n",
            "0::/docker/0123/system.slice/kubelet.service\n",
            "0::/system.slice/cron.slice\n",
            "0::/system.slice/x;y.service\n",
            "0::/\n",
            "",
        ] {
            assert_eq!(system_unit(ROOT, cgroup), None, "{cgroup}");
        }
    }
}

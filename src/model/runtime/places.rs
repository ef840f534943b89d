//! Where the container runtimes are that people use.

use std::path::{Path, PathBuf};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeKind {
    /// With its CRI plugin.
    Containerd,
    /// CRI-O.
    Crio,
    /// Docker.
    Docker,
    /// Podman, which no daemon serves.
    Podman,
}

impl RuntimeKind {
    /// As people call it, and its processes and units.
    pub fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Crio => "crio",
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// Where a runtime shows, and where its configuration is then.
#[derive(Debug)]
pub struct Sign {
    /// Which runtime.
    pub kind: RuntimeKind,
    /// Its socket, or what else is there wherever it is.
    pub socket: &'static str,
    /// Its process; empty where its socket alone tells.
    pub process: &'static str,
    /// Its configuration.
    pub configuration: &'static str,
    /// Whether others have the same socket, so that only the configuration tells them apart.
    pub is_shared: bool,
}

/// k3s, RKE2, k0s and MicroK8s bring a containerd of their own; the first two keep it behind one socket.
pub const SIGNS: [Sign; 8] = [
    Sign {
        kind: RuntimeKind::Containerd,
        socket: "/run/k3s/containerd/containerd.sock",
        process: "",
        configuration: "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
        is_shared: true,
    },
    Sign {
        kind: RuntimeKind::Containerd,
        socket: "/run/k3s/containerd/containerd.sock",
        process: "",
        configuration: "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
        is_shared: true,
    },
    Sign {
        kind: RuntimeKind::Containerd,
        socket: "/run/k0s/containerd.sock",
        process: "",
        configuration: "/etc/k0s/containerd.toml",
        is_shared: false,
    },
    Sign {
        kind: RuntimeKind::Containerd,
        socket: "/var/snap/microk8s/common/run/containerd.sock",
        process: "",
        configuration: "/var/snap/microk8s/current/args/containerd.toml",
        is_shared: false,
    },
    Sign {
        kind: RuntimeKind::Containerd,
        socket: "/run/containerd/containerd.sock",
        process: "containerd",
        configuration: "/etc/containerd/config.toml",
        is_shared: false,
    },
    Sign {
        kind: RuntimeKind::Crio,
        socket: "/run/crio/crio.sock",
        process: "crio",
        configuration: "/etc/crio/crio.conf",
        is_shared: false,
    },
    Sign {
        kind: RuntimeKind::Docker,
        socket: "/run/docker.sock",
        process: "dockerd",
        configuration: "/etc/docker/daemon.json",
        is_shared: false,
    },
    // It has no socket that is always there: the program is the sign.
    Sign {
        kind: RuntimeKind::Podman,
        socket: "/usr/bin/podman",
        process: "",
        configuration: "/usr/share/containers/containers.conf",
        is_shared: false,
    },
];

/// The sockets at which a kubelet's runtime may be, each once.
pub fn cri_sockets() -> Vec<&'static Path> {
    let mut sockets: Vec<&Path> = Vec::new();
    let serves_cri = |sign: &&Sign| matches!(sign.kind, RuntimeKind::Containerd | RuntimeKind::Crio);
    for sign in SIGNS.iter().filter(serves_cri) {
        let socket = Path::new(sign.socket);
        if !sockets.contains(&socket) {
            sockets.push(socket);
        }
    }
    sockets
}

/// Where the node's runtime is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuntimeEndpoint {
    /// At whichever usual socket is there.
    Auto,
    /// At this socket.
    Socket(PathBuf),
}

impl RuntimeEndpoint {
    const SCHEME: &str = "unix://";

    /// As kubelet and the configuration write it; none if it is neither `auto` nor the URL of a socket.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "auto" {
            return Some(Self::Auto);
        }
        let path = Path::new(text.strip_prefix(Self::SCHEME)?);
        let is_path = path.is_absolute() && !text.contains('\0');
        is_path.then(|| Self::Socket(path.to_owned()))
    }
}

impl std::fmt::Display for RuntimeEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Socket(path) => write!(f, "{}{}", Self::SCHEME, path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_auto_or_the_url_of_a_socket() {
        for text in ["auto", "unix:///run/containerd/containerd.sock"] {
            assert_eq!(RuntimeEndpoint::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "AUTO",
            "/run/x.sock",
            "unix://x.sock",
            "unix://",
            "unix:/run/x",
            "tcp://1.2.3.4:1",
        ] {
            assert_eq!(RuntimeEndpoint::parse(text), None, "{text}");
        }
    }

    #[test]
    fn each_socket_is_asked_once_and_docker_is_not() {
        let sockets = cri_sockets();
        let expected = [
            "/run/k3s/containerd/containerd.sock",
            "/run/k0s/containerd.sock",
            "/var/snap/microk8s/common/run/containerd.sock",
            "/run/containerd/containerd.sock",
            "/run/crio/crio.sock",
        ];
        assert_eq!(sockets, expected.map(Path::new));
    }
}

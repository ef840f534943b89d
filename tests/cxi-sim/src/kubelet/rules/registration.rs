//! Checks of a registration.

use super::{Rule, Violation};
use crate::kubelet::directory::{CHECKPOINT, SOCKET};
use crate::kubelet::names::MAX_ENDPOINT;
use crate::kubelet::pb;

/// What lies at the path of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointFile {
    /// Nothing.
    Missing,
    /// Something that is not a socket.
    NotSocket,
    /// A socket with these permission bits.
    Socket(u32),
}

/// `endpoint` is joined to kubelet's directory unchecked (`server.go`), so a path would lead out of it; a leading dot hides
/// the socket from the plugin watcher (`plugin_watcher.go`).
pub fn endpoint_name(endpoint: &str) -> Vec<Violation> {
    let violation = |text: String| Violation::new(Rule::EndpointName, text);
    let mut found = Vec::new();
    if endpoint.is_empty() || endpoint.contains(['/', '\0']) {
        found.push(violation(format!("endpoint {endpoint:?} is not a plain file name")));
    }
    if endpoint.starts_with('.') {
        found.push(violation(format!("endpoint {endpoint:?} starts with a dot")));
    }
    if matches!(endpoint, SOCKET | CHECKPOINT) {
        found.push(violation(format!("endpoint {endpoint:?} is kubelet's own file")));
    }
    if endpoint.len() > MAX_ENDPOINT {
        found.push(violation(format!(
            "endpoint of {} bytes, more than {MAX_ENDPOINT}",
            endpoint.len()
        )));
    }
    found
}

/// The socket must be there before Register, because kubelet dials it inside the call, and only root may use it.
pub fn endpoint_file(endpoint: &str, file: EndpointFile) -> Vec<Violation> {
    match file {
        EndpointFile::Missing => vec![Violation::new(
            Rule::SocketMissing,
            format!("endpoint {endpoint:?} does not exist"),
        )],
        EndpointFile::NotSocket => vec![Violation::new(
            Rule::SocketMissing,
            format!("endpoint {endpoint:?} is no socket"),
        )],
        EndpointFile::Socket(mode) if mode & 0o077 != 0 => {
            vec![Violation::new(
                Rule::SocketMode,
                format!("endpoint {endpoint:?} has mode {:04o}, not 0600", mode & 0o7777),
            )]
        }
        EndpointFile::Socket(_) => Vec::new(),
    }
}

/// Kubelet uses the answer of GetDevicePluginOptions and ignores the request's options (`manager.go`, `PluginConnected`);
/// a plugin that sends different ones would change when that changes. Absent options are all false.
pub fn options(request: Option<pb::DevicePluginOptions>, answer: pb::DevicePluginOptions) -> Vec<Violation> {
    let request = request.unwrap_or_default();
    if request == answer {
        return Vec::new();
    }
    vec![Violation::new(
        Rule::OptionsDiffer,
        format!("{request:?} in Register, {answer:?} in GetDevicePluginOptions"),
    )]
}

#[cfg(test)]
mod tests {
    use super::super::rules;
    use super::*;

    #[test]
    fn an_endpoint_is_a_visible_file_name_that_fits() {
        assert_eq!(endpoint_name("cxi-0a1b2c3d-17-1.sock"), []);
        assert_eq!(endpoint_name(&"x".repeat(75)), []);
        for bad in [
            "",
            "a/b.sock",
            "/x.sock",
            ".hidden.sock",
            "kubelet.sock",
            "kubelet_internal_checkpoint",
            &"x".repeat(76),
        ] {
            assert_eq!(rules(&endpoint_name(bad)), [Rule::EndpointName], "{bad}");
        }
    }

    #[test]
    fn an_endpoint_is_a_private_socket() {
        assert_eq!(endpoint_file("x", EndpointFile::Socket(0o140600)), []);
        assert_eq!(
            rules(&endpoint_file("x", EndpointFile::Socket(0o140755))),
            [Rule::SocketMode]
        );
        assert_eq!(rules(&endpoint_file("x", EndpointFile::Missing)), [Rule::SocketMissing]);
        assert_eq!(
            rules(&endpoint_file("x", EndpointFile::NotSocket)),
            [Rule::SocketMissing]
        );
    }

    #[test]
    fn options_are_the_same_in_both_places() {
        let preferred = pb::DevicePluginOptions {
            get_preferred_allocation_available: true,
            ..Default::default()
        };
        assert_eq!(options(None, pb::DevicePluginOptions::default()), []);
        assert_eq!(options(Some(preferred), preferred), []);
        assert_eq!(rules(&options(None, preferred)), [Rule::OptionsDiffer]);
    }
}

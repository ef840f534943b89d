//! Checks of the answers to Allocate and GetPreferredAllocation.

use std::collections::BTreeSet;

use super::{Rule, Violation, repeated};
use crate::kubelet::names::is_cdi_name;
use crate::kubelet::pb;

/// An answer to Allocate with that many container requests. Kubelet reads only the first response (`manager.go`,
/// `allocateContainerResources`), but the API promises one each.
pub fn allocate(requests: usize, answer: &pb::AllocateResponse) -> Vec<Violation> {
    let responses = &answer.container_responses;
    let mut found = Vec::new();
    if responses.len() != requests {
        let text = format!(
            "{} container responses to {requests} container requests",
            responses.len()
        );
        found.push(Violation::new(Rule::ResponseCount, text));
    }
    found.extend(responses.iter().flat_map(container));
    found
}

fn container(response: &pb::ContainerAllocateResponse) -> Vec<Violation> {
    let mut found: Vec<Violation> = response.devices.iter().flat_map(device).collect();
    for path in repeated(response.devices.iter().map(|device| device.container_path.as_str())) {
        found.push(Violation::new(
            Rule::DuplicatePath,
            format!("two devices at {path:?} of the container"),
        ));
    }
    let mounts = response
        .mounts
        .iter()
        .flat_map(|mount| [&mount.host_path, &mount.container_path]);
    found.extend(relative(mounts, Rule::MountPath, "mount"));
    for name in response
        .envs
        .keys()
        .filter(|name| name.is_empty() || name.contains(['=', '\0']))
    {
        found.push(Violation::new(Rule::EnvName, format!("environment name {name:?}")));
    }
    for cdi in response.cdi_devices.iter().filter(|cdi| !is_cdi_name(&cdi.name)) {
        found.push(Violation::new(
            Rule::CdiName,
            format!("CDI name {:?} is not vendor/class=name", cdi.name),
        ));
    }
    // A kubelet cannot tell which NIC a path belongs to, so the two kinds must not meet in one answer at all.
    if let (Some(cdi), Some(device)) = (response.cdi_devices.first(), response.devices.first()) {
        let text = format!(
            "CDI device {:?} and device node {:?} in one answer",
            cdi.name, device.host_path
        );
        found.push(Violation::new(Rule::CdiAndDevices, text));
    }
    found
}

fn device(device: &pb::DeviceSpec) -> Vec<Violation> {
    let mut found = relative([&device.host_path, &device.container_path], Rule::DevicePath, "device");
    let letters: BTreeSet<char> = device.permissions.chars().collect();
    let once = letters.len() == device.permissions.chars().count();
    if letters.is_empty() || !once || !letters.iter().all(|letter| "rwm".contains(*letter)) {
        let text = format!("device {:?} has permissions {:?}", device.host_path, device.permissions);
        found.push(Violation::new(Rule::Permissions, text));
    }
    found
}

fn relative<'a>(paths: impl IntoIterator<Item = &'a String>, rule: Rule, what: &str) -> Vec<Violation> {
    let relative = paths.into_iter().filter(|path| !path.starts_with('/'));
    relative
        .map(|path| Violation::new(rule, format!("{what} path {path:?} is not absolute")))
        .collect()
}

/// An answer to GetPreferredAllocation for one container. An empty list means "no preference" and is fine; of any other
/// kubelet silently drops, fills up or cuts what does not fit (`manager.go`, `devicesToAllocate`).
pub fn preferred(
    available: &BTreeSet<String>,
    size: usize,
    answer: &pb::PreferredAllocationResponse,
) -> Vec<Violation> {
    let violation = |text: String| Violation::new(Rule::PreferredDevices, text);
    let [response] = answer.container_responses.as_slice() else {
        let text = format!(
            "{} container responses to 1 container request",
            answer.container_responses.len()
        );
        // An altogether empty answer is the other way of having no preference.
        return if answer.container_responses.is_empty() {
            Vec::new()
        } else {
            vec![violation(text)]
        };
    };
    let ids = &response.device_i_ds;
    let mut found = Vec::new();
    for id in ids.iter().filter(|id| !available.contains(*id)) {
        found.push(violation(format!("device {id:?} was not offered")));
    }
    for id in repeated(ids.iter().map(String::as_str)) {
        found.push(violation(format!("device {id:?} is preferred twice")));
    }
    if !ids.is_empty() && ids.len() != size {
        found.push(violation(format!("{} devices preferred, {size} asked for", ids.len())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::rules;
    use super::*;

    fn spec(path: &str, permissions: &str) -> pb::DeviceSpec {
        pb::DeviceSpec {
            container_path: path.to_owned(),
            host_path: path.to_owned(),
            permissions: permissions.to_owned(),
        }
    }

    fn found(response: pb::ContainerAllocateResponse) -> Vec<Rule> {
        rules(&allocate(
            1,
            &pb::AllocateResponse {
                container_responses: vec![response],
            },
        ))
    }

    fn with_devices(devices: Vec<pb::DeviceSpec>) -> pb::ContainerAllocateResponse {
        pb::ContainerAllocateResponse {
            devices,
            ..Default::default()
        }
    }

    fn with_cdi(name: &str) -> pb::ContainerAllocateResponse {
        let cdi_devices = vec![pb::CdiDevice { name: name.to_owned() }];
        pb::ContainerAllocateResponse {
            cdi_devices,
            ..Default::default()
        }
    }

    #[test]
    fn good_answers_pass() {
        assert_eq!(found(with_cdi("beta.hpe.com/cxi=0000:21:00.0")), []);
        let mut direct = with_devices(vec![spec("/dev/cxi0", "rw"), spec("/dev/cxi1", "mr")]);
        direct.envs.insert("A".to_owned(), "x=y".to_owned());
        direct.mounts.push(pb::Mount {
            container_path: "/a".to_owned(),
            host_path: "/b".to_owned(),
            read_only: true,
        });
        assert_eq!(found(direct), []);
    }

    #[test]
    fn as_many_responses_as_requests() {
        assert_eq!(
            rules(&allocate(1, &pb::AllocateResponse::default())),
            [Rule::ResponseCount]
        );
    }

    #[test]
    fn bad_device_nodes_are_found() {
        for permissions in ["", "rx", "rr", "R"] {
            assert_eq!(
                found(with_devices(vec![spec("/dev/cxi0", permissions)])),
                [Rule::Permissions],
                "{permissions}"
            );
        }
        assert_eq!(
            found(with_devices(vec![spec("dev/cxi0", "rw")])),
            [Rule::DevicePath, Rule::DevicePath]
        );
        assert_eq!(
            found(with_devices(vec![spec("/dev/cxi0", "rw"), spec("/dev/cxi0", "rw")])),
            [Rule::DuplicatePath]
        );
    }

    #[test]
    fn bad_mounts_names_and_mixtures_are_found() {
        let mut response = pb::ContainerAllocateResponse::default();
        response.mounts.push(pb::Mount {
            container_path: "/a".to_owned(),
            host_path: "b".to_owned(),
            read_only: true,
        });
        assert_eq!(found(response), [Rule::MountPath]);
        for name in ["", "A=B", "A\0"] {
            let mut response = pb::ContainerAllocateResponse::default();
            response.envs.insert(name.to_owned(), String::new());
            assert_eq!(found(response), [Rule::EnvName], "{name:?}");
        }
        assert_eq!(found(with_cdi("cxi0")), [Rule::CdiName]);
        let both = pb::ContainerAllocateResponse {
            devices: vec![spec("/dev/cxi0", "rw")],
            ..with_cdi("hpe.com/cxi=0")
        };
        assert_eq!(found(both), [Rule::CdiAndDevices]);
    }

    #[test]
    fn preferred_devices_are_a_subset_of_the_right_size_or_none() {
        let available = BTreeSet::from(["a", "b", "c"].map(str::to_owned));
        let found = |ids: &[&str]| {
            let device_i_ds = ids.iter().map(|id| id.to_string()).collect();
            let response = pb::ContainerPreferredAllocationResponse { device_i_ds };
            preferred(
                &available,
                2,
                &pb::PreferredAllocationResponse {
                    container_responses: vec![response],
                },
            )
            .len()
        };
        assert_eq!(found(&[]), 0);
        assert_eq!(found(&["a", "c"]), 0);
        assert_eq!(found(&["a"]), 1);
        assert_eq!(found(&["a", "x"]), 1);
        assert_eq!(found(&["a", "a"]), 1);
    }
}

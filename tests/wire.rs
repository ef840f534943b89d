//! The wire contract with kubelet and with container runtimes: service names, field numbers and types, as bytes. Both ends of
//! our other tests share one `.proto` file, so only this test would notice a wrong number in it.
#![cfg(test)]

use cxi_device_plugin::kubelet::pod_resources::pb as pods;
use cxi_device_plugin::kubelet::{cri, pb};
use prost::Message;

/// `key` of a length-delimited field, and its content.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

fn map_entry(key: &str, value: &str) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, value.as_bytes())].concat()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn services_have_their_names() {
    assert_eq!(pb::registration_server::SERVICE_NAME, "v1beta1.Registration");
    assert_eq!(pb::device_plugin_server::SERVICE_NAME, "v1beta1.DevicePlugin");
}

#[test]
fn registration_messages_have_their_bytes() {
    let options = pb::DevicePluginOptions {
        pre_start_required: true,
        get_preferred_allocation_available: true,
    };
    assert_eq!(options.encode_to_vec(), [0x08, 1, 0x10, 1]);
    let request = pb::RegisterRequest {
        version: "v1beta1".into(),
        endpoint: "a.sock".into(),
        resource_name: "b/c".into(),
        options: Some(options),
    };
    let expected = [
        field(1, b"v1beta1"),
        field(2, b"a.sock"),
        field(3, b"b/c"),
        field(4, &options.encode_to_vec()),
    ]
    .concat();
    assert_eq!(request.encode_to_vec(), expected);
    assert_eq!(pb::Empty {}.encode_to_vec(), b"");
}

#[test]
fn a_device_list_has_its_bytes() {
    let topology = pb::TopologyInfo {
        nodes: vec![pb::NumaNode { id: 1 }],
    };
    let device = pb::Device {
        id: "x".into(),
        health: "Healthy".into(),
        topology: Some(topology),
    };
    let expected = [field(1, b"x"), field(2, b"Healthy"), field(3, &field(1, &[0x08, 1]))].concat();
    let list = pb::ListAndWatchResponse { devices: vec![device] };
    assert_eq!(list.encode_to_vec(), field(1, &expected));
}

#[test]
fn allocation_messages_have_their_bytes() {
    let container = pb::ContainerAllocateRequest {
        devices_ids: texts(&["x", "y"]),
    };
    let request = pb::AllocateRequest {
        container_requests: vec![container],
    };
    assert_eq!(
        request.encode_to_vec(),
        field(1, &[field(1, b"x"), field(1, b"y")].concat())
    );

    let response = pb::ContainerAllocateResponse {
        envs: [("K".to_owned(), "V".to_owned())].into(),
        mounts: vec![pb::Mount {
            container_path: "/c".into(),
            host_path: "/h".into(),
            read_only: true,
        }],
        devices: vec![pb::DeviceSpec {
            container_path: "/c".into(),
            host_path: "/h".into(),
            permissions: "rw".into(),
        }],
        annotations: [("A".to_owned(), "B".to_owned())].into(),
        cdi_devices: vec![pb::CdiDevice { name: "v/c=n".into() }],
    };
    let expected = [
        field(1, &map_entry("K", "V")),
        field(2, &[field(1, b"/c"), field(2, b"/h"), vec![0x18, 1]].concat()),
        field(3, &[field(1, b"/c"), field(2, b"/h"), field(3, b"rw")].concat()),
        field(4, &map_entry("A", "B")),
        field(5, &field(1, b"v/c=n")),
    ];
    let response = pb::AllocateResponse {
        container_responses: vec![response],
    };
    assert_eq!(response.encode_to_vec(), field(1, &expected.concat()));
}

#[test]
fn preference_and_pre_start_messages_have_their_bytes() {
    let container = pb::ContainerPreferredAllocationRequest {
        available_device_i_ds: texts(&["x", "y"]),
        must_include_device_i_ds: texts(&["y"]),
        allocation_size: 2,
    };
    let request = pb::PreferredAllocationRequest {
        container_requests: vec![container],
    };
    let expected = [field(1, b"x"), field(1, b"y"), field(2, b"y"), vec![0x18, 2]].concat();
    assert_eq!(request.encode_to_vec(), field(1, &expected));

    let container = pb::ContainerPreferredAllocationResponse {
        device_i_ds: texts(&["x"]),
    };
    let response = pb::PreferredAllocationResponse {
        container_responses: vec![container],
    };
    assert_eq!(response.encode_to_vec(), field(1, &field(1, b"x")));

    assert_eq!(
        pb::PreStartContainerRequest {
            devices_ids: texts(&["x"])
        }
        .encode_to_vec(),
        field(1, b"x")
    );
    assert_eq!(pb::PreStartContainerResponse {}.encode_to_vec(), b"");
}

#[test]
fn what_a_container_runtime_is_asked_and_says_has_its_bytes() {
    use cri::pb;
    assert_eq!(pb::runtime_service_server::SERVICE_NAME, "runtime.v1.RuntimeService");
    let request = pb::VersionRequest {
        version: "0.1.0".into(),
    };
    assert_eq!(request.encode_to_vec(), field(1, b"0.1.0"));
    let answer = [
        field(1, b"0.1.0"),
        field(2, b"containerd"),
        field(3, b"1.7.24~ds1"),
        field(4, b"v1"),
    ];
    let answer = pb::VersionResponse::decode(answer.concat().as_slice()).unwrap();
    assert_eq!(
        (answer.version.as_str(), answer.runtime_api_version.as_str()),
        ("0.1.0", "v1")
    );
    assert_eq!(
        (answer.runtime_name.as_str(), answer.runtime_version.as_str()),
        ("containerd", "1.7.24~ds1")
    );
    assert_eq!(pb::StatusRequest { verbose: true }.encode_to_vec(), [0x08, 1]);
    // How it is (1) comes before what it says of itself, and is passed over.
    let condition = [field(1, b"RuntimeReady"), vec![0x10, 1]].concat();
    let status = [field(1, &field(1, &condition)), field(2, &map_entry("config", "{}"))].concat();
    let status = pb::StatusResponse::decode(status.as_slice()).unwrap();
    assert_eq!(status.info, [("config".to_owned(), "{}".to_owned())].into());
}

#[test]
fn a_list_of_pods_has_its_bytes() {
    assert_eq!(pods::pod_resources_lister_server::SERVICE_NAME, "v1.PodResourcesLister");
    let devices = [field(1, b"r/x"), field(2, b"a"), field(2, b"b"), field(3, b"")].concat();
    let given = [
        field(1, &field(1, b"v/c=n")),
        field(2, b"d"),
        field(3, b"p"),
        field(4, b"n"),
    ]
    .concat();
    let claim = [field(2, b"c"), field(3, b"ns"), field(4, &given)].concat();
    // Processors and memory are passed over.
    let container = [
        field(1, b"main"),
        field(2, &devices),
        field(3, &[1, 2]),
        field(4, b""),
        field(5, &claim),
    ];
    let pod = [
        field(1, b"p"),
        field(2, b"ns"),
        field(3, &container.concat()),
        field(4, &[1]),
    ]
    .concat();
    let expected = pods::PodResources {
        name: "p".into(),
        namespace: "ns".into(),
        containers: vec![pods::ContainerResources {
            name: "main".into(),
            devices: vec![pods::ContainerDevices {
                resource_name: "r/x".into(),
                device_ids: texts(&["a", "b"]),
            }],
            dynamic_resources: vec![pods::DynamicResource {
                claim_name: "c".into(),
                claim_namespace: "ns".into(),
                claim_resources: vec![pods::ClaimResource {
                    cdi_devices: vec![pods::CdiDevice { name: "v/c=n".into() }],
                    driver_name: "d".into(),
                    pool_name: "p".into(),
                    device_name: "n".into(),
                }],
            }],
        }],
    };
    let list = pods::ListPodResourcesResponse::decode(&*field(1, &pod)).unwrap();
    assert_eq!(list.pod_resources, std::slice::from_ref(&expected));
    let one = pods::GetPodResourcesResponse::decode(&*field(1, &pod)).unwrap();
    assert_eq!(one.pod_resources, Some(expected));
    assert_eq!(pods::ListPodResourcesRequest {}.encode_to_vec(), b"");
    let request = pods::GetPodResourcesRequest {
        pod_name: "p".into(),
        pod_namespace: "ns".into(),
    };
    assert_eq!(request.encode_to_vec(), [field(1, b"p"), field(2, b"ns")].concat());
}

#[test]
fn what_a_plugin_and_a_container_runtime_say_by_nri_has_its_bytes() {
    use cxi_device_plugin::isolation::nri::pb;
    use cxi_device_plugin::isolation::nri::pb::ttrpc;

    let text = |number: u8, text: &str| field(number, text.as_bytes());
    let register = pb::RegisterPluginRequest {
        plugin_name: "a".into(),
        plugin_idx: "90".into(),
        nri_version: "v".into(),
    };
    assert_eq!(
        register.encode_to_vec(),
        [text(1, "a"), text(2, "90"), text(3, "v")].concat()
    );
    // The place of field 1 is kept for something that is gone.
    assert_eq!(pb::ConfigureResponse { events: 15 }.encode_to_vec(), [0x10, 15]);
    assert_eq!(pb::SynchronizeResponse { more: true }.encode_to_vec(), [0x10, 1]);

    let namespace = [text(1, "network"), text(2, "/n")].concat();
    let pod = [
        text(1, "id"),
        text(2, "pod"),
        text(3, "uid"),
        text(4, "blue"),
        // Labels and the handler of the runtime are passed over.
        field(5, &map_entry("k", "v")),
        field(6, &map_entry("beta.hpe.com/vni", "7")),
        text(7, "runc"),
        field(8, &field(5, &namespace)),
        vec![9 << 3, 1],
        text(10, "10.0.0.1"),
    ]
    .concat();
    let device = [text(1, "/d"), text(2, "c"), vec![3 << 3, 10], vec![4 << 3, 229, 1]].concat();
    let rule = [vec![1 << 3, 1], text(2, "a"), field(3, &[1 << 3, 5]), text(5, "rwm")].concat();
    let linux = [field(1, &namespace), field(2, &device), field(3, &field(7, &rule))].concat();
    let limit = [text(1, "RLIMIT_MEMLOCK"), vec![2 << 3, 9], vec![3 << 3, 8]].concat();
    let container = [
        text(1, "c"),
        text(2, "id"),
        text(3, "main"),
        vec![4 << 3, 1],
        text(7, "args"),
        text(8, "A=B"),
        field(9, &text(1, "/sys/class/net")),
        field(11, &linux),
        field(13, &limit),
    ]
    .concat();
    let request = [
        field(1, &pod),
        vec![2 << 3 | 2, container.len().try_into().unwrap()],
        container,
    ]
    .concat();
    let request = pb::CreateContainerRequest::decode(request.as_slice()).unwrap();
    let (pod, container) = (request.pod.unwrap(), request.container.unwrap());
    assert_eq!(
        (pod.id.as_str(), pod.name.as_str(), pod.namespace.as_str()),
        ("id", "pod", "blue")
    );
    assert_eq!(pod.annotations["beta.hpe.com/vni"], "7");
    let network = &pod.linux.unwrap().namespaces[0];
    assert_eq!((network.r#type.as_str(), network.path.as_str()), ("network", "/n"));
    assert_eq!(
        (
            container.pod_sandbox_id.as_str(),
            container.name.as_str(),
            container.state
        ),
        ("id", "main", 1)
    );
    assert_eq!(
        (container.env, container.mounts[0].destination.as_str()),
        (texts(&["A=B"]), "/sys/class/net")
    );
    let linux = container.linux.unwrap();
    let device = &linux.devices[0];
    assert_eq!((device.r#type.as_str(), device.major, device.minor), ("c", 10, 229));
    let rule = &linux.resources.unwrap().devices[0];
    assert_eq!(
        (rule.allow, rule.access.as_str(), rule.major.as_ref().unwrap().value),
        (true, "rwm", 5)
    );
    assert!(rule.minor.is_none());
    assert_eq!((container.rlimits[0].hard, container.rlimits[0].soft), (9, 8));

    let mount = pb::Mount {
        destination: "/d".into(),
        r#type: "bind".into(),
        source: "/s".into(),
        options: texts(&["ro"]),
    };
    let adjust = pb::ContainerAdjustment {
        mounts: vec![mount],
        rlimits: vec![pb::PosixRlimit {
            r#type: "RLIMIT_MEMLOCK".into(),
            hard: u64::MAX,
            soft: 1,
        }],
    };
    let mount = [text(1, "/d"), text(2, "bind"), text(3, "/s"), text(4, "ro")].concat();
    let endless = [vec![2 << 3], vec![0xff; 9], vec![1]].concat();
    let limit = [text(1, "RLIMIT_MEMLOCK"), endless, vec![3 << 3, 1]].concat();
    let answer = pb::CreateContainerResponse { adjust: Some(adjust) };
    assert_eq!(
        answer.encode_to_vec(),
        field(1, &[field(3, &mount), field(7, &limit)].concat())
    );

    let event = pb::StateChangeEvent {
        event: 2,
        pod: Some(pb::PodSandbox::default()),
    };
    assert_eq!(event.encode_to_vec(), [vec![1 << 3, 2], field(2, &[])].concat());
    let call = ttrpc::Request {
        service: "s".into(),
        method: "m".into(),
        payload: vec![1],
        timeout_nano: 2,
    };
    let expected = [text(1, "s"), text(2, "m"), field(3, &[1]), vec![4 << 3, 2]].concat();
    assert_eq!(call.encode_to_vec(), expected);
    let status = ttrpc::Status {
        code: 2,
        message: "no".into(),
    };
    let response = ttrpc::Response {
        status: Some(status),
        payload: vec![3],
    };
    let status = [vec![1 << 3, 2], text(2, "no")].concat();
    assert_eq!(response.encode_to_vec(), [field(1, &status), field(2, &[3])].concat());
}

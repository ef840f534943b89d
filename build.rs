//! Generates the APIs of kubelet and of container runtimes from our own `.proto` files with protox, so that no `protoc` is
//! needed.

/// Folder and file of each.
const PROTOS: [(&str, &str); 5] = [
    ("src/kubelet", "deviceplugin_v1beta1.proto"),
    ("src/kubelet/cri", "runtime_v1.proto"),
    ("src/kubelet/pod_resources", "podresources_v1.proto"),
    ("src/isolation/nri", "nri_v1alpha1.proto"),
    ("src/isolation/nri", "ttrpc.proto"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for (folder, proto) in PROTOS {
        println!("cargo::rerun-if-changed={folder}/{proto}");
        let descriptors = protox::compile([proto], [folder])?;
        tonic_prost_build::configure().compile_fds(descriptors)?;
    }
    Ok(())
}

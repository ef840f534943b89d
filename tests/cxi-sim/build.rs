//! Generates kubelet's side of its APIs from the `.proto` files of this repository.

/// Folder and file of each.
const PROTOS: [(&str, &str); 2] = [
    ("../../src/kubelet", "deviceplugin_v1beta1.proto"),
    ("../../src/kubelet/pod_resources", "podresources_v1.proto"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for (folder, proto) in PROTOS {
        println!("cargo::rerun-if-changed={folder}/{proto}");
        let descriptors = protox::compile([proto], [folder])?;
        tonic_prost_build::configure().compile_fds(descriptors)?;
    }
    Ok(())
}

//! Generates the kubelet's side of the device plugin API from the one `.proto` of this repository.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const FOLDER: &str = "../../src/kubelet";
    const PROTO: &str = "../../src/kubelet/deviceplugin_v1beta1.proto";
    println!("cargo::rerun-if-changed={PROTO}");
    let descriptors = protox::compile([PROTO], [FOLDER])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

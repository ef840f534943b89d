//! Generates the kubelet API from our own `.proto` with protox, so that no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const PROTO: &str = "src/kubelet/deviceplugin_v1beta1.proto";
    println!("cargo::rerun-if-changed={PROTO}");
    let descriptors = protox::compile([PROTO], ["src/kubelet"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

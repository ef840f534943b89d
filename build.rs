//! Generates the APIs of kubelet and of container runtimes from our own `.proto` files with protox, so that no `protoc` is
//! needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const PROTOS: [&str; 2] = [
        "src/kubelet/deviceplugin_v1beta1.proto",
        "src/kubelet/cri/runtime_v1.proto",
    ];
    for proto in PROTOS {
        println!("cargo::rerun-if-changed={proto}");
    }
    let descriptors = protox::compile(PROTOS, ["src/kubelet"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

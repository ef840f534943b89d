//! See [`cxi_device_plugin::plugin`].

fn main() -> std::process::ExitCode {
    cxi_device_plugin::plugin::main()
}

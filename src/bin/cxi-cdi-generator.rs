//! See [`cxi_device_plugin::generator`].

fn main() -> std::process::ExitCode {
    cxi_device_plugin::generator::main()
}

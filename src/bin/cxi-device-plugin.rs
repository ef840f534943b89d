//! See [`cxi_device_plugin::cli::plugin`].

fn main() -> std::process::ExitCode {
    cxi_device_plugin::cli::plugin::main()
}

//! See [`cxi_device_plugin::cli::generator`].

fn main() -> std::process::ExitCode {
    cxi_device_plugin::cli::generator::main()
}

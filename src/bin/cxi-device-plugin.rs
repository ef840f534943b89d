//! See [`cxi_device_plugin::daemon`].

fn main() -> std::process::ExitCode {
    cxi_device_plugin::daemon::main()
}

//! The kinds of messages that the journal tells apart: `journalctl MESSAGE_ID=…`, and the text that `journalctl -x` adds from
//! `packaging/journald/cxi-device-plugin.catalog`. An id never changes and is never used again for something else. Pure.
//!
//! `docs/log.md` describes each; `tests/log.rs` compares the three.

/// The daemon works.
pub const STARTED: &str = "7481a33db04c412dbaf5ef5a5a296b94";
/// A signal ends the daemon.
pub const STOPPING: &str = "3b57e1d1fae64dcca5d9fb5d35c7e33a";
/// New pods may get this NIC.
pub const NIC_HEALTHY: &str = "94f02631b11446dbb461b815075cb1cf";
/// New pods do not get this NIC until it is mended.
pub const NIC_UNHEALTHY: &str = "3daba3d5112b4fffa7207c9240e0fe99";
/// A NIC that containers shall not have.
pub const NIC_NOT_OFFERED: &str = "a5e8cf5fd8bd48a0a180a7c16e2e11cc";
/// What a NIC is: part, serial number, revision.
pub const NIC_CARD: &str = "cac82c1fa37148b4831db32a5079a47c";
/// The PCI function is no longer there.
pub const NIC_GONE: &str = "6081c62d16e04e5fb4142425cd1bfd69";
/// A condition of a NIC warns; the NIC stays healthy.
pub const NIC_WARNING: &str = "f7057ff16ffe40a381ad0fd058282321";
/// A condition of a NIC does not warn any more.
pub const NIC_WARNING_OVER: &str = "15afcdf1a2394400a78f41984220b766";
/// The default CXI service of a NIC is on, so that everybody may use the fabric.
pub const SERVICE_OPEN: &str = "a9272a949b704bd5bbf5a8aa27d97c81";
/// The driver has refused the end of a CXI service for too long.
pub const SERVICE_LINGERS: &str = "92c2c1bfb82a4c76a65734172f82d30a";
/// Reading a NIC hangs; it stays as it was.
pub const NIC_HANGS: &str = "e902d7dd8cb943788d9d257515a5eeed";
/// The driver has reported an error of a NIC.
pub const NIC_ERROR: &str = "27f88283dfcc4150b440b2fda935cfa5";
/// The node as a whole cannot be looked at; all stays as it was.
pub const NODE_UNREADABLE: &str = "37bf2c50fb9d4dbca55ccf6ad7a8afac";
/// The CDI file was written or removed.
pub const CDI_WRITTEN: &str = "b317cf28196545b18668f5931a37e1a2";
/// Somebody else had changed or removed the CDI file.
pub const CDI_RESTORED: &str = "b8975fddc13744f1a7cc65c2649c0031";
/// The CDI file could not be written.
pub const CDI_FAILED: &str = "cf3d1f521e834adfbe7eb3f2106f3b12";
/// How containers get their NICs, and why so.
pub const STRATEGY: &str = "ef844ca19e3748e7899663a9e3de977a";
/// The configuration was read anew.
pub const CONFIG_READ: &str = "05be7dcffc2446f993a8c60b7c1c8f97";
/// A configuration that cannot be used; the old one goes on.
pub const CONFIG_REFUSED: &str = "f014566c3e8a42529acf5548c658d5b1";
/// There is no kubelet yet.
pub const KUBELET_AWAITED: &str = "678da6a19a354daea7174dc9380d6c96";
/// Kubelet takes our list.
pub const REGISTERED: &str = "c2b94c36da2148898d3a8f31b4a7ff29";
/// Kubelet does not, or no longer, take our list.
pub const NOT_REGISTERED: &str = "2353e581f33e4edd93b0b26a16fba4db";
/// Another plugin serves our resource.
pub const COMPETING_PLUGIN: &str = "bae745b1d80c41aab5ed24628b072a28";
/// Kubelet got devices for a container.
pub const ALLOCATED: &str = "c3ff08056d444d4bb2a4821579009561";
/// A container's request was refused.
pub const REFUSED: &str = "27877c834ea94356b76adf4711cd7824";
/// A source of events is lost, or only partly heard.
pub const SOURCE_LOST: &str = "2f1baebd44bb429b8cf40639f0eae012";
/// A source of events is back.
pub const SOURCE_BACK: &str = "7fbfa47bb0c44772bf6d5a99908f9260";

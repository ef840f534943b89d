//! How containers get NICs through kubelet.

/// How a container's NICs are named to the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Strategy {
    /// Device nodes, mounts and environment, which every runtime understands
    #[default]
    Direct,
    /// CDI names, which the runtime must know to resolve
    Cdi,
}

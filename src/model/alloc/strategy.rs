//! How containers get NICs through kubelet.

/// How a container's NICs are named to the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Device nodes, mounts and environment, which every runtime understands.
    #[default]
    Direct,
    /// CDI names, which the runtime must know to resolve.
    Cdi,
}

/// What the site says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum StrategySetting {
    /// CDI names where the node's runtime is known to honour them, else device nodes
    #[default]
    Auto,
    /// CDI names, whatever the runtime
    Cdi,
    /// Device nodes, mounts and environment, whatever the runtime
    Direct,
}

impl Strategy {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Cdi => "cdi",
        }
    }
}

impl StrategySetting {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cdi => "cdi",
            Self::Direct => "direct",
        }
    }
}

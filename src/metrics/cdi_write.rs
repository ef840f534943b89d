//! What became of a write of the CDI file, as it is counted.

/// What became of the CDI file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CdiWrite {
    /// It holds something new.
    Written,
    /// Somebody had changed or removed it.
    Restored,
    /// No NIC is usable, so it went.
    Removed,
    /// It stays as it was.
    Failed,
}

impl CdiWrite {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Written, Self::Restored, Self::Removed, Self::Failed];

    /// For the label of the metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Restored => "restored",
            Self::Removed => "removed",
            Self::Failed => "failed",
        }
    }
}

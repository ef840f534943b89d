//! How long what is shown may take, in a place that may be slow or hang.

use std::time::Duration;

/// Kubelet waits so long at most for what CNI plugins want to find.
pub const PREPARE: Duration = Duration::from_millis(200);
/// Before it is said that a place does not answer. The work goes on.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// The end waits so long for what is to be taken away.
pub const END: Duration = Duration::from_millis(500);

//! Which pod holds which NIC, by what kubelet lists.

mod holdings;
mod listed;

pub use self::holdings::{Conflict, Holder, Holdings};
pub use self::listed::{ListedContainer, ListedPod, PodName, Unlisted, Word};

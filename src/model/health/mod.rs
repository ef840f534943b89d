//! Would libfabric accept this NIC, and would the fabric route to it? Pure: the same readings, history and times give
//! the same verdicts.
//!
//! [`assess`](fn@assess) makes [`Condition`]s of one NIC, [`policy`] says what a bad one means on this site, [`history`]
//! keeps what one look cannot show, [`hold`] lets news wait, and the [`Engine`] puts the four together. A NIC is healthy when
//! no condition fails; what is unknown never makes it unhealthy.

mod check_result;
mod checks;
mod condition;
mod engine;
pub mod history;
pub mod hold;
pub mod policy;

pub use self::checks::assess;
pub use self::condition::{Check, Condition, Evidence, Held, Verdict, is_healthy};
pub use self::engine::{Engine, Health, Moment};
pub use self::policy::{Action, HealthPolicy};

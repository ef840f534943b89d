//! Would libfabric accept this NIC, and would the fabric route to it? Pure: the same readings, history and times give
//! the same verdicts.
//!
//! The checks make [`Condition`]s of one NIC, [`policy`] says what a bad one means on this site, [`judge`](fn@judge) silences
//! what follows from another one, [`history`] keeps what one look cannot show, [`hold`] lets news wait, and the [`Engine`] puts
//! all together. A NIC is healthy when no condition fails; what is unknown never makes it unhealthy.

mod across_nics;
mod check_result;
mod checks;
mod condition;
mod consequence;
mod engine;
pub mod history;
pub mod hold;
pub mod policy;

pub use self::across_nics::AcrossNics;
pub use self::condition::{Check, Condition, Evidence, Held, Verdict, is_healthy};
pub use self::consequence::judge;
pub use self::engine::{Engine, Health, Moment};
pub use self::policy::{Action, HealthPolicy};
